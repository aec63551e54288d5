"""Real images for tests: drawn shapes, and the digits that scikit-learn carries."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from hf_crosssight.data.sample import DatasetSample

COLOURS = ((200, 40, 40), (40, 160, 60), (50, 70, 200), (220, 180, 40), (150, 60, 170))


def drawing(kind: str, seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A shape (`disc`, `box`, `stripes`) of random place and colour on a noisy ground."""
    random = np.random.default_rng([seed, len(kind)])
    image = Image.fromarray(random.integers(200, 256, (size[1], size[0], 3), dtype=np.uint8))
    draw = ImageDraw.Draw(image)
    x, y = (int(random.integers(0, side // 3)) for side in size)
    box, colour = (x, y, x + size[0] // 2, y + size[1] // 2), COLOURS[random.integers(len(COLOURS))]
    if kind == "disc":
        draw.ellipse(box, fill=colour)
    elif kind == "box":
        draw.rectangle(box, fill=colour)
    else:
        for offset in range(0, size[0], 8):
            draw.line((offset, 0, offset, size[1]), fill=colour, width=3)
    return image


def drawings(per_class: int, kinds: tuple[str, ...] = ("disc", "box", "stripes"), **changes) -> DatasetSample:
    """A sample of drawn shapes; `changes` replaces fields."""
    images = [drawing(kind, seed) for kind in kinds for seed in range(per_class)]
    labels = np.repeat(np.arange(len(kinds)), per_class)
    fields = {
        "id": "in-memory",
        "revision": None,
        "split": "train",
        "fingerprint": f"drawings-{per_class}-{kinds}",
        "images": images,
        "labels": labels,
        "class_names": kinds,
        "num_classes": len(kinds),
        "num_rows": 10 * len(images),
        "description": "drawn shapes",
    }
    return DatasetSample(**(fields | changes))


def digits(per_class: int) -> tuple[list[Image.Image], np.ndarray]:
    """Images (8 x 8, RGB) and labels of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == c)[:per_class] for c in range(10)])
    pixels = (data.images[rows] * 255 / 16).astype(np.uint8)
    return [Image.fromarray(image).convert("RGB") for image in pixels], data.target[rows]
