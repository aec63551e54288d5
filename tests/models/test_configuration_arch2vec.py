"""The encoder's configuration rejects what is wrong, survives a round trip, and holds all that presets differ in."""

from __future__ import annotations

import pytest

from hf_crosssight.models import Arch2VecConfig
from hf_crosssight.tokens.arch2vec import ARCH2VEC_SHAPE
from hf_crosssight.tokens.tensor_kinds import KINDS
from hf_crosssight.tokens.weights import COLUMNS, WEIGHTS_SHAPE

WRONG = [
    {"hidden_size": "128"},
    {"hidden_size": 130},
    {"mask_share": 1.0},
    {"noise": -0.1},
    {"input_kind": "words"},
    {"input_columns": 1},
    {"kind_columns": [5, 3]},
    {"kind_columns": [0, 3]},
    {"given_columns": [[2, 18]]},
    {"given_columns": [[1, 128]]},
    {"normalization_clip": 0.0},
    {"loss": {"hinge": 1.0}},
    {"loss": {"contrast": 0.0}},
    {"contrast_temperature": 0.0},
    {"widths": [0]},
    {"trained_on": {"models": "m"}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_values_are_value_errors_that_name_the_field(wrong):
    with pytest.raises(ValueError) as caught:
        Arch2VecConfig(**wrong)
    assert next(iter(wrong)).split("_")[0] in str(caught.value)


def test_assignment_is_checked_too():
    config = Arch2VecConfig()
    with pytest.raises(ValueError, match="noise"):
        config.noise = "much"
    config.noise = 0.5
    assert config.noise == 0.5


def test_defaults_fit_the_weights_view():
    config = Arch2VecConfig()
    assert config.input_columns == WEIGHTS_SHAPE[1]
    assert [COLUMNS[i] for i in range(*config.kind_columns)] == [f"kind_{kind}" for kind in KINDS]
    assert config.given_columns == [[COLUMNS.index("kind_stem"), COLUMNS.index("running_known") + 1]]
    assert (config.num_codes, config.code_size + 1) == ARCH2VEC_SHAPE


@pytest.mark.parametrize("preset", ["default", "thesis"])
def test_round_trip(preset, tmp_path):
    config = Arch2VecConfig.from_preset(preset, trained_on={"models": ["m"]}, specs={"weights": "weights/1"})
    config.save_pretrained(tmp_path)
    again = Arch2VecConfig.from_pretrained(tmp_path)
    for name in Arch2VecConfig.__dataclass_fields__:
        if name != "transformers_version":
            assert getattr(again, name) == getattr(config, name), name


def test_presets_differ_in_plain_fields_alone():
    default, thesis = Arch2VecConfig.from_preset("default"), Arch2VecConfig.from_preset("thesis")
    differing = {n for n in Arch2VecConfig.__dataclass_fields__ if getattr(default, n) != getattr(thesis, n)}
    rebuilt = Arch2VecConfig(**{name: getattr(thesis, name) for name in differing})
    assert rebuilt.to_dict() == thesis.to_dict()
    assert (default.loss["reconstruction"], default.loss["contrast"]) == (0.95, 0.05)
    assert thesis.reconstruction_loss == "smooth_l1"
    assert set(thesis.loss) == {"reconstruction", "sparsity"}
    assert (default.num_codes, thesis.num_codes) == (5, 1)
    with pytest.raises(ValueError, match="no preset 'tiny'"):
        Arch2VecConfig.from_preset("tiny")
