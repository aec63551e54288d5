"""Class prototypes: shrunk class means of encoder features, each with what is known of its class.

Features are power-normalised (signed square root) and scaled to length 1, so that no channel dominates and a
prototype's entries, times the square root of the width, are about 1. A class mean over few images is mostly noise:
it is drawn to the mean of all classes by `s = n_c vb / (n_c vb + vw)`, the share of its variance that is signal, with
the within-class variance `vw` held by a weak prior so that one image a class works too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clustering import cluster

MAX_PROTOTYPES = 64
PROTOTYPE_STATS = (
    "log_count",  # images of the class that were read, log scale, 1 at 1,000
    "within",  # within-class variance of unit features, 0 to 1
    "within_known",  # 1 if the class has two images or more
    "nearest",  # distance to the nearest other class mean, noise taken off
    "nearest_known",  # 1 if there is another class
    "separation",  # nearest^2 / (nearest^2 + within): 0 buried, 1 apart
    "recall",  # share of the class' images whose nearest other image is of the class
    "recall_known",  # 1 if the class has two images or more, and labels
    "multiplicity",  # classes that the prototype stands for, log scale, 1 at 1,000
    "shrinkage",  # s of the module's docstring
    "unlabelled",  # 1 for a cluster that no label names
)
_PRIOR_SHARE = 0.8  # vw / (vw + vb) where nothing is known: the median over 29 real datasets is 0.79
_PRIOR_IMAGES = 2.0  # the weight of that prior, in images


@dataclass(frozen=True)
class Variances:
    """Traces of the pooled within-class and between-class covariances of unit features.

    Attributes:
        within (`float`): noise of one image around its class mean, prior included.
        between (`float`): spread of the true class means, noise of the class means taken off.
    """

    within: float
    between: float


@dataclass(frozen=True)
class Prototypes:
    """K prototypes.

    Attributes:
        vectors (`np.ndarray`): float64 `[K, F]`, shrunk means of unit features.
        stats (`np.ndarray`): float64 `[K, len(PROTOTYPE_STATS)]`.
        members (`tuple[tuple[int, ...], ...]`): per prototype the classes that it stands for, rising.
    """

    vectors: np.ndarray
    stats: np.ndarray
    members: tuple[tuple[int, ...], ...]


def log_scale(count: float, top: float) -> float:
    """A count on a log scale: 0 at 0, 1 at `top`, never above 1.5."""
    return float(min(np.log1p(max(count, 0.0)) / np.log1p(top), 1.5))


def unit_features(features: np.ndarray) -> np.ndarray:
    """Signed square root, then length 1 (a zero row stays zero): `[N, F]` in, float64 `[N, F]` out."""
    powered = np.sign(features) * np.sqrt(np.abs(features.astype(np.float64)))
    length = np.linalg.norm(powered, axis=1, keepdims=True)
    return powered / np.maximum(length, 1e-12)


def class_means(unit: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means `[C, F]`, image counts `[C]` and sums of squared distances to the mean `[C]`, of labels 0..C-1."""
    classes = range(int(labels.max()) + 1)
    counts = np.bincount(labels).astype(np.float64)
    means = np.stack([unit[labels == c].mean(0) for c in classes])
    scatter = np.array([((unit[labels == c] - means[c]) ** 2).sum() for c in classes])
    return means, counts, scatter


def pooled_variances(means: np.ndarray, counts: np.ndarray, scatter: np.ndarray) -> Variances:
    """Within and between variance of classes (method of moments, with a weak prior on their ratio)."""
    spread = ((means - means.mean(0)) ** 2).sum() / max(len(means) - 1, 1)
    if len(means) == 1:
        return Variances(float(scatter.sum() / max(counts.sum() - 1, 1)), 0.0)
    noise = float((1 / counts).mean())
    degrees = counts.sum() - len(counts)
    # What one image varies by in all, were the prior's share of it noise: spread = vb + noise * vw.
    prior = _PRIOR_SHARE * spread / (1 - _PRIOR_SHARE + noise * _PRIOR_SHARE)
    within = (scatter.sum() + _PRIOR_IMAGES * prior) / (degrees + _PRIOR_IMAGES)
    return Variances(float(within), float(max(spread - noise * within, 0.0)))


def build_prototypes(unit: np.ndarray, labels: np.ndarray, hits: np.ndarray | None) -> Prototypes:
    """Prototypes of classes, at most 64: where there are more classes, near ones share a prototype.

    Args:
        unit (`np.ndarray`): float64 `[N, F]`, unit features.
        labels (`np.ndarray`): int64 `[N]`, 0..C-1, each class with an image or more.
        hits (`np.ndarray`, *optional*): float `[N]`, 1 where the nearest other image is of the same class; `None`
            if the classes are clusters, whose recall says nothing.
    """
    means, counts, scatter = class_means(unit, labels)
    variances = pooled_variances(means, counts, scatter)
    signal = counts * variances.between
    shrinkage = signal / np.maximum(signal + variances.within, 1e-12)
    shrunk = means.mean(0) + shrinkage[:, None] * (means - means.mean(0))
    stats = _class_stats(means, counts, scatter, variances, shrinkage)
    if hits is None:
        stats[:, _column("unlabelled")] = 1.0
    else:
        several = counts > 1
        recall = np.bincount(labels, weights=hits) / counts
        stats[:, _column("recall")] = np.where(several, recall, 0.0)
        stats[:, _column("recall_known")] = several
    if len(means) <= MAX_PROTOTYPES:
        return Prototypes(shrunk, stats, tuple((c,) for c in range(len(means))))
    return _merged(shrunk, stats, cluster(shrunk, MAX_PROTOTYPES))


def _column(name: str) -> int:
    return PROTOTYPE_STATS.index(name)


def _class_stats(
    means: np.ndarray, counts: np.ndarray, scatter: np.ndarray, variances: Variances, shrinkage: np.ndarray
) -> np.ndarray:
    """All statistics of single classes but recall: `[C, len(PROTOTYPE_STATS)]`."""
    several = counts > 1
    within = np.where(several, scatter / np.maximum(counts - 1, 1), variances.within)
    nearest = _nearest_other(means, counts, variances.within)
    stats = np.zeros((len(means), len(PROTOTYPE_STATS)))
    stats[:, _column("log_count")] = [log_scale(count, 1000) for count in counts]
    stats[:, _column("within")] = np.where(several, np.minimum(within, 1.0), 0.0)
    stats[:, _column("within_known")] = several
    stats[:, _column("nearest")] = np.sqrt(nearest)
    stats[:, _column("nearest_known")] = float(len(means) > 1)
    stats[:, _column("separation")] = nearest / np.maximum(nearest + within, 1e-12)
    stats[:, _column("multiplicity")] = log_scale(1, 1000)
    stats[:, _column("shrinkage")] = shrinkage
    return stats


def _nearest_other(means: np.ndarray, counts: np.ndarray, within: float) -> np.ndarray:
    """Squared distance `[C]` to the nearest other class mean, less what noise alone puts between two means."""
    if len(means) == 1:
        return np.zeros(1)
    squares = (means**2).sum(1)
    distance = squares[:, None] + squares[None] - 2 * means @ means.T
    distance -= within * (1 / counts[:, None] + 1 / counts[None])
    np.fill_diagonal(distance, np.inf)
    return np.maximum(distance.min(1), 0.0)


def _merged(vectors: np.ndarray, stats: np.ndarray, groups: np.ndarray) -> Prototypes:
    """Average classes of a group; groups are ordered by their first class."""
    members = sorted(tuple(int(c) for c in np.flatnonzero(groups == g)) for g in np.unique(groups))
    merged = np.stack([stats[list(group)].mean(0) for group in members])
    merged[:, _column("multiplicity")] = [log_scale(len(group), 1000) for group in members]
    return Prototypes(np.stack([vectors[list(group)].mean(0) for group in members]), merged, tuple(members))
