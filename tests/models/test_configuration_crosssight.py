"""The configuration rejects what is wrong, survives a round trip, and holds every difference between the presets."""

from __future__ import annotations

import pytest

from hf_crosssight.models import CrossSightConfig
from hf_crosssight.tokens.card import CARD_DIM
from hf_crosssight.tokens.dataset import dataset_layout, dataset_token_dim
from hf_crosssight.tokens.structure import STRUCTURE_DIM, STRUCTURE_ROWS

WRONG = [
    {"hidden_size": "128"},
    {"hidden_size": True},
    {"hidden_size": 130},
    {"hidden_dropout": 1.0},
    {"gate_scale": -0.1},
    {"gate_scale": float("nan")},
    {"ensemble_size": 0},
    {"score_activation": "tanh"},
    {"loss": {"hinge": 1.0}},
    {"loss": {"listmle": 0.0}},
    {"loss": {"listmle": "much"}},
    {"temperature_end": 0.0},
    {"temperature_schedule": "wavy"},
    {"view_shapes": {}},
    {"view_shapes": {"card": [1]}},
    {"view_shapes": {"card.text": [1, 9]}},
    {"dataset_layout": {"kind": [0, 3]}},
    {"dataset_token_dim": 100},
    {"num_references": 2, "reference_names": ["only one"]},
    {"trained_on": {"datasets": "cifar10"}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_values_are_value_errors_that_name_the_field(wrong):
    with pytest.raises(ValueError) as caught:
        CrossSightConfig(**wrong)
    assert next(iter(wrong)).split("_")[0] in str(caught.value)


def test_assignment_is_checked_too():
    config = CrossSightConfig()
    with pytest.raises(ValueError, match="gate_scale"):
        config.gate_scale = "half"
    config.gate_scale = 0.5
    assert config.gate_scale == 0.5


def test_defaults_fit_the_token_rooms():
    config = CrossSightConfig()
    assert config.dataset_layout == dataset_layout()
    assert config.dataset_token_dim == dataset_token_dim()
    assert config.view_shapes == {"structure": [STRUCTURE_ROWS, STRUCTURE_DIM], "card": [1, CARD_DIM]}


@pytest.mark.parametrize("preset", ["default", "thesis"])
def test_round_trip(preset, tmp_path):
    config = CrossSightConfig.from_preset(
        preset, trained_on={"datasets": ["a"], "models": ["m"]}, num_references=1, reference_names=["a"]
    )
    config.save_pretrained(tmp_path)
    again = CrossSightConfig.from_pretrained(tmp_path)
    for name in CrossSightConfig.__dataclass_fields__:
        if name != "transformers_version":
            assert getattr(again, name) == getattr(config, name), name


def test_presets_differ_in_plain_fields_alone():
    default, thesis = CrossSightConfig.from_preset("default"), CrossSightConfig.from_preset("thesis")
    differing = {n for n in CrossSightConfig.__dataclass_fields__ if getattr(default, n) != getattr(thesis, n)}
    rebuilt = CrossSightConfig(**{name: getattr(thesis, name) for name in differing})
    assert rebuilt.to_dict() == thesis.to_dict()
    assert (thesis.encoder_layers, thesis.decoder_layers, thesis.loss) == (6, 6, {"listmle": 1.0})
    assert thesis.score_activation == "sigmoid"
    assert thesis.model_self_attention
    assert not thesis.static_part
    assert not thesis.dataset_gate
    assert CrossSightConfig.from_preset("thesis", model_self_attention=False).model_self_attention is False
    with pytest.raises(ValueError, match="no preset 'tiny'"):
        CrossSightConfig.from_preset("tiny")


def test_temperature_schedules():
    thesis = CrossSightConfig.from_preset("thesis")
    assert [thesis.temperature_at(p) for p in (0.0, 0.5, 1.0, 2.0)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    thesis.temperature_schedule = "exponential"
    assert thesis.temperature_at(0.5) == pytest.approx(0.1**0.5)
    thesis.temperature_schedule, thesis.temperature_span = "cosine", 0.5
    assert [thesis.temperature_at(p) for p in (0.25, 0.5)] == pytest.approx([0.55, 0.1])
    thesis.temperature_schedule = "constant"
    assert thesis.temperature_at(0.7) == 1.0
