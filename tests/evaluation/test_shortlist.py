"""The shortlist holds the best model as often as it says, of datasets like those it was calibrated on."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.evaluation.shortlist import HeldOut, conformal_gap, leave_one_parent_out


def drawn(count: int, noise: float, seed: int) -> list[HeldOut]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        truth = rng.normal(size=20)
        found.append(HeldOut.of(f"p{number}", truth + noise * rng.normal(size=20), truth))
    return found


def test_a_gap_is_what_the_best_model_lacks():
    held = HeldOut.of("p", np.array([3.0, 1.0, 2.5]), np.array([0.2, 0.9, 0.5]))
    assert held.gaps == (0.0, 2.0, 0.5)
    assert held.best == 2.0
    assert HeldOut.of("p", np.array([3.0, 1.0]), np.array([0.9, 0.9])).best == 0.0


def test_the_place_counts_parents_not_datasets():
    held = [HeldOut(f"p{n}", (0.0,), float(n)) for n in range(9)]
    assert conformal_gap(held) == 8.0, "nine parents: the largest of all, ceil(10 * 0.9) = 9"
    assert conformal_gap([*held, *held]) == 8.0
    assert conformal_gap(held[:8]) is None, "eight parents cannot promise 90 %"
    assert conformal_gap(held[:8], coverage=0.5) == 4.0


def test_new_datasets_are_covered_as_promised():
    gap = conformal_gap(drawn(60, 0.7, seed=1))
    new = drawn(400, 0.7, seed=2)
    assert np.mean([one.best <= gap for one in new]) == pytest.approx(0.92, abs=0.05)


def test_better_predictions_give_shorter_lists():
    good, bad = (leave_one_parent_out(drawn(40, noise, seed=3)) for noise in (0.2, 1.5))
    assert good.share > 0.85
    assert bad.share > 0.85
    assert good.size < 0.4 < bad.size
    assert leave_one_parent_out(drawn(5, 0.2, seed=4)).size == 1.0, "too few parents: all models are on it"
