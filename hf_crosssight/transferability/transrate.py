"""TransRate: the coding rate of the features minus that within the classes.

Source: Huang, Huang, Rong, Yang, Wei, "Frustratingly easy transferability estimation" (ICML 2022), equations 3 to 5:
R(Z) = 1/2 log det(I + Z'Z / (n eps)), TrR = R(Z) - R(Z | Y), eps = 1e-4.

Default: R of as many images drawn at random takes the place of R(Z), which is TrR less what the same features give
for shuffled labels. Where a class has fewer images than features its rate is low for want of rank, whatever the
labels: TrR then mostly measures the width of the features, and scaled features even lose by being better separated.
The difference is 0 for features that know nothing of the labels. Features are centred and scaled to a mean squared
norm of one (the rate depends on the scale, which says nothing about a model), the classes weighted by their share of
the images.

Public implementations (`tllib` = dataiku = emms): no scaling, no random images, a plain mean over the classes, and the
products in the input's precision: with float32 features the 4th to 6th digit is noise. Classes are not centred again
in either form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import linalg

from .classes import class_rows, gram
from .inputs import Array, Inputs

_EPS = 1e-4
_DRAWS_A_CLASS, _MOST_ROWS = 3, 3_000  # of each class size: the rate of large draws hardly varies


def score(inputs: Inputs) -> float:
    """R of random images less R of a class, mean over the images' classes, in nats."""
    rows = inputs.features - inputs.features.mean(axis=0, dtype=np.float64)
    # Features scaled to a mean squared norm of one.
    scale = len(rows) / (float(np.einsum("ij,ij->", rows, rows)) * _EPS)
    rng, total = np.random.default_rng(inputs.seed), 0.0
    members = class_rows(inputs.labels, inputs.num_classes)
    for size, classes in sorted(Counter(map(len, members)).items()):
        draws = max(1, min(_DRAWS_A_CLASS * classes, _MOST_ROWS // size))
        random = [rng.choice(len(rows), size, replace=False) for _ in range(draws)]
        own = [chosen for chosen in members if len(chosen) == size]
        total += size * classes * (_mean_rate(rows, random, scale) - _mean_rate(rows, own, scale))
    return total / len(rows)


def _mean_rate(rows: Array, parts: Sequence[Array], scale: float) -> float:
    """Mean rate of parts of the rows, all of one size; `scale` is 1 / eps in units of the rows."""
    return float(np.mean([_rate(gram(rows[part]), scale / len(part)) for part in parts]))


def _rate(product: Array, scale: float) -> float:
    """1/2 log det(I + scale * product)."""
    product = scale * product
    product.flat[:: len(product) + 1] += 1.0
    factor = linalg.cholesky(product, lower=True, overwrite_a=True, check_finite=False)
    return float(np.log(np.diagonal(factor)).sum())


def parity(inputs: Inputs, implementation: str) -> float:
    """What the public implementations return; higher is better."""
    rows = inputs.features - inputs.features.mean(axis=0, keepdims=True)
    within = [_public_rate(rows[inputs.labels == c]) for c in range(inputs.num_classes)]
    return _public_rate(rows) - float(np.mean(within))


def _public_rate(rows: Array) -> float:
    count, dims = rows.shape
    return float(np.linalg.slogdet(np.eye(dims) + (1.0 / (count * _EPS) * rows.T) @ rows)[1]) / 2.0
