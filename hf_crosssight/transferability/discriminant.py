"""Regularised linear discriminant analysis: what SFDA, NCTI and ETran share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from .classes import class_means, gram, ledoit_wolf
from .inputs import Array


@dataclass(frozen=True)
class Discriminant:
    """What the analysis says of the images it was fitted on.

    Args:
        posteriors: `[N, C]`, each image's with itself left out of its class' mean and scatter.
        fitted: `[N, C]`, those of the fit that has seen the image.
        means: `[C, D]` class means.
        shrinkage: the s of A = (1-s) Sw + s mean variance I.
    """

    posteriors: Array
    fitted: Array
    means: Array
    shrinkage: float


def shrunk_discriminant(rows: Array, labels: Array, num_classes: int, shrinkage: float | None = None) -> Discriminant:
    """Linear discriminant analysis with the within-class covariance shrunk as Ledoit and Wolf do, or by `shrinkage`.

    Leaving an image out is a rank-one change of A, so all N posteriors cost little more than one fit (without it,
    features that outnumber the images fit any labels, and all models look perfect). An image alone in its class gets
    a posterior of zero for it. Works on the smaller side: D x D, or N x N where images are fewer than features.
    """
    means, counts = class_means(rows, labels, num_classes)
    residual = rows - means[labels]
    squares = gram(residual)
    if shrinkage is None:
        shrinkage = max(ledoit_wolf(residual, squares), 1e-6)
    # Measured from the overall mean, so that large common offsets do not cost digits.
    overall = rows.mean(axis=0)
    centred, gaps = rows - overall, means - overall
    own, across, between = _products(residual, squares, shrinkage, centred, gaps)
    distances = own[:, None] - 2.0 * across + np.diagonal(between)
    log_shares = np.log(counts / len(rows))
    left_out = _left_out(distances, own, across, between, labels, counts, shrinkage)
    return Discriminant(softmax(log_shares - 0.5 * left_out), softmax(log_shares - 0.5 * distances), means, shrinkage)


def _left_out(
    distances: Array, own: Array, across: Array, between: Array, labels: Array, counts: Array, shrinkage: float
) -> Array:
    """Squared Mahalanobis distances `[N, C]` to the class means, each image left out of its class."""
    rows = np.arange(len(labels))
    size = counts[labels]
    alone = size < 2
    grown = np.where(alone, 1.0, size / np.maximum(size - 1.0, 1.0))
    weight = np.where(alone, 0.0, (1.0 - shrinkage) / len(labels) * grown)
    inner = distances[rows, labels]
    cross = own[:, None] - across - across[rows, labels][:, None] + between[labels]
    # Positive in exact arithmetic, since the scatter without the image is still a scatter.
    room = np.maximum(1.0 - weight * inner, 1e-9)
    moved = distances + (weight / room)[:, None] * cross**2
    moved[rows, labels] = np.where(alone, np.inf, grown**2 * inner / room)
    return np.asarray(moved)


def _products(
    residual: Array, squares: Array, shrinkage: float, rows: Array, gaps: Array
) -> tuple[Array, Array, Array]:
    """x'A^-1 x `[N]`, x'A^-1 m `[N, C]` and m'A^-1 m `[C, C]` for A = (1-s) R'R/N + s mean variance I."""
    count, dims = residual.shape
    scale = (1.0 - shrinkage) / count
    ridge = shrinkage * float(np.einsum("ij,ij->", residual, residual)) / count / dims
    # Repeated rows leave no scatter within the classes: plain distance remains.
    ridge = max(ridge, 1e-12 * float(np.einsum("ij,ij->", rows, rows)) / count / dims)
    # No scatter at all leaves all distances zero, and the class shares decide.
    ridge = max(ridge, 1e-300)
    ridged = scale * squares
    ridged.flat[:: len(ridged) + 1] += ridge
    factor = linalg.cholesky(ridged, lower=True, overwrite_a=True, check_finite=False)
    if count >= dims:
        half = linalg.solve_triangular(factor, rows.T, lower=True, check_finite=False)
        half_gaps = linalg.solve_triangular(factor, gaps.T, lower=True, check_finite=False)
        return np.einsum("dn,dn->n", half, half), half.T @ half_gaps, half_gaps.T @ half_gaps
    half = linalg.solve_triangular(factor, residual @ rows.T, lower=True, check_finite=False)
    half_gaps = linalg.solve_triangular(factor, residual @ gaps.T, lower=True, check_finite=False)
    own = np.einsum("nd,nd->n", rows, rows) - scale * np.einsum("dn,dn->n", half, half)
    across, between = rows @ gaps.T - scale * (half.T @ half_gaps), gaps @ gaps.T - scale * (half_gaps.T @ half_gaps)
    return own / ridge, across / ridge, between / ridge


def softmax(logits: Array) -> Array:
    """Row-wise softmax."""
    from scipy.special import softmax as scipy_softmax

    return np.asarray(scipy_softmax(logits, axis=1))
