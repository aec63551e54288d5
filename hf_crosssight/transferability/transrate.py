"""TransRate: the coding rate of the features minus that within the classes.

Source: Huang, Huang, Rong, Yang, Wei, "Frustratingly easy transferability estimation" (ICML 2022), equations 3 to 5:
R(Z) = 1/2 log det(I + Z'Z / (n eps)), TrR = R(Z) - R(Z | Y), eps = 1e-4.

Default: TrR less what the same features give for shuffled labels, the mean of three seeded shufflings. Where a class
has fewer images than features its rate is low for want of rank, whatever the labels: TrR then mostly measures the
width of the features, and scaled features even lose by being better separated. The difference is 0 for features that
know nothing of the labels; R(Z) cancels in it. Features are centred and scaled to a mean squared norm of one (the rate
depends on the scale, which says nothing about a model), the classes' rates weighted by their share of the images.

Public implementations (`tllib` = dataiku = emms): no scaling, no shuffling, a plain mean over the classes, and the
products in the input's precision: with float32 features the 4th to 6th digit is noise. Classes are not centred again
in either form.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import class_rows, gram
from .inputs import Array, Inputs

_EPS = 1e-4
_SHUFFLINGS = 3


def score(inputs: Inputs) -> float:
    """Mean R(Z | shuffled Y) - R(Z | Y), in nats; 0 where the features know nothing of the labels."""
    rows = inputs.features - inputs.features.mean(axis=0, dtype=np.float64)
    # Features scaled to a mean squared norm of one.
    scale = len(rows) / (float(np.einsum("ij,ij->", rows, rows)) * _EPS)
    rng = np.random.default_rng(inputs.seed)
    shuffled = [
        _rate_within(rows, rng.permutation(inputs.labels), inputs.num_classes, scale) for _ in range(_SHUFFLINGS)
    ]
    return float(np.mean(shuffled)) - _rate_within(rows, inputs.labels, inputs.num_classes, scale)


def _rate_within(rows: Array, labels: Array, num_classes: int, scale: float) -> float:
    """R(Z | Y): the classes' rates, weighted by their share of the rows; `scale` is 1 / eps in units of the rows."""
    members = class_rows(labels, num_classes)
    return float(sum(len(own) / len(rows) * _rate(gram(rows[own]), scale / len(own)) for own in members))


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
