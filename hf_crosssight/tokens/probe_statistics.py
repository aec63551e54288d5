"""What features say about a small labelled task: leave-one-out accuracies, evidence, spectrum, likeness to others.

All of it is computed from N x N matrices of one task, so that the width of the features hardly matters. Accuracies are
counted smoothly (an image whose margin is nearly nothing counts nearly half), so that rounding cannot move them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..transferability.classes import one_hot
from ..transferability.logme import evidence
from ..transferability.spectrum import spectrum

TASK_STATISTICS = ("knn", "nearest mean", "linear", "logme", "separation")
SPECTRUM_STATISTICS = ("effective rank", "spectrum slope")
_SMOOTH = 0.005
_RIDGE = 0.3  # of the mean eigenvalue of the features' Gram matrix
_LOGME_SCALE = 4.0  # nats per image and class are small
_SLOPE_OVER = 24  # eigenvalues


def task_statistics(features: np.ndarray, labels: np.ndarray) -> list[float]:
    """The values of `TASK_STATISTICS` of features `[N, D]` of a task with labels `[N]` from 0, of order one.

    Accuracies are (accuracy - chance) / (1 - chance), leaving each image out in turn: of the nearest neighbour by
    cosine, of the nearest class mean, and of a ridge regression onto the classes. LogME is the exact evidence (You et
    al. 2021) less that of no features. Separation is the share of the variance between classes. Features that never
    change give zeros.
    """
    rows = features.astype(np.float64)
    centred = rows - rows.mean(axis=0)
    spread = centred.std(axis=0)
    if not spread.mean() > 1e-9 * (np.abs(rows).mean() + 1e-30):
        return [0.0] * len(TASK_STATISTICS)
    targets = one_hot(labels, int(labels.max()) + 1)
    # Each feature counts alike, but one that hardly moves is not blown up.
    standard = centred / np.maximum(spread, 0.1 * spread.mean())
    gram = standard @ standard.T
    chance = float((targets.mean(axis=0) ** 2).sum())
    margins = (_neighbour_margins(gram, labels), _mean_margins(gram, targets), _linear_margins(gram, targets))
    accuracies = [(_smooth_share(margin) - chance) / (1.0 - chance) for margin in margins]
    nothing = evidence(spectrum(np.ones((len(rows), 1)), targets), len(rows)).mean()
    logme = evidence(spectrum(rows, targets), len(rows)).mean() - nothing
    return [*accuracies, _LOGME_SCALE * float(logme), _separation(gram, targets)]


def spectrum_of(eigenvalues: np.ndarray) -> tuple[float, float]:
    """Effective rank (Roy and Vetterli 2007; log of it, a quarter) and slope of log eigenvalue over log index, halved.

    Args:
        eigenvalues: of a covariance or Gram matrix, in any order; those of rounding size do not count.
    """
    if not eigenvalues.max() > 0:
        return 0.0, 0.0
    found = np.sort(eigenvalues[eigenvalues > 1e-10 * eigenvalues.max()])[::-1]
    shares = found / found.sum()
    rank = float(-(shares * np.log(shares)).sum()) / 4.0
    kept = shares[:_SLOPE_OVER]
    if len(kept) < 3:
        return rank, 0.0
    steps = np.log(np.arange(1, len(kept) + 1))
    return rank, float(np.polyfit(steps, np.log(kept), 1)[0]) / 2.0


def cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of two centred Gram matrices `[N, N]`, 0 to 1 (Kornblith et al. 2019, eq. 3)."""
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum() / size) if size > 0 else 0.0


def centred_gram(features: np.ndarray) -> np.ndarray:
    """`[N, N]` of features `[N, D]`."""
    rows = features.astype(np.float64)
    rows = rows - rows.mean(axis=0)
    return np.asarray(rows @ rows.T)


def mean_cka(grams: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> float:
    """Mean over tasks of the alignment within each task."""
    return float(np.mean([cka(first, second) for first, second in zip(grams, others, strict=True)]))


def _smooth_share(margins: np.ndarray) -> float:
    """Share of margins above zero; one within 0.01 of it counts in part."""
    return float((0.5 + 0.5 * np.tanh(margins / (2.0 * _SMOOTH))).mean())


def _neighbour_margins(gram: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How much more like (cosine) the nearest image of the own class is than the nearest of another `[N]`."""
    norms = np.sqrt(np.maximum(np.diag(gram), 1e-30))
    cosines = gram / norms[:, None] / norms[None]
    np.fill_diagonal(cosines, -np.inf)
    same = labels[:, None] == labels[None]
    nearest = [np.where(mask, cosines, -np.inf).max(axis=1) for mask in (same, ~same)]
    return np.asarray(nearest[0] - nearest[1])


def _mean_margins(gram: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(d_other - d_own) / (d_other + d_own) of squared distances to class means without the image itself `[N]`."""
    counts = targets.sum(axis=0)
    means = targets / counts
    distances = np.diag(gram)[:, None] - 2.0 * gram @ means + np.diag(means.T @ gram @ means)
    own_class = targets.astype(bool)
    own_count = np.maximum(targets @ counts, 2.0)
    own = distances[own_class] * (own_count / (own_count - 1.0)) ** 2  # x - m without x = n/(n-1) (x - m)
    other = np.where(own_class, np.inf, distances).min(axis=1)
    return np.asarray((other - own) / np.maximum(np.abs(other) + np.abs(own), 1e-30))


def _linear_margins(gram: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Own class's value less the highest other one, by ridge regression fitted without the image `[N]`."""
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    shrink = values / (values + _RIDGE * values.mean())
    wanted = targets - targets.mean(axis=0)
    fitted = vectors @ (shrink[:, None] * (vectors.T @ wanted))
    leverage = (vectors**2) @ shrink + 1.0 / len(gram)
    left_out = (fitted - leverage[:, None] * wanted) / np.maximum(1.0 - leverage, 1e-6)[:, None]
    own_class = targets.astype(bool)
    return np.asarray(left_out[own_class] - np.where(own_class, -np.inf, left_out).max(axis=1))


def _separation(gram: np.ndarray, targets: np.ndarray) -> float:
    """Share of the variance that lies between classes, 0 to 1."""
    sums = targets.T @ gram @ targets
    return float((np.diag(sums) / targets.sum(axis=0)).sum() / np.trace(gram))
