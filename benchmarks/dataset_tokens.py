"""How fast dataset tokens are made: images per second and core at 224 px, for both memory layouts.

    python benchmarks/dataset_tokens.py [--images 64] [--repeats 7]

One thread, CPU time, so the figure is per core and does not suffer from other work on the machine; the layouts take
turns. "encode" is what a dataset pays an image (resize, normalise, forward pass); "forward" the network alone. The
last lines time the whole of `dataset_tokens` for 100 images of scikit-learn's digits, anew and from the cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image

from hf_crosssight.data.sample import DatasetSample
from hf_crosssight.tokens import image_encoder
from hf_crosssight.tokens.dataset import dataset_tokens

LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
CLAIM = 25.0
"""Images per second and core that the project promises."""


def photographs(count: int) -> list[Image.Image]:
    """Smooth coloured noise of 500 x 375 px: the size of a typical photograph of a dataset."""
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (count, 12, 16, 3), dtype=np.uint8)
    return [Image.fromarray(pixels).resize((500, 375), Image.Resampling.BICUBIC) for pixels in small]


def rate(work: Callable[[], object], images: int) -> float:
    """Images per second of CPU time."""
    start = time.process_time()
    work()
    return images / (time.process_time() - start)


def encode_with(layout: str, images: list[Image.Image], forward_only: bool) -> float:
    """Images per second through the default encoder with its weights in `layout`."""
    model: Any = image_encoder._efficientnet().to(memory_format=LAYOUTS[layout])
    pixels = torch.from_numpy(np.stack([image_encoder.pixels_of(image) for image in images])).permute(0, 3, 1, 2)

    def forward() -> None:
        with torch.inference_mode():
            for batch in pixels.split(image_encoder._BATCH):
                model.extract_features(batch.contiguous(memory_format=LAYOUTS[layout])).mean((2, 3))

    def encode() -> None:
        with torch.inference_mode():
            for start in range(0, len(images), image_encoder._BATCH):
                batch = [image_encoder.pixels_of(image) for image in images[start : start + image_encoder._BATCH]]
                stacked = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
                model.extract_features(stacked.contiguous(memory_format=LAYOUTS[layout])).mean((2, 3))

    return rate(forward if forward_only else encode, len(images))


def digits_sample() -> DatasetSample:
    """Ten images of each class of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.concatenate([np.flatnonzero(digits.target == c)[:10] for c in range(10)])
    images = [Image.fromarray((digits.images[row] * 255 / 16).astype(np.uint8)).convert("RGB") for row in rows]
    names = tuple(str(c) for c in range(10))
    return DatasetSample("digits", None, "train", "benchmark", images, digits.target[rows], names, 10, 1797)


def main() -> int:
    """Print the table; exit code 1 if the channels-last encoder is below the claim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = photographs(arguments.images)
    figures: dict[tuple[str, str], list[float]] = {}
    for repeat in range(arguments.repeats + 1):
        for part in ("forward", "encode"):
            for layout in LAYOUTS:
                measured = encode_with(layout, images, forward_only=part == "forward")
                if repeat:  # the first round warms up
                    figures.setdefault((part, layout), []).append(measured)
    print(f"images/s per core at 224 px, {arguments.images} images, {arguments.repeats} repeats, one thread, CPU time")
    print("| part | layout | median | lowest | highest |\n|---|---|---:|---:|---:|")
    for (part, layout), rates in figures.items():
        print(f"| {part} | {layout} | {statistics.median(rates):.1f} | {min(rates):.1f} | {max(rates):.1f} |")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("anew", "from the cache"):
            start = time.perf_counter()
            dataset_tokens(digits_sample(), cache_dir=folder)
            print(f"dataset_tokens of 100 digits {name}: {time.perf_counter() - start:.2f} s")
    return int(statistics.median(figures["encode", "channels-last"]) < CLAIM)


if __name__ == "__main__":
    raise SystemExit(main())
