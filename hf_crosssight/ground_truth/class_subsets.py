"""Class-subset tasks: some classes of a dataset, relabelled by running every model on them, to train rankers on.

The results are real ones on the subset, not the ranks of the whole dataset copied. They cost no forward pass: pooled
features of the dataset are cut to the classes of the task and classified by nearest neighbours and a ridge head.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .feature_classifiers import knn_predictions, ridge_predictions
from .labelled_images import LabelledImages
from .splits import Split

FEWEST_TRAIN, MOST_TEST = 10, 500
RECIPES = ("knn-subsets", "ridge-subsets")


@dataclass(frozen=True)
class SubsetTask:
    """One task.

    Attributes:
        id: `dataset#number`.
        classes: the dataset's labels, int64 `[C]`, sorted.
        train, test: rows of the dataset, int64.
    """

    id: str
    classes: np.ndarray
    train: np.ndarray
    test: np.ndarray


def subset_tasks(images: LabelledImages, split: Split, count: int) -> list[SubsetTask]:
    """Different subsets of two or more classes, at most `count`: a dataset of two classes has none of its own.

    The same dataset gives the same tasks always. Training images are those of the split and of these classes.
    """
    rng = np.random.default_rng([zlib.crc32(images.id.encode()), len(split.classes)])
    labels_of_train, labels_of_test = images.labels[split.train], images.labels[split.test]
    found: dict[tuple[int, ...], SubsetTask] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        size = int(rng.integers(2, max(3, len(split.classes))))
        chosen = np.sort(rng.choice(split.classes, min(size, len(split.classes)), replace=False))
        train = split.train[np.isin(labels_of_train, chosen)]
        test = split.test[np.isin(labels_of_test, chosen)][:MOST_TEST]
        key = tuple(chosen.tolist())
        is_new = key not in found and len(chosen) < len(split.classes)
        if is_new and len(train) >= FEWEST_TRAIN and len(np.unique(images.labels[test])) == len(chosen):
            found[key] = SubsetTask(f"{images.id}#{len(found):03}", chosen, train, test)
    return list(found.values())


def subset_accuracies(features: np.ndarray, labels: np.ndarray, tasks: Sequence[SubsetTask]) -> dict[str, list[float]]:
    """Accuracy of one model on each task, by recipe.

    Args:
        features: `[N, D]`, N all images of the dataset.
        labels: int64 `[N]`, the dataset's own.
    """
    accuracies: dict[str, list[float]] = {recipe: [] for recipe in RECIPES}
    for task in tasks:
        train = features[task.train].astype(np.float32), np.searchsorted(task.classes, labels[task.train])
        test, truth = features[task.test].astype(np.float32), np.searchsorted(task.classes, labels[task.test])
        for recipe, predicted in zip(
            RECIPES, (knn_predictions(train, test), ridge_predictions(train, test)), strict=True
        ):
            accuracies[recipe].append(float((predicted == truth).mean()))
    return accuracies
