"""The metrics against values computed by hand or by scipy directly."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import weightedtau

from hf_crosssight.evaluation import (
    ndcg_at_k,
    pair_accuracy,
    regret_at_k,
    weighted_tau,
    weighted_tau_true_rank,
)
from hf_crosssight.evaluation.metrics import METRICS

ACCURACY = [0.91, 0.91, 0.74, 0.88, 0.60]
SCORE = [2.0, 1.0, 1.5, 1.7, -3.0]


def test_two_conventions_are_scipys_and_differ():
    assert weighted_tau(SCORE, ACCURACY) == pytest.approx(weightedtau(SCORE, ACCURACY).statistic)
    assert weighted_tau_true_rank(SCORE, ACCURACY) == pytest.approx(weightedtau(ACCURACY, SCORE, rank=None).statistic)
    assert abs(weighted_tau(SCORE, ACCURACY) - weighted_tau_true_rank(SCORE, ACCURACY)) > 0.01


def test_a_perfect_and_a_reversed_ranking():
    x = np.arange(7.0)
    assert weighted_tau(x, x**3) == pytest.approx(1.0)
    assert weighted_tau_true_rank(-x, x) == pytest.approx(-1.0)


@pytest.mark.parametrize("name", ["weighted_tau", "weighted_tau_true_rank", "kendall_tau"])
def test_constants_give_zero(name):
    assert METRICS[name](np.ones(5), ACCURACY) == 0.0
    assert METRICS[name](SCORE, np.ones(5)) == 0.0
    assert METRICS[name]([1.0], [1.0]) == 0.0


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_regret_is_the_expectation_over_tied_scores(k):
    scores, accuracy = np.array([3.0, 1.0, 1.0, 1.0, 0.0]), np.array([0.5, 0.9, 0.7, 0.6, 1.0])
    n = min(k, 5)
    sets = [s for s in combinations(range(5), n) if min(scores[list(s)]) >= np.sort(scores)[::-1][n - 1]]
    sets = [s for s in sets if 0 in s and (n < 5 or 4 in s)]
    expected = np.mean([1.0 - max(accuracy[i] for i in s) for s in sets])
    assert regret_at_k(scores, accuracy, k) == pytest.approx(expected)


def test_regret_of_a_constant_is_a_blind_draw():
    assert regret_at_k(np.zeros(4), [0.0, 0.2, 0.4, 1.0], 1) == pytest.approx(0.6)


def test_ndcg_is_one_for_the_right_order_and_less_for_another():
    assert ndcg_at_k(ACCURACY, ACCURACY) == pytest.approx(1.0)
    assert 0 < ndcg_at_k(np.negative(ACCURACY), ACCURACY, 2) < ndcg_at_k(SCORE, ACCURACY, 2) <= 1


def test_pair_accuracy_within_groups():
    scores, accuracy = [1.0, 2.0, 3.0, 3.0], [1.0, 2.0, 0.0, 1.0]
    assert pair_accuracy(scores, accuracy, ["a", "a", "b", "b"]) == pytest.approx(0.75)
    assert pair_accuracy(scores, accuracy, ["a", "b", "c", "d"]) is None


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one length"):
        weighted_tau([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        weighted_tau([1.0, np.nan], [1.0, 2.0])
