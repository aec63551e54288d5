"""Costs of well-known backbones, found by the shapes of their layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_crosssight.zoo import known_costs
from hf_crosssight.zoo.known_costs import backbone_key, known_cost, write_table
from tests.zoo.networks import TimmResNet, TimmViT, raw_cnn, shapes, transformers_resnet, transformers_vit


def test_the_key_knows_a_backbone_under_any_names_and_any_head():
    assert backbone_key(shapes(TimmResNet())) == backbone_key(shapes(transformers_resnet(classes=3)))
    assert backbone_key(shapes(TimmViT())) == backbone_key(shapes(transformers_vit(classes=7)))
    assert backbone_key(shapes(TimmViT())) != backbone_key(shapes(TimmViT(layers=11)))
    assert backbone_key([]) == ""


def test_a_fine_tuned_resnet18_has_the_cost_of_resnet18():
    network = transformers_resnet(widths=(64, 128, 256, 512), classes=5)
    gmacs, macts = known_cost(shapes(network), 224, 5)
    assert gmacs == pytest.approx(1.82, rel=0.02)
    assert macts == pytest.approx(2.48, rel=0.02)
    at_160, _ = known_cost(shapes(network), 160, 5)
    assert at_160 == pytest.approx(gmacs * (160 / 224) ** 2, rel=0.05)


def test_unknown_networks_sizes_and_far_sizes_have_no_cost():
    resnet = shapes(transformers_resnet(widths=(64, 128, 256, 512)))
    assert known_cost(shapes(raw_cnn()), 28) == (None, None)
    assert known_cost(resnet, None) == (None, None)
    assert known_cost(resnet, 32) == (None, None)
    assert known_cost([], 224) == (None, None)


def test_shapes_of_different_cost_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "costs.parquet"
    agreed = [("a", 224, 4.0, 10.0), ("a", 224, 4.04, 10.1)]
    rows = [*agreed, ("b", 224, 1.0, 3.0), ("b", 224, 2.0, 3.0), ("", 1, 1.0, 1.0)]
    assert write_table(rows, path) == 1
    monkeypatch.setattr(known_costs, "TABLE", path)
    known_costs._table.cache_clear()
    try:
        assert list(known_costs._table()) == ["a"]
        assert known_costs._table()["a"][224] == pytest.approx((4.02, 10.05))
    finally:
        known_costs._table.cache_clear()
