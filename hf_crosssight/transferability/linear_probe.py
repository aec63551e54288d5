"""Linear probe: held-out accuracy of a multinomial logistic regression on the frozen features.

Five stratified folds (fewer where the largest class is smaller), shuffled by `seed`; in each, the features are
standardised by the training part and scikit-learn's `LogisticRegression` (L2, C = 1, at most 1,000 rounds) is fitted.
A training part without two classes, or without a feature that varies in it, predicts its most frequent class.

Default: where features outnumber images, the regression is fitted on the training images' principal coordinates. The
penalty does not see a rotation, so the optimum is the same and the cost that of N, not D, columns.

Parity (`scikit-learn`): `cross_val_score` of the same pipeline.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .classes import standardise
from .inputs import Array, Inputs

_FOLDS = 5


def score(inputs: Inputs) -> float:
    """Mean held-out accuracy over the folds, in [0, 1]."""
    rows, labels = inputs.features, inputs.labels
    accuracies = []
    with warnings.catch_warnings():
        # A class smaller than the number of folds is missing from some: that is known.
        warnings.simplefilter("ignore", UserWarning)
        folds = list(_folds(labels, inputs.seed).split(rows, labels))
    for train, test in folds:
        fitted, held_out = _coordinates(rows[train], rows[test])
        accuracies.append(_accuracy(fitted, labels[train], held_out, labels[test]))
    return float(np.mean(accuracies))


def _folds(labels: Array, seed: int) -> Any:
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(min(_FOLDS, int(np.bincount(labels).max())), shuffle=True, random_state=seed)


def _coordinates(train: Array, test: Array) -> tuple[Array, Array]:
    """Standardised training and held-out rows, rotated into the span of the training rows where that is smaller."""
    spread = train.std(axis=0)
    held_out = (test - train.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    rows = standardise(train)
    if rows.shape[1] <= len(rows):
        return rows, held_out
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = values > values[-1] * 1e-12
    left, singular = vectors[:, kept], np.sqrt(values[kept])
    return left * singular, held_out @ (rows.T @ (left / singular))


def _accuracy(train: Array, train_labels: Array, test: Array, test_labels: Array) -> float:
    from sklearn.exceptions import ConvergenceWarning

    counts = np.bincount(train_labels)
    if train.shape[1] == 0 or np.count_nonzero(counts) == 1:
        # Nothing to learn from: the most frequent class is what any regression would say.
        return float((test_labels == counts.argmax()).mean())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(_regression().fit(train, train_labels).score(test, test_labels))


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=1000)


def parity(inputs: Inputs, implementation: str) -> float:
    """What scikit-learn's own cross validation of the pipeline returns."""
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = _folds(inputs.labels, inputs.seed)
    pipeline = make_pipeline(StandardScaler(), _regression())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(cross_val_score(pipeline, inputs.features, inputs.labels, cv=folds).mean())
