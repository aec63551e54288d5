"""SFDA: self-challenging Fisher discriminant analysis, the accuracy of a discriminant that is made to work hard.

Source: Shao, Zhao, Ge, Zhang, Yang, Wang, Shan, Luo, "Not all models are equal: predicting model transferability in a
self-challenging Fisher space" (ECCV 2022), equations 4 to 9: a shrunk discriminant; each image is mixed with the mean
of the other classes in proportion to its doubt (ConfMix); a second discriminant; the mean posterior of the true class.

Default: the shrinkage is Ledoit and Wolf's for the within-class covariance, so it does not depend on the features'
scale and does not vanish where features outnumber images (there the published rule gives every model a score of 1).
Doubt is one minus the posterior of the fit itself, as in the paper; the score's posteriors are taken with the image
left out of the second fit. Doubt must not be taken so: images of a useless model then get a posterior near zero, land
on the mean of the other classes, which is one point for all images of a class, and look perfectly separable.

Public implementations, higher is better: `sfda` (= ncti) shrinks by exp(-5 lambda), lambda from three rounds of power
iteration, at least 1e-10, and takes a softmax of the posteriors before mixing; `etran`'s copy loses the covariance
altogether (`eigh` of a non-symmetric matrix: nearest means).
"""

from __future__ import annotations

import numpy as np

from .classes import class_means
from .discriminant import shrunk_discriminant, softmax
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """Mean posterior of the true class after ConfMix, in (0, 1]."""
    rows, labels, classes = inputs.features, inputs.labels, inputs.num_classes
    scaled = np.divide(rows, max(float(rows.max()), -float(rows.min())), out=rows)
    first = shrunk_discriminant(scaled, labels, classes)
    own = first.fitted[np.arange(len(labels)), labels]
    others = _mean_of_others(first.means)[labels]
    mixed = own[:, None] * scaled + (1.0 - own[:, None]) * others
    second = shrunk_discriminant(mixed, labels, classes, first.shrinkage)
    return float(second.posteriors[np.arange(len(labels)), labels].mean())


def _mean_of_others(means: Array) -> Array:
    """`[C, D]`: for each class the unweighted mean of the other classes' means."""
    return (means.sum(axis=0) - means) / (len(means) - 1)


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns."""
    rows, labels, classes = inputs.features, inputs.labels, inputs.num_classes
    shrinkage = None if implementation == "etran" else _public_shrinkage(within_scatter(rows, labels, classes))
    first = public_posteriors(rows, labels, classes, shrinkage)
    doubt = softmax(first)[np.arange(len(labels)), labels][:, None]
    means, _ = class_means(rows.astype(np.float64), labels, classes)
    mixed = (doubt * rows + (1.0 - doubt) * _mean_of_others(means)[labels]).astype(rows.dtype)
    second = public_posteriors(mixed, labels, classes, shrinkage)
    return float(second[np.arange(len(labels)), labels].mean())


def within_scatter(rows: Array, labels: Array, classes: int) -> Array:
    """Pooled 1/N within-class covariance `[D, D]` in float64."""
    precise = rows.astype(np.float64)
    means, _ = class_means(precise, labels, classes)
    residual = precise - means[labels]
    return residual.T @ residual / len(rows)


def _public_shrinkage(within: Array) -> float:
    right = within.sum(axis=1)
    left = right
    for _ in range(3):
        left = within @ right
        left = left / np.linalg.norm(left)
        right = within @ left
        right = right / np.linalg.norm(right)
    return max(float(np.exp(-5.0 * (right @ within @ left))), 1e-10)


def public_posteriors(rows: Array, labels: Array, classes: int, shrinkage: float | None) -> Array:
    """Posteriors of the published discriminant; without `shrinkage` those of the nearest mean."""
    precise = rows.astype(np.float64)
    means, counts = class_means(precise, labels, classes)
    directions = means
    if shrinkage is not None:
        within = within_scatter(rows, labels, classes)
        ridged = (1.0 - shrinkage) * within
        ridged.flat[:: len(ridged) + 1] += shrinkage * np.trace(within) / len(within)
        directions = np.linalg.solve(ridged, means.T).T
    offsets = 0.5 * np.einsum("cd,cd->c", directions, means) - np.log(counts / len(rows))
    return softmax(precise @ directions.T - offsets)
