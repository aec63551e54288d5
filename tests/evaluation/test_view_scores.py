import numpy as np
import pytest

from hf_crosssight.evaluation.family_pairs import PairCount
from hf_crosssight.evaluation.model_splits import ONE_FAMILY, UNSEEN_MODELS, Split
from hf_crosssight.evaluation.view_scores import (
    Cell,
    Figure,
    cells_of,
    difference,
    gated_off,
    pair_figure,
    tau_figure,
)


def cell(tau=0.5, group="g", dataset="d", seed=0, right=1.0, pairs=2):
    return Cell(ONE_FAMILY, group, seed, dataset, dataset, tau, PairCount(right, pairs, right, pairs))


def test_cells_hold_tau_and_pairs_of_the_held_out_models():
    split = Split(ONE_FAMILY, "vit", 0, np.array([0]), np.array([1, 2, 3, 4]), np.array([0]), np.array([0, 1]), True)
    scores = np.array([[9, 0.1, 0.2, 0.3, np.nan], [9, 0.3, np.nan, 0.1, np.nan]])
    predicted = np.array([[1.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0, 0.0]])
    first, second = cells_of(predicted, scores, split, ["x", "y"], ["x", "y"], ["r", "v", "v", "w", "w"])
    assert first.tau == pytest.approx(1.0)
    assert (first.pairs.right, first.pairs.pairs) == (1.0, 1)
    assert np.isnan(second.tau)  # two models are no ranking


def test_pairs_are_pooled_and_undefined_taus_left_out():
    cells = [cell(tau=1.0, right=3, pairs=3), cell(tau=float("nan"), right=0, pairs=1, dataset="e")]
    assert tau_figure(cells).mean == 1.0
    assert pair_figure(cells).mean == 0.75


def test_interval_holds_the_mean_and_narrows_with_agreement():
    rng = np.random.default_rng(0)
    cells = [
        cell(tau=float(t), group=f"g{i % 5}", dataset=f"d{i // 5}") for i, t in enumerate(rng.normal(0.5, 0.3, 50))
    ]
    wide = tau_figure(cells)
    assert wide.low < wide.mean < wide.high
    same = tau_figure([cell(group=f"g{i}", dataset=f"d{i}") for i in range(10)])
    assert (same.low, same.high, same.spread) == (0.5, 0.5, 0.0)


def test_spread_is_over_seeds_where_there_are_several_and_else_over_groups():
    over_seeds = [cell(tau=0.0, seed=0, group="a"), cell(tau=1.0, seed=1, group="b"), cell(tau=1.0, seed=1, group="c")]
    assert tau_figure(over_seeds).spread == pytest.approx(np.std([0, 1], ddof=1))
    over_groups = [cell(tau=t, group=g) for t, g in ((0.0, "a"), (1.0, "b"), (1.0, "c"))]
    assert tau_figure(over_groups).spread == pytest.approx(np.std([0, 1, 1], ddof=1))


def test_differences_are_paired():
    first = [cell(tau=0.9, group="a", right=2), cell(tau=0.1, group="b", right=1)]
    second = [cell(tau=0.8, group="a", right=1), cell(tau=0.0, group="b", right=0)]
    found = difference(first, second)
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1)
    assert difference(first, second, pairs=True).mean == pytest.approx(0.5)


def test_results_of_other_splits_cannot_be_paired():
    with pytest.raises(ValueError, match="same splits"):
        difference([cell(group="a")], [cell(group="b")])


def figure(mean):
    return Figure(mean, mean, mean, 0.0)


@pytest.mark.parametrize(
    ("added", "alone", "off"), [(-0.02, 0.5, True), (-0.005, 0.5, False), (0.1, 0.2, True), (0.1, 0.31, False)]
)
def test_a_view_is_gated_off_where_it_hurts_or_says_nothing(added, alone, off):
    assert gated_off(figure(added), figure(alone)) is off


def test_setting_is_part_of_what_is_paired():
    other = Cell(UNSEEN_MODELS, "g", 0, "d", "d", 0.5, PairCount())
    with pytest.raises(ValueError, match="same splits"):
        difference([cell()], [other])
