"""What ships: small, licensed, sensible on the starter zoo, and steady when facts are missing."""

from pathlib import Path

import numpy as np
import pytest

import hf_crosssight
from hf_crosssight.models import CrossSightModel
from hf_crosssight.tokens.dataset import text_only_tokens
from hf_crosssight.tokens.structure import FACT_COLUMNS, without_tensor_set
from hf_crosssight.zoo.open import open_zoo

FOLDER = Path(hf_crosssight.__file__).parent / "assets" / "ranker"


@pytest.fixture(scope="module")
def ranked():
    model = CrossSightModel.from_pretrained(FOLDER).eval()
    zoo = open_zoo("starter")
    tokens = text_only_tokens("Photographs of mushrooms; the class is the species.", (), 30, 3000).values
    views = {name: np.asarray(view, np.float32) for name, view in zoo.views.items()}
    return model, zoo, tokens, views, model.score_zoo(tokens, views).scores[0].numpy()


def test_it_is_small_and_has_a_card():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8e6
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "| model_spider_66 |" in card
    assert card.count("| none |") == sum("| none |" in line and line.endswith("| no |") for line in card.splitlines())


def test_no_model_of_an_unlicensed_table_was_trained_on(ranked):
    models = ranked[0].config.trained_on["models"]
    assert not [m for m in models if m.startswith(("parc/", "ssl/", "emms/"))]
    assert {m.split("/")[0] for m in models} <= {"timm", "torchvision", "model_spider", "medical", "vtab", "small-zoo"}


def test_larger_and_better_trained_models_stand_higher(ranked):
    _, zoo, _, _, scores = ranked
    place = {name: i for i, name in enumerate(zoo.model_ids)}

    def above(one, other):
        return scores[place[f"timm/{one}"]] > scores[place[f"timm/{other}"]]

    assert above("resnet101.tv_in1k", "resnet18.tv_in1k")
    assert above("convnext_base.fb_in22k_ft_in1k", "convnext_tiny.fb_in1k")
    assert above("vit_base_patch16_224.augreg_in21k_ft_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    assert above("resnet50.tv_in1k", "mobilenetv3_small_050.lamb_in1k")


@pytest.mark.parametrize("missing", ["tensors", "costs", "input side"])
def test_a_model_with_less_known_of_it_keeps_its_place(ranked, missing):
    model, _, tokens, views, scores = ranked
    structure = views["structure"].copy()
    if missing == "tensors":
        structure = without_tensor_set(structure)
    for name in {"costs": ("gmacs", "macts"), "input side": ("input_size",)}.get(missing, ()):
        structure[:, 0, FACT_COLUMNS[name] : FACT_COLUMNS[name] + 2] = 0
    less = model.score_zoo(tokens, {**views, "structure": structure}).scores[0].numpy()
    order = np.sort(scores)
    moved = np.abs(np.searchsorted(order, less) - np.searchsorted(order, scores)) / len(scores)
    assert np.quantile(moved, 0.95) < 0.05
