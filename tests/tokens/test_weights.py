"""The weights view: finite, of the order of one for any network, blind to what does not matter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hf_crosssight.hub.weight_files import folder_weights
from hf_crosssight.tokens.network_summary import SUMMARY
from hf_crosssight.tokens.weights import COLUMNS, WEIGHTS_SHAPE, WeightsReading, weights_view


def network(seed: int = 0, width: int = 16, blocks: int = 3) -> dict[str, np.ndarray]:
    """A convolutional network with batch normalisation, at random weights."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)

    state = {"conv1.weight": normal(width, 3, 7, 7)}
    for i in range(blocks):
        state[f"layers.{i}.conv.weight"] = normal(width, width, 3, 3)
        state[f"layers.{i}.bn.weight"] = rng.uniform(0.5, 1.5, width).astype(np.float32)
        state[f"layers.{i}.bn.bias"] = rng.normal(size=width).astype(np.float32) * 0.1
        state[f"layers.{i}.bn.running_mean"] = rng.normal(size=width).astype(np.float32)
        state[f"layers.{i}.bn.running_var"] = rng.uniform(0.5, 1.5, width).astype(np.float32)
    return state | {"fc.weight": normal(10, width), "fc.bias": np.linspace(-1, 1, 10, dtype=np.float32)}


def read(folder: Path, state: dict[str, np.ndarray], **options) -> WeightsReading:
    folder.mkdir(exist_ok=True)
    save_file(state, folder / "model.safetensors")
    return weights_view(folder_weights(folder), **options)


def column(view: np.ndarray, name: str) -> np.ndarray:
    return view[1:][view[1:, 0] > 0][:, COLUMNS.index(name)]


def test_shape_columns_and_layers(tmp_path):
    reading = read(tmp_path, network())
    assert reading.view.shape == WEIGHTS_SHAPE
    assert len(COLUMNS) <= WEIGHTS_SHAPE[1]
    assert 1 + len(SUMMARY) <= WEIGHTS_SHAPE[1]
    assert reading.view[0, 0] == 1
    kinds = [name for name in COLUMNS if name.startswith("kind_") and column(reading.view, name).any()]
    assert kinds == ["kind_stem", "kind_conv", "kind_norm", "kind_head"]
    assert column(reading.view, "valid").sum() == 1 + 3 + 3 + 1
    assert reading.bytes_read == sum(array.nbytes for array in network().values())
    assert reading.skipped == ()


def test_random_weights_are_near_zero_where_chance_is_zero(tmp_path):
    view = read(tmp_path, network(width=64)).view
    convs = column(view, "kind_conv") > 0
    for name in ("kurtosis", "q05", "row_cosine", "row_alignment", "edge_excess", "rank_deficit", "lag_x", "dc"):
        assert np.abs(column(view, name)[convs]).max() < 0.12, name
    np.testing.assert_allclose(column(view, "log_gain")[convs], np.log(2) / 2, atol=0.02)


def test_order_of_tensors_rows_and_columns_does_not_matter(tmp_path):
    state = network()
    first = read(tmp_path / "a", state).view
    again = read(tmp_path / "b", dict(reversed(state.items()))).view
    np.testing.assert_array_equal(first, again)
    order = np.random.default_rng(1).permutation(16)
    for part in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"):
        state[f"layers.0.{part}"] = state[f"layers.0.{part}"][order]
    state["layers.1.conv.weight"] = np.ascontiguousarray(state["layers.1.conv.weight"][:, order])
    np.testing.assert_allclose(read(tmp_path / "c", state).view, first, atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_reported_and_leave_the_view_finite(tmp_path, bad):
    state = network()
    state["layers.1.conv.weight"][0, 0, 0, 0] = bad
    reading = read(tmp_path, state)
    assert np.isfinite(reading.view).all()
    assert ("layers.1.conv.weight", "1 of 2304 values are not finite") in reading.skipped
    assert column(reading.view, "not_finite").max() == pytest.approx(1 / 2304)


def test_a_model_without_meaningful_numbers_has_no_view(tmp_path):
    with pytest.raises(ValueError, match="no tensor"):
        read(tmp_path, {"steps": np.zeros(3, np.int64), "nothing": np.zeros((0, 4), np.float32)})


def test_disjoint_parts_tell_the_same_and_read_half_each(tmp_path):
    state = network(width=64)
    whole = read(tmp_path, state)
    parts = [weights_view(folder_weights(tmp_path), part=(i, 2)) for i in range(2)]
    assert sum(part.bytes_read for part in parts) == whole.bytes_read
    for part in parts:
        for name in ("log_gain", "kurtosis", "row_alignment", "depth"):
            np.testing.assert_allclose(column(part.view, name), column(whole.view, name), atol=0.3)


def test_a_budget_is_kept_and_progress_is_told(tmp_path):
    told: list[tuple[str, int, int | None]] = []
    state = {
        f"layers.{i}.weight": np.random.default_rng(i).normal(size=(512, 512)).astype(np.float16) for i in range(8)
    }
    reading = read(tmp_path, state, budget=1 << 20, progress=lambda *what: told.append(what))
    assert abs(reading.bytes_read - (1 << 20)) < 0.05 * (1 << 20)
    assert told[-1][1:] == (reading.bytes_read, reading.bytes_read)
    assert np.abs(column(reading.view, "log_gain") - np.log(512) / 2).max() < 0.02


def test_fused_and_separate_attention_are_the_same_layers(tmp_path):
    rng = np.random.default_rng(0)
    query, key, value = (rng.normal(size=(64, 64)).astype(np.float32) * scale for scale in (1, 2, 3))
    bias = rng.normal(size=(3, 64)).astype(np.float32)
    rest = {"blocks.0.mlp.fc1.weight": rng.normal(size=(256, 64)).astype(np.float32)}
    fused = {"blocks.0.attn.qkv.weight": np.concatenate([query, key, value]), "blocks.0.attn.qkv.bias": bias.ravel()}
    split = {
        f"blocks.0.attn.{name}.{leaf}": array
        for name, matrix, own in zip(("q_proj", "k_proj", "v_proj"), (query, key, value), bias, strict=True)
        for leaf, array in (("weight", matrix), ("bias", own))
    }
    views = [read(tmp_path / str(i), state | rest).view for i, state in enumerate((fused, split))]
    for name in ("kind_attention_qkv", "log_gain", "bias_mean", "row_kurtosis"):
        first, second = (np.sort(column(view, name)) for view in views)
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_keras_kernel_is_read_with_output_units_as_rows(tmp_path):
    state = network()
    turned = dict(state)
    turned["layers.1.conv.kernel"] = np.ascontiguousarray(turned.pop("layers.1.conv.weight").transpose(2, 3, 1, 0))
    first, second = (read(tmp_path / name, one).view for name, one in (("a", state), ("b", turned)))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_quantised_layers_have_no_scale_but_everything_else(tmp_path):
    whole = network(width=32)
    step = np.abs(whole["fc.weight"]).max() / 127
    quantised = whole | {"fc.weight": np.round(whole["fc.weight"] / step).astype(np.int8)}
    first, second = (read(tmp_path / name, one).view for name, one in (("a", whole), ("b", quantised)))
    head = column(second, "kind_head") > 0
    assert column(second, "integer")[head] == 1
    assert column(second, "log_gain")[head] == 0
    for name in ("kurtosis", "row_alignment", "edge_excess", "row_norm_cv"):
        np.testing.assert_allclose(column(second, name)[head], column(first, name)[head], atol=0.02)


@pytest.mark.parametrize(
    "state",
    [
        {"w": np.ones((3, 3), np.float32)},
        {"weight": np.random.default_rng(0).normal(size=(1, 5)).astype(np.float32)},
        {
            "embedding": np.random.default_rng(0).normal(size=(1, 7, 5)).astype(np.float32),
            "x": np.zeros((), np.float32),
        },
        {f"{i}.weight": np.random.default_rng(i).normal(size=(9, 9)).astype(np.float32) for i in range(200)},
        {"huge": np.full((4, 4), 3e38, np.float32), "bad": np.full((4, 4), np.nan, np.float32)},
    ],
    ids=["constant", "one row", "tokens", "two hundred layers", "extreme"],
)
def test_odd_networks_have_a_finite_view_for_half_precision(tmp_path, state):
    reading = read(tmp_path, state)
    assert np.isfinite(reading.view.astype(np.float16)).all()
    assert np.abs(reading.view).max() <= 8
    assert 1 <= column(reading.view, "valid").sum() <= WEIGHTS_SHAPE[0] - 1


def test_no_torch_is_needed():
    code = "import sys, hf_crosssight.tokens.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
