"""What ships: small, licensed, sensible on the starter zoo, and steady when facts are missing."""

import json
from pathlib import Path

import numpy as np
import pytest

import hf_crosssight
from hf_crosssight.models import CrossSightModel
from hf_crosssight.tokens.dataset import text_only_tokens
from hf_crosssight.tokens.structure import FACT_COLUMNS, without_tensor_set
from hf_crosssight.tokens.word_match import evidence_of
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


def test_the_card_names_the_licence_of_every_table_learnt_from():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    tables = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))["tables"]
    assert {"parc", "model_spider_66", "small_zoo", "timm_accuracy"} <= {table["id"] for table in tables}
    assert all(table["licence"] in {"mit", "apache-2.0", "none"} and table["source"] for table in tables)
    for table in tables:
        assert f"| {table['id']} | {table['datasets']} | {table['models']} | {table['licence']} |" in card


def test_the_figures_of_the_card_are_those_of_the_results():
    results = (Path(hf_crosssight.__file__).parents[1] / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for quadrant in json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))["quadrants"].values():
        for method, told in quadrant["methods"].items():
            mean = f"{told['weighted_tau']['mean']:.3f}"
            assert f"| {mean} |" in results, f"{method}: run benchmarks/card_figures.py anew"
            assert f"| {method} | {mean} " in card


def test_no_measured_value_is_in_the_config():
    """Every list of the config holds names or shapes; a result would be a fraction or a percentage."""
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    listed = [value for name, field in config.items() for value in _leaves(field) if isinstance(field, dict | list)]
    assert not [value for value in listed if isinstance(value, float) and value not in (0.0, 1.0)]


def _leaves(field):
    if isinstance(field, dict):
        return [leaf for value in field.values() for leaf in _leaves(value)]
    return [leaf for value in field for leaf in _leaves(value)] if isinstance(field, list) else [field]


def test_the_same_words_raise_a_model(ranked):
    """A dataset of food ranks a model tuned on food higher than a dataset of satellite images does."""
    model, zoo, _, views, _ = ranked
    place = zoo.model_ids.index("nateraw/food")

    def rank_on(words):
        tokens = text_only_tokens(words, (), 30, 3000).values
        scores = model.score_zoo(tokens, views, evidence=evidence_of(model, tokens, views)).scores[0].numpy()
        return int((scores > scores[place]).sum())

    assert rank_on("Photographs of dishes and food.") < rank_on("Satellite images of land use.")


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
