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
