"""Measures of a predicted ranking against measured accuracies: two weighted taus, regret, NDCG, pair accuracy.

All functions take `scores` (higher = predicted better) and `accuracies` (higher = better), both `[M]`, in that order.
A constant prediction says nothing and gets a tau of 0, never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def _pair(scores: ArrayLike, accuracies: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as finite float64 `[M]` of one length; `ValueError` otherwise."""
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"scores and accuracies must be vectors of one length, not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("scores and accuracies must be finite numbers")
    return x, y


def _constant(x: np.ndarray) -> bool:
    return len(x) < 2 or bool(np.all(x == x[0]))


def weighted_tau(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """`scipy.stats.weightedtau(score, accuracy)`: hyperbolic weights, mean of both directions (as LogME, SFDA, EMMS).

    Source: Vigna, "A weighted correlation index for rankings with ties" (2015).
    """
    from scipy.stats import weightedtau

    x, y = _pair(scores, accuracies)
    if _constant(x) or _constant(y):
        return 0.0
    return float(weightedtau(x, y).statistic)


def weighted_tau_true_rank(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """`scipy.stats.weightedtau(accuracy, score, rank=None)`: weights by the true ranking alone, ties kept.

    The convention of Model Spider's published table (69 of its 72 baseline cells are reproduced by it).
    """
    from scipy.stats import weightedtau

    x, y = _pair(scores, accuracies)
    if _constant(x) or _constant(y):
        return 0.0
    return float(weightedtau(y, x, rank=None).statistic)


def kendall_tau(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Kendall's tau-b, 0 for a constant."""
    from scipy.stats import kendalltau

    x, y = _pair(scores, accuracies)
    if _constant(x) or _constant(y):
        return 0.0
    return float(kendalltau(x, y).statistic)


def regret_at_k(scores: ArrayLike, accuracies: ArrayLike, k: int = 1) -> float:
    """Accuracy lost by fine-tuning only the `k` models predicted best, in the unit of `accuracies`.

    Models that share the k-th score are equally likely to be picked: the expectation over the ties is returned, so
    that a constant prediction gets what a blind draw of `k` models loses and not what the order of the input gives.
    """
    x, y = _pair(scores, accuracies)
    if len(x) == 0 or k < 1:
        raise ValueError("regret needs at least one model and k >= 1")
    k = min(k, len(x))
    threshold = np.sort(x)[::-1][k - 1]
    sure, tied = y[x > threshold], np.sort(y[x == threshold])[::-1]
    floor = float(sure.max()) if len(sure) else -np.inf
    return float(y.max()) - _expected_best(tied, k - len(sure), floor)


def _expected_best(values: np.ndarray, draws: int, floor: float) -> float:
    """Expected maximum of `floor` and `draws` values drawn without replacement; `values` descend."""
    expected, none_before, left = 0.0, 1.0, len(values)
    for value in values:
        taken = none_before * draws / left if left > 0 else 0.0
        expected += taken * max(float(value), floor)
        none_before -= taken
        left -= 1
        if none_before <= 1e-12 or left < draws:
            break
    return expected + max(none_before, 0.0) * floor if none_before > 1e-12 else expected


def ndcg_at_k(scores: ArrayLike, accuracies: ArrayLike, k: int = 5) -> float:
    """NDCG@k with gain `2^quantile - 1`, where the quantile of an accuracy is its share of models beaten or tied.

    Ties of scores are broken by taking the mean gain of the tied group.
    """
    from scipy.stats import rankdata

    x, y = _pair(scores, accuracies)
    if len(x) == 0:
        raise ValueError("NDCG needs at least one model")
    gain = 2.0 ** ((rankdata(y, method="average") - 1) / max(len(y) - 1, 1)) - 1
    order = np.argsort(-x, kind="stable")
    picked = gain[order].copy()
    ordered = x[order]
    for value in np.unique(ordered):
        same = ordered == value
        picked[same] = picked[same].mean()
    discount = 1.0 / np.log2(np.arange(2, min(k, len(y)) + 2))
    ideal = float((np.sort(gain)[::-1][: len(discount)] * discount).sum())
    return float((picked[: len(discount)] * discount).sum()) / ideal if ideal > 0 else 0.0


def pair_accuracy(scores: ArrayLike, accuracies: ArrayLike, groups: Sequence[str] | None = None) -> float | None:
    """Share of pairs ordered rightly (a tied prediction counts half), over pairs of one group if `groups` are given.

    Pairs of equal accuracy do not count. `None` where no pair is left.
    """
    x, y = _pair(scores, accuracies)
    i, j = np.triu_indices(len(x), 1)
    keep = y[i] != y[j]
    if groups is not None:
        names = np.asarray(groups, dtype=object)
        keep &= names[i] == names[j]
    if not keep.any():
        return None
    agree = np.sign(x[i] - x[j])[keep] * np.sign(y[i] - y[j])[keep]
    return float((agree + 1).mean() / 2)


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "weighted_tau": weighted_tau,
    "weighted_tau_true_rank": weighted_tau_true_rank,
    "kendall_tau": kendall_tau,
    "regret_at_1": lambda s, a: regret_at_k(s, a, 1),
    "regret_at_3": lambda s, a: regret_at_k(s, a, 3),
    "regret_at_5": lambda s, a: regret_at_k(s, a, 5),
    "ndcg_at_5": lambda s, a: ndcg_at_k(s, a, 5),
}
