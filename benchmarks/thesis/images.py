"""Images of the setting: of each dataset one half of a sample to learn from, the other to be tested with.

A dataset token of n images a class is made of the first n of a half, so that known datasets are tested with images
that were not learnt from. Blind datasets are read from the test half alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.tokens.dataset import DatasetTokens, dataset_tokens
from hf_crosssight.tokens.image_encoder import ImageEncoder, default_encoder

COUNTS = (1, 2, 5, 10)
_MOST, _CLASSES, _SEED = 10, 30, 61  # thirty classes at most, as in the fine-tuning runs
_SINGLE_DRAWS = 3  # of one image a class: what a single one says differs most


@dataclass(frozen=True)
class Views:
    """Token samples of one dataset: to learn from, and by images a class to be tested with."""

    training: tuple[DatasetTokens, ...]
    test: dict[int, tuple[DatasetTokens, ...]]


def read_images(datasets: Path, folder: str) -> dict[str, DatasetSample]:
    """Both halves of a dataset, at most ten images a class each."""
    whole = load_sample(
        str(datasets / folder), images_per_class=2 * _MOST, max_classes=_CLASSES, seed=_SEED, offline=True
    )
    assert whole.labels is not None
    places: dict[str, list[int]] = {"training": [], "test": []}
    for label in np.unique(whole.labels):
        own = np.flatnonzero(whole.labels == label)
        places["test"].extend(own[0::2].tolist())
        places["training"].extend(own[1::2].tolist())
    return {half: part(whole, rows, half) for half, rows in places.items()}


def part(sample: DatasetSample, rows: Sequence[int], name: str) -> DatasetSample:
    """Some images of a sample."""
    assert sample.labels is not None
    images = [sample.images[row] for row in rows]
    return replace(
        sample, images=images, labels=sample.labels[np.array(rows)], fingerprint=f"{sample.fingerprint}|{name}"
    )


def few(sample: DatasetSample, count: int, draw: int = 0) -> DatasetSample:
    """`count` images of each class, beginning with the one numbered `draw`."""
    assert sample.labels is not None
    rows: list[int] = []
    for label in np.unique(sample.labels):
        own = np.flatnonzero(sample.labels == label)
        rows.extend(np.roll(own, -draw)[:count].tolist())
    return part(sample, rows, f"{count}-{draw}")


def views_of(halves: dict[str, DatasetSample], cache: Path) -> Views:
    """The token samples of a dataset; every image is encoded once."""
    encoder = _Remembering([image for half in halves.values() for image in half.images])
    draws = {count: range(_SINGLE_DRAWS if count == 1 else 1) for count in COUNTS}

    def tokens(half: str, count: int, draw: int) -> DatasetTokens:
        return dataset_tokens(few(halves[half], count, draw), encoder, cache_dir=cache)

    training = [tokens("training", count, draw) for count in COUNTS for draw in draws[count]]
    test = {count: tuple(tokens("test", count, draw) for draw in draws[count]) for count in COUNTS}
    return Views(tuple(training), test)


class _Remembering:
    """The default encoder, which is asked once about each of some images."""

    def __init__(self, images: Sequence[Image.Image]) -> None:
        self._encoder: ImageEncoder = default_encoder()
        self.id, self.dim, self._images = self._encoder.id, self._encoder.dim, images
        self._features: dict[int, np.ndarray] = {}

    def encode(self, images: Sequence[Image.Image], progress: object = None) -> np.ndarray:
        """Features `[N, dim]`."""
        if not self._features:
            features = self._encoder.encode(self._images)
            self._features = {id(image): row for image, row in zip(self._images, features, strict=True)}
        return np.stack([self._features[id(image)] for image in images])
