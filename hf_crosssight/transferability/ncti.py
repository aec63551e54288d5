"""NCTI: how near the features are to neural collapse.

Source: Wang, Luo, Zheng, Huang, Baktashmotlagh, "How far pre-trained models are from neural collapse on the target
dataset informs their transferability" (ICCV 2023), section 3. Three parts, after 64 principal components and a linear
discriminant: (1) the nuclear norm of the centred discriminant coordinates, (2) the mean posterior of the true class,
(3) the log of the classes' summed nuclear norms of the posteriors; the score is (1) + (2) - (3).

As published the parts are min-max scaled over the zoo, so a model's score depends on which others are compared and one
model alone has none. Default: every part is scaled by its own bounds for N images and C classes instead, so a single
model has a score and models can be compared in any company: (1) becomes 1 - sqrt(N (C-1)) / norm, which is 0 without
any separation (whitened coordinates have that norm) and 1 at full collapse; (3) runs from 0 (one posterior for all)
to 1 (the largest norm there is). Each stays monotone in the published part. The discriminant is shrunk as Ledoit and
Wolf do and leaves each image out of its own fit, not by exp(-summed variances), which depends on the features' scale.

Parity: `ncti-features`, `ncti-posterior` (default) and `ncti-classes` are the three published parts; `score_zoo(...,
parity=True)` is the published sum over a zoo. `seed` sets the public randomised PCA.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hf_crosssight.errors import UserError

from .classes import centre
from .discriminant import shrunk_discriminant
from .inputs import Array, Inputs
from .principal import leading_components

_DIMS = 64


def score(inputs: Inputs) -> float:
    """Separation + mean posterior - spread of the posteriors within classes, each in [0, 1]."""
    rows, labels, classes = leading_components(inputs.features, _DIMS), inputs.labels, inputs.num_classes
    rows /= max(float(rows.max()), -float(rows.min()))
    found = shrunk_discriminant(rows, labels, classes)
    posterior = float(found.posteriors[np.arange(len(rows)), labels].mean())
    return _separation(rows, labels, classes, found.shrinkage) + posterior - _spread(found.posteriors, labels, classes)


def _separation(rows: Array, labels: Array, classes: int, shrinkage: float) -> float:
    """1 - sqrt(N k) / nuclear norm of the k whitened discriminant coordinates."""
    from scipy import linalg

    from .classes import class_means

    means, counts = class_means(rows, labels, classes)
    residual = rows - means[labels]
    within = residual.T @ residual / len(rows)
    ridged = (1.0 - shrinkage) * within
    ridged.flat[:: len(ridged) + 1] += max(shrinkage * np.trace(within) / len(within), 1e-300)
    gaps = centre(means) if np.ptp(counts) == 0 else means - counts @ means / len(rows)
    weighted = gaps * np.sqrt(counts / len(rows))[:, None]
    between = weighted.T @ weighted
    kept = min(classes - 1, rows.shape[1])
    wanted = (rows.shape[1] - kept, rows.shape[1] - 1)
    ratios = linalg.eigh(between, ridged, eigvals_only=True, subset_by_index=wanted)
    # The singular values of the centred coordinates: within variance one, plus what lies between the classes.
    norm = np.sqrt(len(rows) * (1.0 + np.maximum(ratios, 0.0))).sum()
    return float(1.0 - np.sqrt(len(rows)) * kept / norm)


def _spread(posteriors: Array, labels: Array, classes: int) -> float:
    counts = np.bincount(labels).astype(np.float64)
    total = _class_norms(posteriors, labels, classes)
    lowest = np.sqrt(counts / classes).sum()
    highest = np.sqrt(counts * np.minimum(counts, classes)).sum()
    return float((np.log(total) - np.log(lowest)) / (np.log(highest) - np.log(lowest)))


def _class_norms(posteriors: Array, labels: Array, classes: int) -> float:
    """Sum over the classes of the nuclear norm of their rows of the posteriors."""
    return float(sum(np.linalg.norm(posteriors[labels == c], ord="nuc") for c in range(classes)))


def parts(inputs: Inputs, state: np.random.RandomState) -> tuple[float, float, float]:
    """The three published parts: nuclear norm of the features, mean posterior, log of the classes' norms.

    `state` is what numpy's global state is to the public code: over a zoo it runs on from model to model.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    reduced, variances = _public_projection(inputs.features, state)
    shrinkage = max(float(np.exp(-variances[:32].sum())), 1e-10)
    solver = {"solver": "svd"} if shrinkage == 1e-10 else {"solver": "eigen", "shrinkage": shrinkage}
    analysis = LinearDiscriminantAnalysis(**solver).fit(reduced, inputs.labels)
    coordinates = analysis.transform(reduced)[:, : inputs.num_classes - 1]
    norm = float(np.linalg.norm(coordinates - coordinates.mean(axis=0, keepdims=True), ord="nuc"))
    posteriors = analysis.predict_proba(reduced)
    own = float(posteriors[np.arange(len(reduced)), inputs.labels].mean())
    return norm, own, float(np.log(_class_norms(posteriors, inputs.labels, inputs.num_classes)))


def over_zoo(found: Sequence[tuple[float, ...]]) -> list[float]:
    """The published score of each model: its parts min-max scaled over the zoo, (1) + (2) - (3)."""
    scaled = min_max(np.asarray(found), "ncti")
    return [float(row @ np.array([1.0, 1.0, -1.0])) for row in scaled]


def min_max(table: Array, method: str) -> Array:
    """Columns scaled to [0, 1] over the models."""
    span = np.ptp(table, axis=0)
    if (span == 0).any():
        raise UserError(f"{method}: a part is the same for all models of the zoo", "compare models that differ")
    return (table - table.min(axis=0)) / span


def parity(inputs: Inputs, implementation: str) -> float:
    """One of the published parts."""
    return parts(inputs, np.random.RandomState(inputs.seed))[
        ("ncti-features", "ncti-posterior", "ncti-classes").index(implementation)
    ]


def _public_projection(features: Array, state: np.random.RandomState) -> tuple[Array, Array]:
    from sklearn.decomposition import PCA

    if min(features.shape) < _DIMS:
        raise UserError(f"ncti: the public projection needs {_DIMS} images and features", "leave out parity=True")
    fitted = PCA(n_components=_DIMS, random_state=state).fit(features)
    return np.asarray(fitted.transform(features)), np.asarray(fitted.explained_variance_)
