"""EMMS: how well the features predict a mixture of the label texts' embeddings.

Source: Meng, Shao, Peng, Jiang, Zhang, Qiao, Luo, "Foundation model is efficient multimodal multitask model selector"
(NeurIPS 2023), equation 3 and algorithm 1: K embeddings of every label, a mixture of them with weights on the simplex
fitted by alternating with least squares from the features, and minus the squared error as the score.

Default: both steps alternate until the weights rest (at most 20 rounds); the regression is a ridge whose strength is
chosen by the leave-one-out error, and the score is minus that error as a share of the target's own energy (0 at best,
near -1 where the features say nothing). The published in-sample error is zero, up to rounding, for every model whose
features are at least as many as the images.

Public implementation (`emms`): one round of plain least squares, and the error is MULTIPLIED by the embeddings' size
(an operator precedence slip). Its weights are a sparsemax of an unconstrained solution.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import gram, standardise
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """Minus the leave-one-out squared error over the target's energy.

    The target of an image is that of its class, T w = Q[labels] (R w) with Q [C, p] orthonormal. So the ridge is
    fitted once to the p columns Q[labels], for every strength, and the rounds that follow are of that small size.
    """
    targets = _standardise(inputs.label_embeddings[inputs.labels])
    first = np.unique(inputs.labels, return_index=True)[1]
    by_class = targets[first]
    basis, size, kinds = *np.linalg.qr(by_class.reshape(len(by_class), -1)), by_class.shape[2]
    size = size.reshape(len(size), -1, kinds)
    table = basis[inputs.labels]
    fits, errors = _leave_one_out_ridges(standardise(inputs.features, overwrite=True), table)
    own = table.T @ table
    # T'T of the K embeddings, flattened over images and coordinates.
    squares = np.einsum("pek,pq,qel->kl", size, own, size, optimize=True)
    weights, error = np.full(kinds, 1.0 / kinds), 0.0
    for _ in range(20):
        mixed = size @ weights
        energy = float(np.vdot(mixed, own @ mixed))
        lost = np.array([float(np.vdot(mixed, each @ mixed)) for each in errors]) / energy
        best = int(lost.argmin())
        error = float(lost[best])
        product = np.einsum("pek,pe->k", size, fits[best] @ mixed)
        moved = _simplex_least_squares(squares, product)
        if np.abs(moved - weights).max() < 1e-4:
            break
        weights = moved
    return -error


def _leave_one_out_ridges(rows: Array, table: Array) -> tuple[list[Array], list[Array]]:
    """For each of nine ridge strengths: table'fit and E'E, both `[p, p]`, E the leave-one-out errors of `table`."""
    left, sigma = _left_vectors(rows)
    projected = left.T @ table
    gains = sigma[:, None] / (sigma[:, None] + sigma.max() * np.logspace(-6, 2, 9))
    leverages = (left**2) @ gains
    fits, errors = [], []
    for gain, leverage in zip(gains.T, leverages.T, strict=True):
        fit = left @ (gain[:, None] * projected)
        # One more share for the column means that standardising has taken out of every row.
        room = np.maximum(1.0 - leverage - 1.0 / len(left), 1e-6)
        error = (table - fit) / room[:, None]
        fits.append((projected * gain[:, None]).T @ projected)
        errors.append(error.T @ error)
    return fits, errors


def _left_vectors(rows: Array) -> tuple[Array, Array]:
    """Left singular vectors `[N, k]` and squared singular values `[k]`."""
    values, vectors = linalg.eigh(gram(rows), overwrite_a=True, check_finite=False, driver="evd")
    kept = values > values[-1] * 1e-12
    values, vectors = values[kept], vectors[:, kept]
    return (rows @ (vectors / np.sqrt(values)) if len(rows) >= rows.shape[1] else vectors), values


def _simplex_least_squares(squares: Array, product: Array) -> Array:
    """Weights >= 0 that sum to one and minimise w'squares w - 2 product'w (non-negative, penalised sum)."""
    from scipy.optimize import nnls

    heavy = 1e3 * np.sqrt(np.trace(squares))
    factor = np.linalg.cholesky(squares + 1e-10 * np.trace(squares) * np.eye(len(squares)))
    stacked = np.vstack([factor.T, np.full((1, len(squares)), heavy)])
    weights, _ = nnls(stacked, np.append(np.linalg.solve(factor, product), heavy))
    return np.asarray(weights / weights.sum())


def _standardise(values: Array) -> Array:
    """Columns at mean zero and unit variance as the public code takes them (1e-8 added to the spread)."""
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-8)


def parity(inputs: Inputs, implementation: str) -> float:
    """What the public implementation returns; higher (nearer 0) is better."""
    targets = _standardise(inputs.label_embeddings[inputs.labels])
    rows = _standardise(inputs.features)
    mixed = targets.mean(axis=2)
    fit = rows @ np.linalg.lstsq(rows, mixed, rcond=None)[0]
    free = np.linalg.lstsq(targets.reshape(-1, targets.shape[2]), fit.ravel(), rcond=None)[0]
    chosen = targets @ _sparsemax(free)
    return -float(((fit - chosen) ** 2).sum() / len(rows) * targets.shape[1])


def _sparsemax(values: Array) -> Array:
    """The nearest point of the simplex."""
    ordered = np.sort(values)[::-1]
    steps = np.arange(1, len(values) + 1)
    excess = (np.cumsum(ordered) - 1.0) / steps
    return np.maximum(values - excess[np.flatnonzero(ordered > excess)[-1]], 0.0)
