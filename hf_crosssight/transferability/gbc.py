"""GBC: how much the classes' Gaussians overlap, by the Bhattacharyya coefficient.

Source: Pándy, Agostinelli, Uijlings, Ferrari, Mensink, "Transferability estimation using Bhattacharyya class
separability" (CVPR 2022), equations 3 to 5: minus the sum over pairs of classes of exp(-D_B), after a projection on 64
principal components.

Default: diagonal class covariances, each pulled towards the pooled one as if by eight further images and at least 1e-4
of the mean variance, so a class of one image is fine. The score is minus the LOG of the sum over ordered pairs: the
same order of models, but well separated classes do not underflow to a tie at zero.

Public implementation (`model-spider`): full 64 x 64 covariances with pinv and det, which are singular for classes of
fewer than 65 images (scores of -100,000 occur); at least 64 images and features; `seed` sets its randomised PCA.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import UserError

from .classes import class_means, class_sums
from .inputs import Array, Inputs
from .principal import leading_components

_DIMS = 64
_PRIOR_IMAGES = 8.0
_FLOOR = 1e-4


def score(inputs: Inputs) -> float:
    """Minus the log of the summed Bhattacharyya coefficients over ordered pairs of classes."""
    from scipy.special import logsumexp

    rows = leading_components(inputs.features, _DIMS)
    means, counts = class_means(rows, inputs.labels, inputs.num_classes)
    variances = _class_variances(rows, means, counts, inputs.labels)
    logs = np.log(variances).sum(axis=1)
    sums = []
    for c in range(inputs.num_classes):
        between = (variances[c] + variances) / 2.0
        distance = ((means[c] - means) ** 2 / between).sum(axis=1) / 8.0
        distance += (np.log(between).sum(axis=1) - (logs[c] + logs) / 2.0) / 2.0
        sums.append(logsumexp(-np.delete(distance, c)))
    return -float(logsumexp(sums))


def _class_variances(rows: Array, means: Array, counts: Array, labels: Array) -> Array:
    residual = rows - means[labels]
    squares = class_sums(residual**2, labels, len(counts))
    pooled = squares.sum(axis=0) / max(len(rows) - len(counts), 1)
    shrunk = (squares + _PRIOR_IMAGES * pooled) / (counts[:, None] - 1.0 + _PRIOR_IMAGES)
    return np.maximum(shrunk, _FLOOR * rows.var(axis=0).mean())


def parity(inputs: Inputs, implementation: str) -> float:
    """What the public implementation returns with numpy's global seed set to `seed`; higher (nearer 0) is better."""
    rows = _public_projection(inputs.features, inputs.seed)
    classes = [rows[inputs.labels == c] for c in np.unique(inputs.labels)]
    if min(len(own) for own in classes) < 2:
        raise UserError("gbc: the public implementation cannot take a class of one image", "leave out parity=True")
    means = [own.mean(axis=0) for own in classes]
    covariances = [np.cov(own, rowvar=False) for own in classes]
    dets = [np.linalg.det(covariance) for covariance in covariances]
    total = 0.0
    for i in range(len(classes)):
        for j in range(len(classes)):
            if i != j:
                total += np.exp(
                    -_public_distance(means[i] - means[j], (covariances[i] + covariances[j]) / 2.0, dets[i] * dets[j])
                )
    return -float(total)


def _public_distance(gap: Array, between: Array, product: float) -> float:
    near = gap @ np.linalg.pinv(between) @ gap / 8.0
    with np.errstate(invalid="ignore"):
        spread = 1e-5 + abs(np.linalg.det(between)) / (1e-5 + np.sqrt(1e-5 + product))
    return float(near + np.log(spread) / 2.0)


def _public_projection(features: Array, seed: int) -> Array:
    from sklearn.decomposition import PCA

    if min(features.shape) < _DIMS:
        raise UserError(f"gbc: the public projection needs {_DIMS} images and features", "leave out parity=True")
    return np.asarray(PCA(n_components=_DIMS, random_state=np.random.RandomState(seed)).fit_transform(features))
