"""Regularised linear discriminant analysis: what SFDA, NCTI and ETran share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from .classes import class_means, gram, ledoit_wolf
from .inputs import Array


@dataclass(frozen=True)
class Discriminant:
    """Posteriors `[N, C]` of the images the analysis was fitted on, and what it was fitted with.

    Args:
        directions: `[C, D]`, A^-1 times the class means about the overall mean.
        shrinkage: the s of A = (1-s) Sw + s mean variance I.
    """

    posteriors: Array
    means: Array
    directions: Array
    shrinkage: float


def shrunk_discriminant(rows: Array, labels: Array, num_classes: int, shrinkage: float | None = None) -> Discriminant:
    """Linear discriminant analysis with the within-class covariance shrunk as Ledoit and Wolf do, or by `shrinkage`.

    Works on the smaller side: D x D, or N x N where images are fewer than features.
    """
    means, counts = class_means(rows, labels, num_classes)
    residual = rows - means[labels]
    squares = gram(residual)
    if shrinkage is None:
        shrinkage = max(ledoit_wolf(residual, squares), 1e-6)
    overall = rows.mean(axis=0)
    directions = _solve(residual, squares, shrinkage, (means - overall).T).T
    # Measured from the overall mean, so that large common offsets do not cost digits.
    offsets = 0.5 * np.einsum("cd,cd->c", directions, means - overall) - np.log(counts / len(rows))
    return Discriminant(softmax((rows - overall) @ directions.T - offsets), means, directions, shrinkage)


def _solve(residual: Array, squares: Array, shrinkage: float, right: Array) -> Array:
    """A^-1 right with A = (1-s) R'R/N + s mean variance I."""
    count, dims = residual.shape
    scale = (1.0 - shrinkage) / count
    ridge = shrinkage * float(np.einsum("ij,ij->", residual, residual)) / count / dims
    # Repeated rows leave no scatter within the classes: the nearest mean in plain distance remains.
    ridge = max(ridge, np.finfo(np.float64).tiny ** 0.5)
    ridged = scale * squares
    ridged.flat[:: len(ridged) + 1] += ridge
    if count >= dims:
        return np.asarray(linalg.solve(ridged, right, assume_a="pos", check_finite=False))
    inner = linalg.solve(ridged, residual @ right, assume_a="pos", check_finite=False)
    return (right - scale * (residual.T @ inner)) / ridge


def softmax(logits: Array) -> Array:
    """Row-wise softmax."""
    from scipy.special import softmax as scipy_softmax

    return np.asarray(scipy_softmax(logits, axis=1))
