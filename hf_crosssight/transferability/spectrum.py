"""The spectrum of a feature matrix and of targets seen in it, by the cheapest route that is accurate enough.

Ridge regressions at every strength, and so LogME's evidence and H-scores, need only the squared singular values of X
and the squared projections of the targets on its left singular vectors. The Gram route (one symmetric product and
its eigenvectors) squares the condition number, so it is taken where that number is below 1e6 and a QR followed by an
SVD of the triangle otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from .inputs import Array

# Condition number of X (not of X'X) up to which eigenvalues of the Gram matrix give the evidence to 1e-8.
GRAM_CONDITION = 1e6


@dataclass(frozen=True)
class Spectrum:
    """X = U S V' and targets T.

    Args:
        sigma: `[k]` squared singular values, those of rounding size left out.
        projected: `[k, T]`, `(U'T)^2`.
        residual: `[T]`, the part of `|t|^2` outside the span of X; exactly zero where X spans everything.
        energy: `[T]`, `|t|^2`.
        route: "gram" or "qr-svd".
    """

    sigma: Array
    projected: Array
    residual: Array
    energy: Array
    route: str


def spectrum(features: Array, targets: Array, condition: float = GRAM_CONDITION, centred: bool = False) -> Spectrum:
    """The `Spectrum` of features `[N, D]` (float64) and targets `[N, T]`.

    `centred` says that the rows sum to zero: where there are no more rows than columns, one singular value is then
    zero by construction and is left out before the condition number is looked at.

    Columns of zeros (dead units) change nothing in it and are dropped first, so that they do not force the slow route.
    """
    alive = features.any(axis=0)
    rows = features if alive.all() else features[:, alive]
    found = _by_gram(rows, targets, condition, centred)
    if found is None:
        sigma, coordinates = _by_qr(rows, targets)
        route = "qr-svd"
    else:
        sigma, coordinates = found
        route = "gram"
    floor = (np.finfo(np.float64).eps * max(rows.shape)) ** 2 * sigma.max()
    kept = sigma > floor
    projected = coordinates[kept] ** 2
    energy = np.einsum("nt,nt->t", targets, targets)
    residual = np.maximum(energy - projected.sum(axis=0), 0.0)
    if len(projected) == len(rows):  # they span every target: what is left is rounding
        residual = np.zeros_like(energy)
    return Spectrum(sigma[kept], projected, residual, energy, route)


def _by_gram(rows: Array, targets: Array, condition: float, centred: bool) -> tuple[Array, Array] | None:
    """Squared singular values and `U'T` from the smaller Gram matrix, or None where it is too ill conditioned."""
    tall = rows.shape[0] >= rows.shape[1]
    product = rows.T @ rows if tall else rows @ rows.T
    values, vectors = linalg.eigh(product, overwrite_a=True, check_finite=False, driver="evd")
    if centred and len(rows) <= rows.shape[1]:
        values, vectors = values[1:], vectors[:, 1:]
    if values[0] * condition**2 <= values[-1]:
        return None
    if tall:
        return values, (vectors.T @ (rows.T @ targets)) / np.sqrt(values)[:, None]
    return values, vectors.T @ targets


def _by_qr(rows: Array, targets: Array) -> tuple[Array, Array]:
    """The same through QR of the taller of X and X', then an SVD of the triangle: no squared condition number."""
    if rows.shape[0] >= rows.shape[1]:
        within, triangle = linalg.qr_multiply(rows, targets.T, mode="right")
        left, singular, _ = linalg.svd(triangle, full_matrices=False, check_finite=False)
        return singular**2, left.T @ within.T
    triangle = linalg.qr(rows.T, mode="r", check_finite=False)[0][: rows.shape[0]]
    left, singular, _ = linalg.svd(triangle.T, full_matrices=False, check_finite=False)
    return singular**2, left.T @ targets
