"""The structure view: the same network under any naming, what each column means, unknown facts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hf_crosssight.tokens.structure import (
    FACT_COLUMNS,
    SET_SUMMARY,
    STRUCTURE_DIM,
    STRUCTURE_ROWS,
    parameter_count,
    structure_view,
    without_tensor_set,
)
from hf_crosssight.tokens.tensor_kinds import KINDS, place_tensors
from tests.zoo.networks import Shape, TimmResNet, TimmViT, raw_cnn, shapes, transformers_resnet, transformers_vit

CONFIG = {"num_classes": 10}


def kinds_of(view: np.ndarray) -> list[str]:
    """The kind of each row that is there."""
    return [KINDS[int(row[1 : 1 + len(KINDS)].argmax())] for row in view[1:] if row[0]]


@pytest.mark.parametrize(
    ("timm_like", "transformers_like"),
    [(TimmResNet, transformers_resnet), (TimmViT, transformers_vit)],
    ids=["resnet", "vit"],
)
def test_same_network_under_two_namings_has_the_same_view(timm_like, transformers_like):
    first = structure_view(shapes(timm_like()), config=CONFIG)
    second = structure_view(shapes(transformers_like()), config=CONFIG)
    np.testing.assert_allclose(first[0], second[0], atol=1e-6)
    assert kinds_of(first) == kinds_of(second)
    assert np.abs(first - second).max() < 0.1


def test_networks_of_two_families_differ():
    resnet, vit = (structure_view(shapes(network), config=CONFIG) for network in (TimmResNet(), TimmViT()))
    assert np.abs(resnet - vit).max() > 0.5
    assert {"attention_qkv", "attention_out", "linear_up", "linear_down"} <= set(kinds_of(vit))
    assert {"stem", "conv", "conv_pointwise", "norm_statistic", "head"} <= set(kinds_of(resnet))


def test_parameters_are_counted_without_statistics_and_counters():
    network = TimmResNet()
    placed = place_tensors(shapes(network))
    assert parameter_count(placed) == sum(p.numel() for p in network.parameters())
    view = structure_view(shapes(network), params=123)
    column = FACT_COLUMNS["params"]
    assert view[0, column] == 1.0
    assert view[0, column + 1] == pytest.approx(math.log10(parameter_count(placed)) / 10)


def test_order_of_tensors_and_half_precision_change_nothing():
    tensors = shapes(TimmViT())
    view = structure_view(tensors, config=CONFIG)
    halves = [replace(tensor, dtype="F16") for tensor in reversed(tensors)]
    np.testing.assert_array_equal(view, structure_view(halves, config=CONFIG))


def test_eight_bit_weights_are_marked():
    tensors = shapes(TimmViT())
    quantised = [replace(t, dtype="I8") if len(t.shape) == 2 else t for t in tensors]
    plain, marked = structure_view(tensors, config=CONFIG), structure_view(quantised, config=CONFIG)
    assert np.abs(plain[0] - marked[0]).max() > 0.5


def test_block_ten_stands_after_block_nine():
    placed = place_tensors(shapes(TimmViT(layers=12)), 10)
    depths = [t.depth for t in placed if t.kind == "linear_up"]
    assert depths == sorted(depths)
    names = [s for s in shapes(TimmViT(layers=12)) if s.name.endswith("mlp.fc1.weight")]
    assert names[2].name.startswith("blocks.10."), "safetensors sorts by name, so this order is not the network's"
    one_each = [Shape(f"blocks.{i}.mlp.fc1.weight", "F32", (64 * (i + 1), 8)) for i in sorted(range(12), key=str)]
    assert [t.shape[0] for t in place_tensors(one_each)] == [64 * (i + 1) for i in range(12)]


def test_stem_and_head_of_a_raw_export_are_found_by_shape():
    placed = place_tensors(shapes(raw_cnn()))
    assert [t.kind for t in placed if t.kind != "bias"] == ["stem", "conv", "head"]
    assert structure_view(shapes(raw_cnn()))[0].tolist().count(pytest.approx(1 / 3)) >= 1  # one grey channel of three


def test_backbone_without_classifier_has_no_head():
    tensors = [tensor for tensor in shapes(TimmViT()) if not tensor.name.startswith("head.")]
    assert "head" not in {t.kind for t in place_tensors(tensors, 0)}
    assert "head" not in {t.kind for t in place_tensors(tensors)}


def test_keras_kernels_read_like_torch_weights():
    torch_like = [Shape("conv.weight", "F32", (32, 3, 5, 5)), Shape("fc.weight", "F32", (10, 320))]
    keras_like = [Shape("conv/kernel", "F32", (5, 5, 3, 32)), Shape("fc/kernel", "F32", (320, 10))]
    np.testing.assert_allclose(structure_view(torch_like), structure_view(keras_like), atol=1e-6)


def test_unknown_facts_are_zero_beside_a_zero_flag():
    view = structure_view(None, params=1_000_000, input_size=224)
    assert view.shape == (STRUCTURE_ROWS, STRUCTURE_DIM)
    assert view[0, 0] == 1.0
    assert not view[1:].any()
    assert not view[0, SET_SUMMARY].any()
    assert view[0, FACT_COLUMNS["params"] : FACT_COLUMNS["params"] + 2].tolist() == pytest.approx([1.0, 0.6])
    for name in ("gmacs", "macts"):
        assert not view[0, FACT_COLUMNS[name] : FACT_COLUMNS[name] + 2].any()


def test_dropping_the_tensor_set_equals_never_having_had_it():
    facts = {"params": sum(p.numel() for p in TimmViT().parameters()), "gmacs": 0.3, "macts": 2.0, "input_size": 32}
    with_set = structure_view(shapes(TimmViT()), config=CONFIG, **facts)
    np.testing.assert_allclose(without_tensor_set(with_set), structure_view(None, **facts), atol=1e-7)
    assert with_set[1:].any(), "the view that was given must not change"


def test_values_fit_half_precision_even_for_odd_networks():
    huge = Shape("huge.weight", "F32", (1 << 20, 1 << 14))
    odd = [Shape("x", "F32", ()), Shape("empty.weight", "F32", (0, 5)), huge]
    view = structure_view(odd, gmacs=1e-9, macts=1e9, input_size=1)
    assert np.isfinite(view).all()
    assert np.abs(view).max() < 10
