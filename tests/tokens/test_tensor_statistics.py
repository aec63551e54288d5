"""Statistics of a tensor: zero where chance rules, moved by what they are named after, blind to scale and order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hf_crosssight.tokens.tensor_statistics import (
    KERNEL,
    MATRIX,
    RowSample,
    bias_statistics,
    matrix_statistics,
    norm_statistics,
)

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(200, 300)).astype(np.float32) / math.sqrt(300)


def of(values: np.ndarray, kernel: tuple[int, int] = (1, 1), **options) -> dict[str, float]:
    return matrix_statistics(RowSample(values, values.shape[1], len(values), kernel), **options)


def test_all_statistics_of_a_matrix_are_there_and_small_for_noise():
    found = of(NOISE)
    assert set(found) == set(MATRIX)
    chance = ("log_gain", "q01", "q50", "q99", "skew", "kurtosis", "row_norm_cv", "row_alignment", "edge_excess")
    assert max(abs(found[name]) for name in (*chance, "rank_deficit", "bulk", "singular_1")) < 0.06
    assert found["top_direction"] == pytest.approx(0, abs=0.1)


def test_scale_changes_only_what_tells_scale():
    first, second = of(NOISE), of(NOISE * 7)
    assert second["log_gain"] - first["log_gain"] == pytest.approx(math.log(7), abs=1e-4)
    scale_free = set(MATRIX) - {"log_gain", "log_std"}
    assert max(abs(first[name] - second[name]) for name in scale_free) < 1e-5
    assert not {"log_gain", "log_std"} & set(of(NOISE, integer=True))


def test_scaled_rows_as_after_folding_a_normalisation_move_only_what_tells_row_norms():
    folded = NOISE * np.exp(RNG.normal(size=(200, 1)))
    first, second = of(NOISE), of(folded.astype(np.float32))
    assert second["row_norm_cv"] > 1
    for name in ("row_q05", "row_kurtosis", "row_alignment", "top_direction", "singular_1", "edge_excess", "bulk"):
        assert second[name] == pytest.approx(first[name], abs=1e-4), name


def test_a_shared_direction_is_seen_in_pairs_and_in_the_spectrum():
    direction = RNG.normal(size=300) / math.sqrt(300)
    spiked = of((NOISE + 0.5 * RNG.normal(size=(200, 1)) * direction).astype(np.float32))
    chance = of(NOISE)
    for name in ("row_alignment", "top_direction", "column_alignment", "singular_1", "edge_excess", "rank_deficit"):
        assert spiked[name] > chance[name] + 0.1, name
    assert of((NOISE + direction).astype(np.float32))["row_cosine"] > 1


def test_half_of_the_rows_tells_the_same():
    direction = RNG.normal(size=300) / math.sqrt(300)
    whole = (NOISE + 0.5 * RNG.normal(size=(200, 1)) * direction).astype(np.float32)
    first, second = of(whole), matrix_statistics(RowSample(whole[::2], 300, 200))
    for name in ("log_gain", "kurtosis", "row_alignment", "top_direction", "column_alignment", "row_kurtosis"):
        assert second[name] == pytest.approx(first[name], abs=0.15), name


def test_order_of_rows_and_columns_does_not_matter():
    wide = RNG.standard_t(4, size=(600, 700)).astype(np.float32)
    shuffled = wide[RNG.permutation(600)][:, RNG.permutation(700)]
    first, second = of(wide), of(shuffled)
    assert max(abs(first[name] - second[name]) for name in MATRIX) < 1e-4


@pytest.mark.parametrize(("values", "sign"), [(RNG.uniform(-1, 1, (64, 64)), -1), (RNG.laplace(size=(64, 64)), 1)])
def test_kurtosis_tells_flat_from_heavy_tails(values, sign):
    assert of(values)["kurtosis"] * sign > 0.4
    assert of(values)["row_kurtosis"] * sign > 0.3


def test_kernels():
    noise = RNG.normal(size=(64, 16 * 9))
    found = of(noise, (3, 3))
    assert set(KERNEL) <= set(found)
    assert max(abs(found[name]) for name in KERNEL) < 0.1
    flat = np.repeat(RNG.normal(size=(64, 16)), 9, axis=1)
    smooth = of(flat, (3, 3))
    assert smooth["dc"] == pytest.approx(1)
    assert smooth["lag_x"] == pytest.approx(1)
    point = np.zeros((64, 16, 3, 3))
    point[:, :, 1, 1] = RNG.normal(size=(64, 16))
    assert of(point.reshape(64, -1), (3, 3))["centre"] == pytest.approx(math.log(9) / 2, abs=1e-3)
    assert not set(KERNEL) & set(of(noise))


def test_stem_channels_that_agree_or_oppose():
    filters = RNG.normal(size=(32, 1, 25))
    grey = np.repeat(filters, 3, axis=1).reshape(32, -1)
    assert of(grey, (5, 5))["channel_sum"] == pytest.approx(1)
    opponent = (filters * np.array([1, -0.5, -0.5])[None, :, None]).reshape(32, -1)
    assert of(opponent, (5, 5))["channel_sum"] == pytest.approx(-0.5)


@pytest.mark.parametrize("values", [np.zeros((8, 8)), np.ones((1, 1)), np.full((4, 4), 1e-30), np.full((3, 1), 1e30)])
def test_degenerate_tensors_give_finite_numbers_or_none(values):
    assert all(math.isfinite(value) for value in of(values.astype(np.float32)).values())


def test_bias_and_normalisation():
    bias = bias_statistics(np.array([0.5, 0.5, 0.5, -0.5]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert bias["bias_mean"] == pytest.approx(0.5)
    assert bias["bias_scale"] == pytest.approx(math.log(0.5), abs=1e-3)
    assert bias_statistics(np.zeros(4), None) == {}
    vectors = {
        "gain": np.array([2.0, 2.0, 2.0, 0.01]),
        "offset": np.array([1.0, 1.0, 1.0, 1.0]),
        "mean": np.array([3.0, 3.0, 3.0, 3.0]),
        "variance": np.full(4, 9.0),
    }
    found = norm_statistics(vectors)
    assert found["gain_mean"] == pytest.approx(math.log(math.sqrt(3)), abs=1e-3)
    assert found["gain_dead"] == 0.25
    assert found["offset_mean"] == pytest.approx(1 / math.sqrt(3), abs=1e-3)
    assert found["running_mean"] == pytest.approx(1)
    assert found["running_var"] == pytest.approx(math.log(9))
    assert "running_var" not in norm_statistics({"gain": np.ones(3)})
