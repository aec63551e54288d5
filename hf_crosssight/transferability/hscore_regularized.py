"""Regularised H-score: the H-score with the feature covariance shrunk towards the identity.

Source: Ibrahim, Ponomareva, Mazumder, "Newer is not always better: rethinking transferability metrics, their
peculiarities, stability and performance" (ECML-PKDD 2022), section 3: (1-s) trace(A^-1 cov(E[f | y])) with
A = (1-s) cov + s mu I and the shrinkage s of Ledoit and Wolf. It tells models apart where the plain score saturates.

Where images are few for what varies, the shrinkage is 1 and the score 0, as by the formula: such models tie.

Default: that formula, by one Cholesky factorisation on the smaller side (D x D, or N x N where images are fewer).

Public implementations: `tllib` (= dataiku) is the same number; `transformer-ranker` passes the class sizes through a
float32 square root (2e-8 relative).
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import alive_columns, centre, class_means, gram, ledoit_wolf, one_hot
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """(1-s) trace(A^-1 cov(E[f | y])); cov with 1/N in A and 1/(N-1) between classes."""
    return _trace(inputs, np.bincount(inputs.labels, minlength=inputs.num_classes).astype(np.float64))


def _trace(inputs: Inputs, sizes: Array) -> float:
    """The score with the between-class covariance weighted by `sizes` [C]."""
    # A copy in any case: parity hands over the caller's own array.
    rows = alive_columns(centre(inputs.features.astype(np.float64), overwrite=True))
    # The score knows no unit, but fourth powers of the features must stay numbers; a power of two loses no bit.
    rows *= 2.0 ** -np.frexp(np.abs(rows).max(initial=1e-300))[1]
    count, dims = len(rows), inputs.features.shape[1]
    squares = gram(rows)
    shrinkage, mean_variance = _with_dead_columns(rows, squares, dims)
    ridge = shrinkage * mean_variance
    if count >= rows.shape[1]:
        means, _ = class_means(rows, inputs.labels, inputs.num_classes)
        weighted = (means * np.sqrt(sizes)[:, None]).T
        total = _quadratic((1.0 - shrinkage) / count * squares, ridge, weighted)
    else:
        # m_c = X'a_c, and X (a X'X + b I)^-1 X' = (1 - b (a XX' + b I)^-1) / a.
        averages = one_hot(inputs.labels, inputs.num_classes) / np.bincount(inputs.labels)
        weighted = averages * np.sqrt(sizes)
        scale = (1.0 - shrinkage) / count
        if scale == 0.0:
            return 0.0
        whole = float(np.vdot(weighted, weighted))
        total = (whole - ridge * _quadratic(scale * squares, ridge, weighted)) / scale if ridge > 0 else whole / scale
    return (1.0 - shrinkage) * total / (count - 1)


def _with_dead_columns(rows: Array, squares: Array, dims: int) -> tuple[float, float]:
    """Ledoit and Wolf's shrinkage and mean variance over all `dims` columns, the constant ones included."""
    if rows.shape[1] < dims:
        rows = np.pad(rows, ((0, 0), (0, dims - rows.shape[1])))
    return ledoit_wolf(rows, squares), float(np.einsum("ij,ij->", rows, rows)) / len(rows) / dims


def _quadratic(matrix: Array, ridge: float, vectors: Array) -> float:
    """Sum over columns v of v'(matrix + ridge I)^-1 v."""
    ridged = matrix.copy()
    ridged.flat[:: len(ridged) + 1] += ridge
    try:
        factor = linalg.cholesky(ridged, lower=True, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError:
        return float(np.vdot(vectors, linalg.pinvh(ridged) @ vectors))
    solved = linalg.solve_triangular(factor, vectors, lower=True, check_finite=False)
    return float(np.vdot(solved, solved))


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns; higher is better."""
    inputs = inputs.without_gaps()
    sizes = np.bincount(inputs.labels, minlength=inputs.num_classes).astype(np.float64)
    if implementation == "transformer-ranker":
        sizes = np.sqrt(sizes.astype(np.float32)).astype(np.float64) ** 2
    return _trace(inputs, sizes)
