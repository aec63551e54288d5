"""H-score: how much of the features' variation, in units of their own covariance, lies between the classes.

Source: Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas, "An information-theoretic approach to transferability in task
transfer learning" (ICIP 2019), definition 2: trace(cov(f)^-1 cov(E[f | y])).

Default: that trace in float64, on the leading (N-1)/2 principal components where the features have more. The whole
trace equals C-1 for EVERY model once D >= N-1, and is close to it before; with at most half as many directions as
images chance alone explains half of C-1, and the score still tells models apart. With D <= (N-1)/2 it is the
published value.

Public implementations work in the input's precision: `model-spider` and `tllib` (= dataiku; covariance in float64)
are the trace with numpy's pinv; `parc` standardises first; `parc-32` projects on 32 randomised components before;
`pactran` adds 1e-6 to the scatter and has the OPPOSITE SIGN (lower is better).
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import alive_columns, centre, class_means, one_hot
from .inputs import Array, Inputs
from .parc import public_components, public_standardise
from .spectrum import GRAM_CONDITION, spectrum


def score(inputs: Inputs) -> float:
    """Trace of cov(f)^-1 cov(E[f | y]) on at most (N-1)/2 components; between 0 and C-1."""
    rows = alive_columns(centre(inputs.features, overwrite=True))
    limit = max(1, (len(rows) - 1) // 2)
    means, counts = class_means(rows, inputs.labels, inputs.num_classes)
    if rows.shape[1] <= limit:
        found = _by_cholesky(rows, means * np.sqrt(counts)[:, None])
        if found is not None:
            return found
    targets = one_hot(inputs.labels, inputs.num_classes) / np.sqrt(counts)
    seen = spectrum(rows, targets, centred=True)
    leading = np.argsort(seen.sigma)[::-1][:limit]
    return float(seen.projected[leading].sum())


def _by_cholesky(rows: Array, between: Array) -> float | None:
    """The trace by one factorisation, or None where the scatter is too ill conditioned for it."""
    scatter = rows.T @ rows
    norm = np.abs(scatter).sum(axis=0).max()
    factor, failed = linalg.lapack.dpotrf(scatter, lower=1, overwrite_a=1)
    if failed or linalg.lapack.dpocon(factor, norm, uplo="L")[0] < 1.0 / GRAM_CONDITION**2:
        return None
    solved = linalg.solve_triangular(factor, between.T, lower=True, check_finite=False)
    return float(np.vdot(solved, solved))


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns."""
    rows, labels = inputs.features, inputs.labels
    if implementation == "pactran":
        return -_pactran(rows, labels)
    if implementation == "parc-32":
        rows = public_components(rows, 32)
    if implementation.startswith("parc"):
        rows = public_standardise(rows)
    if implementation == "tllib":
        covariance = np.cov(rows, rowvar=False)
        between = np.cov(_class_mean_rows(rows, labels), rowvar=False)
    else:
        covariance, between = _covariance(rows), _covariance(_class_mean_rows(rows, labels))
    return float(np.trace(np.linalg.pinv(covariance, rcond=1e-15) @ between))


def _class_mean_rows(rows: Array, labels: Array) -> Array:
    replaced = np.zeros_like(rows)
    for label in np.unique(labels):
        replaced[labels == label] = rows[labels == label].mean(axis=0)
    return replaced


def _covariance(rows: Array) -> Array:
    centred = rows - rows.mean(axis=0, keepdims=True)
    return np.divide(centred.T @ centred, len(rows) - 1)


def _pactran(rows: Array, labels: Array) -> float:
    centred = rows - rows.mean(axis=0, keepdims=True)
    scatter = centred.T @ centred + 1e-6 * np.eye(rows.shape[1])
    members = one_hot(labels, int(labels.max()) + 1)
    sums = members.T @ centred
    means = sums / (members.sum(axis=0) + 1e-10)[:, None]
    return float(np.trace(np.linalg.pinv(scatter) @ (sums.T @ means)))
