"""Small real parts for the tests of the factory: a dataset of drawn shapes and tiny networks, in Hub layout."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("disc", "stripes", "square")


def draw(kind: int, rng: np.random.Generator, side: int) -> np.ndarray:
    """uint8 `[side, side, 3]`: a shape at a random place in a random colour on noise."""
    image = rng.integers(0, 60, (side, side, 3))
    rows, columns = np.mgrid[:side, :side]
    top, left = rng.integers(side // 3, 2 * side // 3, 2)
    radius = side // 4
    if kind == 0:
        inside = (rows - top) ** 2 + (columns - left) ** 2 < radius**2
    elif kind == 1:
        inside = (rows // 2 + int(top)) % 2 == 0
    else:
        inside = (abs(rows - top) < radius) & (abs(columns - left) < radius)
    image[inside] = rng.integers(120, 255, 3)
    return image.astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_dataset(
    folder: Path, train: int = 48, test: int = 24, side: int = 24, seed: int = 0, broken: int = 0, classes: int = 3
) -> Path:
    """A dataset of shapes in Hub layout; the first `broken` train images cannot be decoded."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    (folder / "data").mkdir(parents=True)
    feature = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": list(CLASSES[:classes])}}
    for split, count in (("train", train), ("test", test)):
        if count == 0:
            continue
        labels = [row % classes for row in range(count)]
        images = [{"bytes": png(draw(label, rng, side)), "path": None} for label in labels]
        if split == "train":
            images[:broken] = [{"bytes": b"no image", "path": None}] * broken
        image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table({"image": pa.array(images, image_type), "label": labels})
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": feature}})})
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def write_resnet(folder: Path, seed: int = 0, width: int = 4, card: str = "", **settings: Any) -> Path:
    """A tiny ResNet of four classes in float16."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(seed)
    config = ResNetConfig(
        embedding_size=width, hidden_sizes=[width, 2 * width], depths=[1, 1], layer_type="basic", num_labels=4,
        **settings,
    )  # fmt: skip
    ResNetForImageClassification(config).half().save_pretrained(folder)
    (folder / "README.md").write_text(f"---\n{card}\n---\n# tiny\n")
    return folder


def write_vit(folder: Path, image_size: int = 32, **settings: Any) -> Path:
    """A tiny vision transformer whose position embeddings fit one image size."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=image_size,
        patch_size=image_size // 4, num_labels=4, **settings,
    )  # fmt: skip
    ViTForImageClassification(config).half().save_pretrained(folder)
    return folder
