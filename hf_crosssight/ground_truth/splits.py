"""Which images of a dataset train, validate and test a fine-tuning run: drawn by seed, and named by a hash.

Source of the sizes: the recipe of the first small zoo (600 class-balanced training images of at most 30 classes).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .labelled_images import LabelledImages

MAX_CLASSES = 30
TRAIN_IMAGES = 600
VALIDATION_IMAGES = 200
VALIDATION_SHARE = 0.2  # of the train split at most
TEST_IMAGES = 2000
COMPARED_TEST_IMAGES = 400  # the first so many are what the published small-zoo table measured on


@dataclass(frozen=True)
class Split:
    """Rows of a `LabelledImages`, each int64, and their classes renumbered.

    Attributes:
        train, validation: rows of the train split.
        test: rows of the test split first, then what is left of the train split.
        classes: int64 `[C]`, the dataset's label of each class of the task.
        hash: names dataset revision, rows and classes; two records with one hash used the same images.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    classes: np.ndarray
    hash: str

    def labels(self, images: LabelledImages, rows: np.ndarray) -> np.ndarray:
        """Classes of rows, int64, 0 to C - 1."""
        return np.searchsorted(self.classes, images.labels[rows])


@dataclass(frozen=True)
class SplitSizes:
    """At most so many images and classes; `classes=None` is the first `MAX_CLASSES` that have enough images."""

    train: int = TRAIN_IMAGES
    validation: int = VALIDATION_IMAGES
    test: int = TEST_IMAGES
    max_classes: int = MAX_CLASSES


def draw_split(images: LabelledImages, seed: int, sizes: SplitSizes | None = None) -> Split:
    """Draws the images of one run; a class needs two train-split images and one image to test on.

    Raises:
        UserError: fewer than two such classes.
    """
    sizes = sizes or SplitSizes()
    classes = _usable_classes(images)[: sizes.max_classes]
    if len(classes) < 2:
        raise UserError(
            f"{images.id} has {len(classes)} class with enough images to train, validate and test on",
            "Name a dataset with at least two classes of four images each.",
        )
    rng = np.random.default_rng([seed, 5])
    of_task = np.isin(images.labels, classes)
    pool = np.flatnonzero(of_task & ~images.in_test)
    own_test = np.flatnonzero(of_task & images.in_test)
    if len(own_test) == 0:  # no test split: a quarter of each class stands for it
        own_test = balanced_rows(images.labels, pool, len(pool) // 4, np.random.default_rng([0, 5]))
        pool = np.setdiff1d(pool, own_test)
    count = min(sizes.validation, int(VALIDATION_SHARE * len(pool)))
    validation = balanced_rows(images.labels, pool, max(count, 1), rng)
    rest = np.setdiff1d(pool, validation)
    train = balanced_rows(images.labels, rest, sizes.train, rng)
    left = rng.permutation(np.setdiff1d(rest, train))
    test = np.concatenate([_spread(images.labels, own_test), left])[: sizes.test]
    return Split(train, validation, test, classes, _hash(images.revision, train, validation, test, classes))


def _usable_classes(images: LabelledImages) -> np.ndarray:
    """Labels with at least four images, two of them outside the test split, in order."""
    found, counts = np.unique(images.labels, return_counts=True)
    in_train = np.asarray([(images.labels[~images.in_test] == label).sum() for label in found])
    return found[(counts >= 4) & (in_train >= 2)]


def classes_left_out(images: LabelledImages) -> tuple[str, ...]:
    """Names of classes that have images, but too few of them to train, validate and test on."""
    left = np.setdiff1d(images.labels, _usable_classes(images))
    return tuple(images.class_names[label] for label in left)


def balanced_rows(labels: np.ndarray, pool: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` rows of a pool, sorted: class after class gives one image until there are enough or none is left.

    Args:
        labels: int64 of all rows.
        pool: rows to draw from.
    """
    shuffled = rng.permutation(pool)
    turn = np.empty(len(shuffled), dtype=np.int64)  # how many images of its class come before an image
    for label in np.unique(labels[shuffled]):
        own = labels[shuffled] == label
        turn[own] = np.arange(own.sum())
    order = np.lexsort((rng.random(len(shuffled)), turn))
    return np.sort(shuffled[order[:count]])


def _spread(labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of a test split in an order that any first part of shows all classes; the same for every seed."""
    return np.random.default_rng([0, 6]).permutation(rows)


def _hash(revision: str, *parts: np.ndarray) -> str:
    digest = hashlib.sha256(revision.encode())
    for part in parts:
        digest.update(part.astype(np.int64).tobytes())
        digest.update(b"|")
    return digest.hexdigest()[:16]
