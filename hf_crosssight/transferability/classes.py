"""Sums, means and scatter by class: the few quantities that most methods are made of."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .inputs import Array


def one_hot(labels: Array, num_classes: int) -> Array:
    """`[N]` class numbers as a float64 indicator matrix `[N, C]`."""
    table = np.zeros((len(labels), num_classes))
    table[np.arange(len(labels)), labels] = 1.0
    return table


def class_sums(rows: Array, labels: Array, num_classes: int) -> Array:
    """Sum of the rows of each class, `[C, D]`, in one pass over the rows."""
    count = len(labels)
    indicator = sparse.csr_array((np.ones(count), (labels, np.arange(count))), shape=(num_classes, count))
    return np.asarray(indicator @ rows)


def class_rows(labels: Array, num_classes: int) -> list[Array]:
    """The row numbers of each class, ascending."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels, minlength=num_classes))[:-1])


def class_means(rows: Array, labels: Array, num_classes: int) -> tuple[Array, Array]:
    """Mean row of each class `[C, D]` and the class sizes `[C]` as floats; every class must have a row."""
    counts = np.bincount(labels, minlength=num_classes).astype(np.float64)
    return class_sums(rows, labels, num_classes) / counts[:, None], counts


def gram(rows: Array) -> Array:
    """The smaller of `X'X` `[D, D]` and `XX'` `[N, N]`: both have the same non-zero eigenvalues."""
    return rows.T @ rows if rows.shape[0] >= rows.shape[1] else rows @ rows.T


def total_variance(centred: Array) -> float:
    """Trace of the 1/N covariance of centred rows."""
    return float(np.einsum("ij,ij->", centred, centred) / len(centred))


def centre(rows: Array, overwrite: bool = False) -> Array:
    """Rows minus their mean; columns that never change become exact zeros instead of rounding noise.

    `overwrite` writes into `rows`: half the time of large features goes into a second copy of them.
    """
    # Three rows settle it for nearly all columns.
    constant = np.flatnonzero((rows[0] == rows[-1]) & (rows[0] == rows[len(rows) // 2]))
    if len(constant):
        constant = constant[(rows[:, constant] == rows[0, constant]).all(axis=0)]
    centred = np.subtract(rows, rows.mean(axis=0), out=rows if overwrite else None)
    centred[:, constant] = 0.0
    return centred


def centre_single(features: Array) -> tuple[Array, float]:
    """Centred rows in float32, divided by a scale at which their squares neither overflow nor vanish."""
    mean = features.mean(axis=0, dtype=np.float64)
    scale = float(max(np.abs(features.max(axis=0) - mean).max(), np.abs(features.min(axis=0) - mean).max()))
    rows = np.empty(features.shape, dtype=np.float32)
    np.subtract(features, mean.astype(features.dtype), out=rows, casting="unsafe")
    if not 1e-10 < scale < 1e10:
        np.divide(features - mean, scale, out=rows, casting="unsafe")
        return rows, scale
    return rows, 1.0


def standardise(rows: Array, overwrite: bool = False) -> Array:
    """Centred rows with every column at unit variance; constant columns become zeros."""
    centred = centre(rows, overwrite)
    spread = np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(rows))
    centred /= np.where(spread > 0, spread, 1.0)
    return centred


def unit_rows(rows: Array, overwrite: bool = False) -> Array:
    """Rows at length one; rows of zeros stay zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.divide(rows, np.where(norms > 0, norms, 1.0), out=rows if overwrite else None)


def alive_columns(rows: Array) -> Array:
    """The rows without the columns that are zero throughout."""
    dead = np.flatnonzero((rows[0] == 0) & (rows[-1] == 0))
    dead = dead[~rows[:, dead].any(axis=0)]
    return np.delete(rows, dead, axis=1) if len(dead) else rows


def ledoit_wolf(centred: Array, squares: Array) -> float:
    """Ledoit and Wolf's (2004) shrinkage of the 1/N covariance towards the identity, in [0, 1].

    `squares` is the Gram matrix of the centred rows, on whichever side: only its Frobenius norm is used. A single
    column has nothing to be shrunk towards, as scikit-learn has it.
    """
    count, dims = centred.shape
    if dims == 1:
        return 0.0
    norms = np.einsum("ij,ij->i", centred, centred)
    mu = norms.sum() / count / dims
    frobenius = float(np.vdot(squares, squares)) / count**2
    beta = (float((norms**2).sum()) / count - frobenius) / (dims * count)
    delta = (frobenius - mu**2 * dims) / dims
    if beta <= 0 or delta <= 0:
        return 0.0 if beta <= 0 else 1.0
    return min(beta, delta) / delta
