"""The benchmark of lineage recovery: relatives by hand, cosines of what two models share."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from lineage_recovery import figures, related, shared_cosines

PARENT = {1: 0, 2: 1}  # 0 → 1 → 2, and two strangers


def test_relatives_descend_from_each_other():
    found = related(PARENT, 5)
    assert found[0, 2]
    assert found[2, 1]
    assert not found[3].any()
    assert not np.diag(found).any()


def test_nearness_that_is_right_has_full_marks_and_one_that_is_not_has_none():
    right = np.full((5, 5), -9.0)
    right[0, 1] = right[1, 0] = 0
    right[1, 2] = right[2, 1] = -1
    right[0, 2] = right[2, 0] = -2
    assert figures(right, PARENT) == ["1.000", "1.000", "1.000", "1.000"]
    assert figures(-right, PARENT)[3] == "0.000"


def test_scales_and_other_shapes_do_not_count():
    weights = np.arange(1.0, 13).reshape(3, 4)
    one = {"w": weights, "scale": np.ones(4), "head": np.ones((2, 2))}
    tuned = {"w": 2 * weights, "scale": -np.ones(4), "head": np.ones((5, 4))}
    other = {"w": np.ones((4, 3)), "scale": np.ones(4)}
    found = shared_cosines([one, tuned, other])
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == found[1, 2] == 0
