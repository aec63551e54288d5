"""Bridges between tables that share images but no model."""

import numpy as np

from hf_crosssight.ground_truth.bridges import bridges
from hf_crosssight.ground_truth.tables import GroundTruthTable


def table(id, datasets, models, scores, unit="accuracy %", self_transfer=None, licence="mit"):
    values = np.array(scores, dtype=np.float64)
    own = np.zeros(values.shape, bool) if self_transfer is None else np.array(self_transfer)
    return GroundTruthTable(id, licence, "made up", unit, datasets, models, values, own)


SMALL = table(
    "small_zoo", ("zoo-bench/cifar10", "zoo-bench/dtd-10"), ("s/a", "s/b"), [[0.2, 0.4], [0.3, 0.1]], "accuracy"
)


def test_models_of_both_tables_stand_in_one_list_in_percent():
    big = table("big", ("cifar10", "pets"), ("m/x", "m/y"), [[95.0, 90.0], [80.0, 70.0]], licence="none")
    (bridge,) = bridges([big, SMALL])
    assert bridge.id == "bridge_big"
    assert bridge.auxiliary
    assert not bridge.licensed
    assert bridge.datasets == ("cifar10",)
    assert bridge.models == ("m/x", "m/y", "s/a", "s/b")
    np.testing.assert_allclose(bridge.scores, [[95.0, 90.0, 20.0, 40.0]])


def test_no_bridge_where_the_protocols_could_turn_the_order():
    close = table("close", ("cifar10",), ("m/x", "m/y"), [[95.0, 45.0]])  # 5 points above the best small one
    assert bridges([close, SMALL]) == ()


def test_self_transfer_is_left_out_on_both_sides():
    big = table("big", ("dtd",), ("m/x", "m/y"), [[90.0, 20.0]], self_transfer=[[False, True]])
    (bridge,) = bridges([big, SMALL])
    index, scores = bridge.row(0)
    assert [bridge.models[i] for i in index] == ["m/x", "s/a", "s/b"]
    np.testing.assert_allclose(scores, [90.0, 30.0, 10.0])


def test_tables_of_other_measures_are_not_bridged():
    assert bridges([table("auc", ("cifar10",), ("m/x", "m/y"), [[95.0, 90.0]], unit="AUC"), SMALL]) == ()
    assert bridges([table("big", ("cifar10",), ("m/x", "m/y"), [[95.0, 90.0]])]) == ()
