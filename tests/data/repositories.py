"""Datasets made for tests: images of noise, class folders, Parquet repositories."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (12, 8), mode: str = "RGB") -> Image.Image:
    """Noise of a given size (width, height): no two seeds look alike."""
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def class_folders(root: Path, classes: Sequence[str], count: int = 3, seed: int = 0) -> Path:
    """`root/CLASS/N.png`."""
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            picture(seed + 1000 * number + index).save(root / name / f"{index}.png")
    return root


def image_table(
    images: Sequence[bytes | None],
    labels: Sequence[object] | None,
    names: Sequence[str] = (),
    **more: Sequence[object],
) -> pa.Table:
    """A table as `datasets` writes it: features in the footer's metadata, with a `ClassLabel` if there are names."""
    cells = [{"bytes": item, "path": None} for item in images]
    columns = {"image": pa.array(cells, type=pa.struct([("bytes", pa.binary()), ("path", pa.string())]))}
    features: dict[str, dict] = {"image": {"_type": "Image"}}
    if labels is not None:
        columns["label"] = pa.array(labels)
        if names:
            features["label"] = {"names": list(names), "_type": "ClassLabel"}
    for name, values in more.items():
        columns[name] = pa.array(values)
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(columns).replace_schema_metadata(metadata)


def parquet_repository(root: Path, table: pa.Table, split: str = "train", **options: object) -> Path:
    """`root/data/SPLIT-00000-of-00001.parquet`."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(table, root / "data" / f"{split}-00000-of-00001.parquet", **options)
    return root


def class_sorted_repository(
    root: Path,
    shards: int = 20,
    groups: int = 40,
    rows: int = 10,
    classes: int = 20,
    image_bytes: int = 4200,
    paged: bool = False,
) -> int:
    """A repository sorted by class, as datasets made from class folders are; returns the bytes of its images.

    Args:
        image_bytes: of each image; above 4,096 pyarrow writes none into the footer as statistics.
        groups: row groups of each shard (with `paged`, pages of its only row group).
        rows: images of each of them.
        paged: written as `datasets` does today: one large row group with a page index.
    """
    (root / "data").mkdir(parents=True, exist_ok=True)
    names = [f"class {number}" for number in range(classes)]
    total, count = shards * groups * rows, 0
    rng = np.random.default_rng(0)
    head = encoded(Image.new("L", (4, 4)))
    for shard in range(shards):
        first = shard * groups * rows
        labels = [(first + row) * classes // total for row in range(groups * rows)]
        # Noise behind the end of a PNG: the file keeps its size when compressed and is made in no time.
        images = [head + rng.bytes(image_bytes - len(head)) for _ in labels]
        count += sum(map(len, images))
        options: dict = {"row_group_size": rows}
        if paged:
            options = {"row_group_size": len(labels), "write_page_index": True, "write_batch_size": rows}
            options |= {"data_page_size": 1, "use_dictionary": ["label"]}
        file = root / "data" / f"train-{shard:05d}-of-{shards:05d}.parquet"
        pq.write_table(image_table(images, labels, names), file, **options)
    return count
