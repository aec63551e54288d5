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


def centre(rows: Array) -> Array:
    """Rows minus their mean; columns that never change become exact zeros instead of rounding noise."""
    centred = rows - rows.mean(axis=0)
    constant = (rows == rows[0]).all(axis=0)
    if constant.any():
        centred[:, constant] = 0.0
    return centred


def standardise(rows: Array) -> Array:
    """Centred rows with every column at unit variance; constant columns become zeros."""
    centred = centre(rows)
    spread = np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(rows))
    return centred / np.where(spread > 0, spread, 1.0)


def ledoit_wolf(centred: Array, squares: Array) -> float:
    """Ledoit and Wolf's (2004) shrinkage of the 1/N covariance towards the identity, in [0, 1].

    `squares` is the Gram matrix of the centred rows, on whichever side: only its Frobenius norm is used.
    """
    count, dims = centred.shape
    norms = np.einsum("ij,ij->i", centred, centred)
    mu = norms.sum() / count / dims
    frobenius = float(np.vdot(squares, squares)) / count**2
    beta = (float((norms**2).sum()) / count - frobenius) / (dims * count)
    delta = (frobenius - mu**2 * dims) / dims
    if beta <= 0 or delta <= 0:
        return 0.0 if beta <= 0 else 1.0
    return min(beta, delta) / delta
