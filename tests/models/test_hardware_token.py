"""The hardware token of Fusion: it changes scores where a ranker reads it, and is refused where none does."""

import numpy as np
import pytest
import torch

from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.tokens.hardware import HARDWARE_DIM, hardware_token

SHAPES = {"structure": [5, 8], "card": [1, 12]}
LAYOUT = {"kind": [0, 3], "prototype": [3, 11], "stats": [11, 15], "global": [15, 20], "text": [20, 28]}


def small(**fields):
    torch.manual_seed(0)
    config = CrossSightConfig(
        dataset_token_dim=28, dataset_layout=LAYOUT, view_shapes=SHAPES, hidden_size=16, num_attention_heads=2,
        intermediate_size=32, ensemble_size=2, **fields,
    )  # fmt: skip
    return CrossSightModel(config).eval()


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    views = {name: rng.normal(size=(7, *shape)).astype(np.float32) for name, shape in SHAPES.items()}
    for view in views.values():
        view[..., 0] = 1.0
    tokens = rng.normal(size=(4, 28)).astype(np.float32)
    tokens[:, :3] = np.eye(3)[[0, 0, 1, 2]]
    return tokens, views


def test_the_device_and_the_budget_change_the_scores(inputs):
    model = small(hardware_token_dim=HARDWARE_DIM, dataset_gate=False)
    slow, fast = find_device("raspberry-pi-4"), find_device("rtx5090")
    found = [model.score_zoo(*inputs, hardware_token=hardware_token(*where)).scores[0].numpy()
             for where in ((slow, None), (fast, None), (fast, 2.0))]  # fmt: skip
    plain = model.score_zoo(*inputs).scores[0].numpy()
    for one, other in ((0, 1), (1, 2)):
        assert np.abs(found[one] - found[other]).max() > 1e-4
    assert np.abs(found[0] - plain).max() > 1e-4


def test_scores_do_not_depend_on_padding_beside_the_token(inputs):
    model = small(hardware_token_dim=HARDWARE_DIM)
    tokens, views = inputs
    token = hardware_token(find_device("t4"), 5.0)
    padded = np.concatenate([tokens, np.zeros((3, 28), np.float32)])
    mask = np.arange(7) < 4
    alone = model.score_zoo(tokens, views, hardware_token=token).scores
    torch.testing.assert_close(
        model.score_zoo(padded, views, dataset_mask=mask, hardware_token=token).scores, alone, rtol=1e-4, atol=1e-5
    )


def test_a_ranker_that_reads_none_refuses_it_and_has_no_weights_for_it(inputs):
    model = small()
    assert not [name for name in model.state_dict() if "hardware" in name]
    with pytest.raises(ValueError, match="reads no hardware token"):
        model.score_zoo(*inputs, hardware_token=np.zeros(HARDWARE_DIM, np.float32))
    with pytest.raises(ValueError, match="hardware_token is"):
        small(hardware_token_dim=4).score_zoo(*inputs, hardware_token=np.zeros(HARDWARE_DIM, np.float32))
    assert bundled_ranker().config.hardware_token_dim == 0


def test_unknown_figures_are_marked_and_known_ones_lie_around_zero():
    token = hardware_token(find_device("graviton3"))
    assert token[9] == 0.0  # its power is not known
    assert token[1] == 1.0
    assert token[14] == 0.0
    many = np.stack([hardware_token(find_device(name), 4.0) for name in ("rtx4090", "i7-12700h", "jetson-nano")])
    assert np.abs(many).max() < 3
    assert many[:, 14].tolist() == [1.0, 1.0, 1.0]
