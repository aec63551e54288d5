"""What a dataset's features say as a whole: how many, how balanced, how separable, how many directions.

Everything is bounded (about -1 to 1), has a "known" column beside it where it may be unknown, and does not depend on
the order of the images. Input are unit features (`prototypes.unit_features`), in float64.
"""

from __future__ import annotations

import numpy as np

from .prototypes import class_means, log_scale, pooled_variances

SPECTRUM = 16
COUNT_STATS = (
    "log_classes",  # classes the dataset has, log scale, 1 at 1,000
    "classes_known",
    "log_rows",  # images the split has, log scale, 1 at a million
    "rows_known",
    "log_images",  # images read, log scale, 1 at 10,000
    "log_classes_read",  # classes among them, log scale, 1 at 1,000
    "has_images",
    "labelled",
)
SEPARABILITY_STATS = (
    "balance",  # entropy of the labels read over its maximum: 1 is balanced
    "smallest_share",  # images of the smallest class over those of the largest
    "nearest_neighbour",  # leave-one-out 1-NN accuracy, cosine
    "nearest_neighbour_error",  # its standard error
    "nearest_neighbour_gain",  # (accuracy - chance) / (1 - chance)
    "nearest_mean",  # leave-one-out nearest-class-mean accuracy
    "fisher",  # between / (between + within) variance of classes, noise taken off
    "separability_known",  # 1 if some class has two images; the five before it need that
    "labels_known",  # 1 if there are labels of two classes or more; the first two need that
)
SPECTRUM_STATS = (
    "mean_length",  # squared length of the mean feature: 1 if all images look alike to the encoder
    "effective_rank",  # exp of the entropy of the covariance spectrum, log scale, 1 at the feature width
    "spectrum_known",  # 1 if there are two different images
    *(f"spectrum_{i}" for i in range(SPECTRUM)),  # square roots of the leading eigenvalues' shares
)


def count_stats(
    num_classes: int | None, num_rows: int | None, images: int = 0, classes_read: int = 0, labelled: bool = False
) -> np.ndarray:
    """Counts on log scales: float64 `[len(COUNT_STATS)]`; `None` is unknown."""
    values = [
        log_scale(num_classes or 0, 1_000),
        num_classes is not None,
        log_scale(num_rows or 0, 1_000_000),
        num_rows is not None,
        log_scale(images, 10_000),
        log_scale(classes_read, 1_000),
        images > 0,
        labelled,
    ]
    return np.array(values, dtype=np.float64)


def neighbour_hits(unit: np.ndarray, labels: np.ndarray, chunk: int = 2048) -> np.ndarray:
    """Per image, whether its nearest other image has its label: float64 `[N]`; of tied neighbours, the share."""
    hits = np.zeros(len(unit))
    if len(unit) < 2:
        return hits
    for start in range(0, len(unit), chunk):
        rows = np.arange(start, min(start + chunk, len(unit)))
        similar = unit[rows] @ unit.T
        similar[np.arange(len(rows)), rows] = -np.inf
        tied = similar >= similar.max(1, keepdims=True) - 1e-9
        hits[rows] = (tied & (labels[rows][:, None] == labels[None])).sum(1) / tied.sum(1)
    return hits


def separability_stats(unit: np.ndarray, labels: np.ndarray | None, hits: np.ndarray | None) -> np.ndarray:
    """How well the classes stand apart: float64 `[len(SEPARABILITY_STATS)]`, zero where there are no labels."""
    stats = dict.fromkeys(SEPARABILITY_STATS, 0.0)
    if labels is None or hits is None or labels.max() == 0:
        return np.array(list(stats.values()))
    means, counts, scatter = class_means(unit, labels)
    share = counts / counts.sum()
    variances = pooled_variances(means, counts, scatter)
    stats["balance"] = float(-(share * np.log(share)).sum() / np.log(len(share)))
    stats["smallest_share"] = float(counts.min() / counts.max())
    stats["labels_known"] = 1.0
    several = (counts > 1)[labels]  # an image without a fellow cannot be found
    if several.any():
        accuracy, number, chance = float(hits[several].mean()), int(several.sum()), float(share.max())
        careful = (accuracy * number + 1) / (number + 2)  # so that 5 of 5 is not taken for certain
        stats["nearest_neighbour"] = accuracy
        stats["nearest_neighbour_error"] = float(np.sqrt(careful * (1 - careful) / (number + 2)))
        stats["nearest_neighbour_gain"] = (accuracy - chance) / (1 - chance)
        stats["nearest_mean"] = _nearest_mean_accuracy(unit[several], labels[several], means, counts)
        stats["fisher"] = variances.between / max(variances.between + variances.within, 1e-12)
        stats["separability_known"] = 1.0
    return np.array(list(stats.values()))


def _nearest_mean_accuracy(unit: np.ndarray, labels: np.ndarray, means: np.ndarray, counts: np.ndarray) -> float:
    """Share of images nearest to their own class mean, which is taken without the image itself."""
    distance = (unit**2).sum(1)[:, None] + (means**2).sum(1)[None] - 2 * unit @ means.T
    rows = np.arange(len(unit))
    number = counts[labels]
    own = distance[rows, labels] * (number / (number - 1)) ** 2  # x - mean of the others = n/(n-1) (x - mean of all)
    distance[rows, labels] = np.inf
    best = distance.min(1)
    # Equal distances (identical images) count half.
    return float(((own < best - 1e-9) + 0.5 * (np.abs(own - best) <= 1e-9)).mean())


def spectrum_stats(unit: np.ndarray) -> np.ndarray:
    """Shape of the cloud of features: float64 `[len(SPECTRUM_STATS)]`."""
    mean = unit.mean(0)
    centred = unit - mean
    gram = centred @ centred.T if len(unit) <= unit.shape[1] else centred.T @ centred
    eigenvalues = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0)
    shares = np.zeros(SPECTRUM)
    rank, known = 0.0, bool(eigenvalues.sum() > 1e-9 * len(unit))
    if known:
        share = eigenvalues / eigenvalues.sum()
        positive = share[share > 1e-12]
        rank = float(-(positive * np.log(positive)).sum() / np.log(unit.shape[1]))
        leading = np.sqrt(share[:SPECTRUM])
        shares[: len(leading)] = leading
    return np.array([float(mean @ mean), rank, known, *shares])
