import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from evidence.steady_ridge import mix_with_mean, predict_steadily
from evidence.weights_reading import offset_movement, weights_reading

from hf_crosssight.evaluation.model_splits import UNSEEN_MODELS, all_splits
from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.hub.weight_files import folder_weights
from hf_crosssight.tokens.weights import weights_view


def network(folder, offset):
    """A network of four layers whose biases and offsets have this size."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    tensors = {}
    for layer in range(2):
        tensors[f"layers.{layer}.fc.weight"] = rng.normal(0, 0.1, (32, 32))
        tensors[f"layers.{layer}.fc.bias"] = offset * rng.normal(size=32)
        tensors[f"layers.{layer}.norm.weight"] = 3 * np.ones(32)
        tensors[f"layers.{layer}.norm.bias"] = offset * rng.normal(size=32)
    folder.mkdir(parents=True)
    save_file({name: value.astype(np.float32) for name, value in tensors.items()}, folder / "model.safetensors")
    return weights_view(folder_weights(folder)).view


@pytest.mark.parametrize("size", [0.02, 0.5])
def test_movement_is_the_size_of_the_offsets_whatever_gains_and_rows(tmp_path, size):
    view = network(tmp_path / "net", size)
    assert np.allclose(np.exp(offset_movement(view[1:])) - 1e-3, size, rtol=0.25)


def test_a_network_without_offsets_has_the_floor_and_a_missing_view_is_zero(tmp_path):
    still = network(tmp_path / "still", 0.0)
    summary, movement = weights_reading(np.stack([still, np.zeros_like(still)]))
    assert movement.known.tolist() == summary.known.tolist() == [True, False]
    assert np.allclose(movement.values[0], np.log(1e-3))
    assert not movement.values[1].any()


def test_a_known_dataset_has_half_its_own_output_and_an_unseen_one_the_mean():
    outputs = np.array([[0.0, 4.0], [2.0, 0.0]])
    mixed = mix_with_mean(outputs, np.array([3, 5]), np.array([5, 7]))
    assert np.allclose(mixed, [[3.0, 0.5], [2.0, 1.0]])


def test_a_planted_signal_is_found_and_held_out_results_are_not_read():
    rng = np.random.default_rng(0)
    quality = rng.normal(size=24)
    view = ViewFeatures(np.column_stack([quality, rng.normal(size=24)]), np.ones(24, bool))
    scores = quality[None] + 0.1 * rng.normal(size=(4, 24))
    names = [str(i) for i in range(24)]
    split = next(iter(all_splits(names, ["a"] * 24, list("abcd"), settings=(UNSEEN_MODELS,), seeds=1)))
    hidden = scores.copy()
    hidden[:, split.test_models] = 1e6
    found = predict_steadily([view], hidden, split)
    assert np.corrcoef(found[0], quality[split.test_models])[0, 1] > 0.9
    assert np.array_equal(found, predict_steadily([view], scores, split))
