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

from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """Minus the leave-one-out squared error over the target's energy."""
    targets = _standardise(inputs.label_embeddings[inputs.labels])
    left, sigma = _left_vectors(_standardise(inputs.features))
    kinds = targets.shape[2]
    weights, error = np.full(kinds, 1.0 / kinds), 0.0
    for _ in range(20):
        mixed = targets @ weights
        fit, error = _leave_one_out_ridge(left, sigma, mixed)
        flat = targets.reshape(-1, kinds)
        moved = _simplex_least_squares(flat, fit.ravel())
        if np.abs(moved - weights).max() < 1e-6:
            break
        weights = moved
    return -error


def _left_vectors(rows: Array) -> tuple[Array, Array]:
    """Left singular vectors `[N, k]` and squared singular values `[k]`."""
    count, dims = rows.shape
    if count > dims:
        values, right = np.linalg.eigh(rows.T @ rows)
        kept = values > values[-1] * 1e-12
        return rows @ right[:, kept] / np.sqrt(values[kept]), values[kept]
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = values > values[-1] * 1e-12
    return vectors[:, kept], values[kept]


def _leave_one_out_ridge(left: Array, sigma: Array, targets: Array) -> tuple[Array, float]:
    """The ridge fit `[N, E]` of the strength with the least leave-one-out error, and that error over the energy."""
    projected, energy = left.T @ targets, float(np.vdot(targets, targets))
    best_fit, best_error = np.zeros_like(targets), np.inf
    for strength in sigma.max() * np.logspace(-6, 2, 17):
        gain = sigma / (sigma + strength)
        leverage = (left**2) @ gain
        fit = left @ (gain[:, None] * projected)
        # One more share for the column means that standardising has taken out of every row.
        room = np.maximum(1.0 - leverage - 1.0 / len(left), 1e-6)
        error = float((((targets - fit) / room[:, None]) ** 2).sum()) / energy
        if error < best_error:
            best_fit, best_error = fit, error
    return best_fit, best_error


def _simplex_least_squares(columns: Array, target: Array) -> Array:
    """Weights >= 0 that sum to one and minimise |columns w - target|^2 (non-negative least squares, penalised sum)."""
    from scipy.optimize import nnls

    squares, product = columns.T @ columns, columns.T @ target
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
