"""The weights view: finite, of the order of one for any network, blind to what does not matter."""

from __future__ import annotations

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
