"""Shadow: what a model is worth joined with what it costs, in three ways, and which of them behaves.

The thesis proposes max f(a) * sum_i (HW_i / T_i)^w_i. As written it fails in four ways that `tests/hardware/
test_combine.py` shows one by one:

* a cost needs a negative exponent, and its term grows without bound as the cost falls: one superb metric buys all;
* a sum lets metrics make up for each other: a tenth of the time pays for ten times the memory;
* a metric of weight 0 does not leave: it adds 1 to every sum and changes the order;
* the terms are only comparable through T_i: another unit or normalisation of one metric changes the order.

The product f(a) * prod_i (HW_i / T_i)^w_i (Tan et al., MnasNet, 2019, with w = -0.07) is free of the last three: a
weight of 0 is a factor of 1, T_i is a constant of the whole list, and what is ten times as good in one metric and ten
times as bad in another is as before. It too is unbounded; hard limits, which come first, and small weights keep that
in hand. Every order by it begins on the Pareto front. Copeland's rule (pairwise majority of two rankings, Copeland,
1951) needs no weights between the two, and has no way to say that accuracy matters more.
"""

from __future__ import annotations

import numpy as np

MERGES = ("product", "thesis", "copeland")


def worth_of(scores: np.ndarray) -> np.ndarray:
    """f(a) in (0, 1) `[M]`: the share of models that one with this z-score is expected to beat."""
    from scipy.special import ndtr

    return np.asarray(ndtr(scores))


def thesis_sum(worth: np.ndarray, metrics: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """f(a) * sum_i (HW_i(a) / T_i)^w_i, exactly as the Cross-Sight thesis writes it, `[M]`.

    Args:
        worth: f(a), `[M]`.
        metrics: HW_i(a), above zero, `[M, K]`.
        targets: T_i, `[K]`.
        weights: w_i, `[K]`; negative for what is better when it is lower.
    """
    return worth * ((metrics / targets) ** weights).sum(axis=1)


def product(worth: np.ndarray, metrics: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """f(a) * prod_i (HW_i(a) / T_i)^w_i (Tan et al., 2019, eq. 2), `[M]`; arguments as of `thesis_sum`."""
    return worth * np.exp(np.log(metrics / targets) @ weights)


def copeland(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Wins less losses of each model against every other by the majority of two rankings, int64 `[M]`.

    A ranking that has two models level abstains; one against one is a draw.

    Args:
        first, second: values `[M]` of the two, higher is better.
    """
    return _beaten(first, second) - _beaten(-first, -second)


def _beaten(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How many models are no better in either and worse in one, int64 `[M]`: runs merged as in merge sort."""
    ranks = [np.unique(values, return_inverse=True)[1] for values in (first, second)]
    order = np.lexsort((ranks[1], ranks[0]))
    level = ranks[1][order].astype(np.int64)
    count, width, span = np.zeros(len(order), np.int64), 1, len(order) + 1
    place = np.arange(len(order))
    while width < len(order):
        run = place // width
        keys = np.sort(run * span + level)  # each run sorted on its own
        right = run % 2 == 1
        before = (run[right] - 1) * span
        found = np.searchsorted(keys, before + level[right], side="right") - (run[right] - 1) * width
        count[right] += found
        width *= 2
    same = _position_among_equals(ranks[0][order], level)
    beaten = np.empty_like(count)
    beaten[order] = count - same
    return beaten


def _position_among_equals(*columns: np.ndarray) -> np.ndarray:
    """Number of rows before each that equal it, where equal rows stand side by side."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    fresh = np.r_[True, np.any([column[1:] != column[:-1] for column in columns], axis=0)]
    starts = np.flatnonzero(fresh)
    return np.arange(len(fresh)) - starts[np.cumsum(fresh) - 1]
