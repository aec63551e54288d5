"""LFC: label-feature correlation, the cosine of the features' and the labels' kernel matrices.

Source: Deshpande, Achille, Ravichandran, Li, Zancato, Fowlkes, Bhotika, Soatto, Perona, "A linearized framework and a
new benchmark for model selection for fine-tuning" (2021), section 4: K = F F', Y = +1 for the same class and -1
otherwise, both minus their means.

Default: features centred and each row at unit length (otherwise a few long rows decide), and pairs of different
images only. From sums and one Gram matrix, so no N x N matrix is held where D is smaller; in float32 where the
features are.

Public implementation (`model-spider`): raw features, the diagonal included; higher is better.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import UserError

from .classes import centre, centre_single, class_sums, gram, unit_rows
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """Correlation of pairwise cosine similarity and label agreement over different images, in [-1, 1]."""
    features = inputs.features
    rows = centre_single(features)[0] if features.dtype == np.float32 else centre(features)
    rows = unit_rows(rows, overwrite=True)
    return _correlation(rows, inputs.labels, inputs.num_classes, diagonal=False)


def _correlation(rows: Array, labels: Array, num_classes: int, diagonal: bool) -> float:
    """Pearson correlation over the pairs of the kernel `XX'` and the indicator of the same class."""
    squares, own = gram(rows), np.einsum("ij,ij->i", rows, rows)
    sums = class_sums(rows, labels, num_classes)
    total = sums.sum(axis=0, dtype=np.float64)
    pairs, agreeing = float(len(rows)) ** 2, float((np.bincount(labels).astype(np.float64) ** 2).sum())
    kernel, kernel_squares = float(total @ total), float(np.einsum("ij,ij->i", squares, squares).sum(dtype=np.float64))
    product = float(np.vdot(sums, sums))
    if not diagonal:
        pairs, agreeing = pairs - len(rows), agreeing - len(rows)
        kernel, product = kernel - own.sum(), product - own.sum()
        kernel_squares -= float(own @ own)
    covariance = product - kernel * agreeing / pairs
    variances = (kernel_squares - kernel**2 / pairs) * (agreeing - agreeing**2 / pairs)
    if variances <= 0:
        raise UserError("lfc: every pair of images is equally alike in these features", "leave this model out")
    return float(covariance / np.sqrt(variances))


def parity(inputs: Inputs, implementation: str) -> float:
    """What the public implementation returns: raw features, diagonal included."""
    return _correlation(inputs.features.astype(np.float64), inputs.labels, inputs.num_classes, diagonal=True)
