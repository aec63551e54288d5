"""Merging worth with costs: how the thesis' formula fails, how the product does not, and both rules by brute force."""

import numpy as np
import pytest

from hf_crosssight.hardware.combine import copeland, product, thesis_sum, worth_of
from hf_crosssight.hardware.pareto import on_front

LATENCY = np.array([1.0])


def best(merge, worth, metrics, targets, weights):
    """Which of the models comes first."""
    return int(np.argmax(merge(*(np.asarray(values, float) for values in (worth, metrics, targets, weights)))))


def test_both_forms_are_as_written():
    worth, metrics = np.array([0.5]), np.array([[2.0, 8.0]])
    targets, weights = np.array([4.0, 4.0]), np.array([-1.0, 2.0])
    assert thesis_sum(worth, metrics, targets, weights) == pytest.approx(0.5 * (2.0 + 4.0))
    assert product(worth, metrics, targets, weights) == pytest.approx(0.5 * 2.0 * 4.0)


def test_the_sum_lets_one_superb_metric_buy_anything():
    """A model worth nothing that is very fast and takes forty times the memory: sum 1000.03, against 2."""
    worth, metrics, targets = [0.9, 0.1], [[1.0, 1.0], [0.001, 40.0]], [1.0, 1.0]
    assert best(thesis_sum, worth, metrics, targets, [-1, -1]) == 1
    assert best(product, worth, metrics, targets, [-0.07, -0.07]) == 0


def test_the_sum_lets_metrics_make_up_for_each_other():
    """Ten times as fast for ten times the memory: the sum calls that five times as good, the product no better."""
    metrics, targets, weights = np.array([[1.0, 1.0], [0.1, 10.0]]), np.ones(2), np.array([-1.0, -1.0])
    level = np.array([0.5, 0.5])
    assert thesis_sum(level, metrics, targets, weights) == pytest.approx([1.0, 5.05])
    assert product(level, metrics, targets, weights) == pytest.approx([0.5, 0.5])


def test_a_weight_of_zero_stays_in_the_sum_and_changes_the_order():
    worth, metrics = [0.9, 0.5], [[1.0, 7.0], [0.5, 7.0]]
    without = [row[:1] for row in metrics]
    assert best(thesis_sum, worth, without, [1.0], [-1.0]) == 1
    assert best(thesis_sum, worth, metrics, [1.0, 1.0], [-1.0, 0.0]) == 0  # 1 was added to both sums
    assert best(product, worth, without, [1.0], [-1.0]) == best(product, worth, metrics, [1.0, 1.0], [-1.0, 0.0]) == 1


def test_another_normalisation_changes_the_order_of_the_sum_only():
    """The same two models with latency in milliseconds and in seconds, T left at 1."""
    worth, milliseconds, seconds = [0.6, 0.6], [[10.0, 1.0], [20.0, 0.9]], [[0.010, 1.0], [0.020, 0.9]]
    firsts = [best(thesis_sum, worth, metrics, [1.0, 1.0], [-1, -1]) for metrics in (milliseconds, seconds)]
    assert firsts == [1, 0]
    firsts = [best(product, worth, metrics, [1.0, 1.0], [-1, -1]) for metrics in (milliseconds, seconds)]
    assert firsts == [0, 0]


def test_a_positive_weight_as_written_prefers_what_costs_more():
    assert best(thesis_sum, [0.5, 0.5], [[1.0], [3.0]], [1.0], [1.0]) == 1


def test_the_first_of_the_product_lies_on_the_front():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores, latency = rng.normal(size=40), rng.lognormal(size=40)
        first = np.argmax(product(worth_of(scores), latency[:, None], np.array([1.0]), np.array([-0.3])))
        assert on_front(scores, latency)[first]


def test_copeland_counts_as_every_pair_does():
    rng = np.random.default_rng(0)
    for count in (0, 1, 2, 3, 7, 33, 100):
        first, second = (rng.integers(0, 12, count).astype(float) for _ in range(2))
        votes = np.sign(first[:, None] - first) + np.sign(second[:, None] - second)
        assert copeland(first, second).tolist() == np.sign(votes).sum(axis=1).tolist()


def test_the_front_is_what_nothing_beats():
    rng = np.random.default_rng(1)
    for levels in (1, 2, 9, 9, 9, 30) * 5:
        score, cost = rng.integers(0, levels, 25).astype(float), rng.integers(0, levels, 25).astype(float)
        cost[rng.random(25) < rng.choice([0.05, 0.5, 1.0])] = np.nan
        beaten = [
            any(
                (s >= score[i] and c <= cost[i]) and (s > score[i] or c < cost[i])
                for s, c in zip(score, cost, strict=True)
            )
            for i in range(25)
        ]
        expected = ~np.array(beaten) & np.isfinite(cost)
        assert on_front(score, cost).tolist() == expected.tolist()
    assert on_front(np.zeros(0), np.zeros(0)).tolist() == []
