"""TransRate: the coding rate of the features minus that within the classes.

Source: Huang, Huang, Rong, Yang, Wei, "Frustratingly easy transferability estimation" (ICML 2022), equations 3 to 5:
R(Z) = 1/2 log det(I + Z'Z / (n eps)), TrR = R(Z) - R(Z | Y), eps = 1e-4.

Default: features centred and scaled to a mean squared norm of one (the rate depends on the scale, which says nothing
about a model), and the classes' rates weighted by their share of the images.

Public implementations (`tllib` = dataiku = emms): no scaling, a plain mean over the classes, and the products in the
input's precision: with float32 features the 4th to 6th digit is noise. Classes are not centred again in either form.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import class_rows, gram
from .inputs import Array, Inputs

_EPS = 1e-4


def score(inputs: Inputs) -> float:
    """R(Z) - sum over classes of share * R(Z of the class), in nats."""
    features, count = inputs.features, len(inputs.features)
    mean = features.mean(axis=0, dtype=np.float64)
    members = class_rows(inputs.labels, inputs.num_classes)
    # Class by class, so that no second copy of the features is held.
    products = [gram(features[own] - mean) for own in members]
    # Where every class has its D x D product, theirs add up to the whole.
    tall = min(map(len, members)) >= features.shape[1]
    whole = np.sum(products, axis=0) if tall else gram(features - mean)
    # Features scaled to a mean squared norm of one.
    scale = count / (float(np.trace(whole)) * _EPS)
    shares = [len(own) / count for own in members]
    rates = [_rate(product, scale / len(own)) for product, own in zip(products, members, strict=True)]
    return _rate(whole, scale / count) - float(np.dot(shares, rates))


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
