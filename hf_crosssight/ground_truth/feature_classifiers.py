"""Classifiers on fixed features: nearest neighbours, logistic regression and a closed-form ridge head."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from .recipes import NEIGHBOURS, REGULARISATIONS


@dataclass(frozen=True)
class TaskFeatures:
    """Features and classes of a task: `train`, `validation` and `test`, each float32 `[N, D]` and int64 `[N]`."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def knn_predictions(
    train: tuple[np.ndarray, np.ndarray], features: np.ndarray, neighbours: int = NEIGHBOURS
) -> np.ndarray:
    """Classes by the `neighbours` nearest training images, each voting with its cosine similarity; int64 `[N]`."""
    known, labels = _unit(train[0]), train[1]
    similarity = _unit(features) @ known.T
    count = min(neighbours, len(known))
    nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    votes = np.zeros((len(features), int(labels.max()) + 1), dtype=np.float64)
    weights = np.take_along_axis(similarity, nearest, axis=1) + 1.0  # cosines of -1 to 1 as votes of 0 to 2
    np.add.at(votes, (np.arange(len(features))[:, None], labels[nearest]), weights)
    return votes.argmax(1)


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def head_predictions(task: TaskFeatures) -> tuple[np.ndarray, float, float]:
    """Logistic regression on standardised features: test predictions, the C chosen on validation, its accuracy there.

    Raises:
        ValueError: features that are not finite.
    """
    from sklearn.linear_model import LogisticRegression

    centre, scale = task.train[0].mean(0), task.train[0].std(0)
    scale = np.where(scale > 1e-6 * max(float(scale.max()), 1e-12), scale, np.inf)  # a constant feature says nothing
    train, validation, test = ((part[0] - centre) / scale for part in (task.train, task.validation, task.test))
    best: tuple[float, float, LogisticRegression] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopping after max_iter is part of the protocol
        for strength in REGULARISATIONS:
            model = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(train, task.train[1])
            accuracy = float((model.predict(validation) == task.validation[1]).mean())
            if best is None or accuracy > best[0]:
                best = (accuracy, strength, model)
    assert best is not None
    return best[2].predict(test), best[1], best[0]


def ridge_predictions(train: tuple[np.ndarray, np.ndarray], features: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Closed-form ridge regression onto one-hot classes, features standardised; int64 `[N]`.

    The penalty is `strength` times the mean eigenvalue of the features' Gram matrix.
    """
    known, labels = train
    centre, scale = known.mean(0), np.maximum(known.std(0), 1e-6)
    x, targets = (known - centre) / scale, np.eye(int(labels.max()) + 1)[labels]
    offset = targets.mean(0)
    penalty = strength * len(x)
    if len(x) <= x.shape[1]:  # the smaller of the two systems gives the same weights
        weights = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), targets - offset)
    else:
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (targets - offset))
    return (((features - centre) / scale) @ weights + offset).argmax(1)


@dataclass(frozen=True)
class Quality:
    """How right predictions are: shares of 1, the last three as means over the classes that are there to be found."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def quality(predicted: np.ndarray, labels: np.ndarray) -> Quality:
    """Accuracy, and macro precision, recall and F1; a class that is never predicted has precision 0."""
    classes = np.unique(labels)
    hit = predicted == labels
    true = np.asarray([(hit & (labels == c)).sum() for c in classes], dtype=float)
    called = np.asarray([(predicted == c).sum() for c in classes], dtype=float)
    there = np.asarray([(labels == c).sum() for c in classes], dtype=float)
    precision, recall = true / np.maximum(called, 1), true / there
    f1 = np.where(true > 0, 2 * true / (called + there), 0.0)
    return Quality(*(float(value) for value in (hit.mean(), precision.mean(), recall.mean(), f1.mean())))
