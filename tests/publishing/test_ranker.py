"""A ranker's repository: what its card says, that it loads with and without the package, what is refused."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import EvalResult

from hf_crosssight.errors import UserError
from hf_crosssight.publishing import write_folder
from hf_crosssight.publishing.ranker import ranker_repository
from hf_crosssight.publishing.repository import files_of
from hf_crosssight.training import save_ranker
from tests.models.small_rankers import dataset, small_model
from tests.publishing.cards import checked_model_card, snippets

EVALUATION = {  # as `evaluate --format json` has it
    "methods": {
        "logme": {
            "weighted_tau": {"mean": 0.5, "low": 0.4, "high": 0.6, "per_dataset": {"a": 0.4, "b": 0.5, "c": 0.6}},
            "regret_at_1": 1.5, "intervals": {"regret_at_1": [1.0, 2.0]}, "seconds": 1.0,
        },
        "crosssight": {
            "weighted_tau": {"mean": 0.7, "per_dataset": {"a": 0.6, "b": 0.7, "c": 0.8}}, "regret_at_1": None,
            "seen": True,
        },
        "gmacs": {"weighted_tau": {"mean": None, "low": None, "high": None, "per_dataset": {}}},
    },
    "ceiling": {"weighted_tau": {"mean": 0.9, "low": None, "high": None}, "note": "3 of 3"},
    "datasets": {"a": {}, "b": {}, "c": {}},
    "models": {"x": {}, "y": {}},
}  # fmt: skip
RECORD = {
    "tables": [{"id": "a|b", "datasets": 3, "models": 4, "licence": "none", "source": "<b>x</b>", "trained_on": True}],
    "limits": ["It is small."],
    "seconds": 90,
    "device": "a test",
    "carbon_g": 1.25,
}


@pytest.fixture
def folder(tmp_path):
    model = small_model(trained_on={"datasets": ["a", "b"], "models": ["org/x"]})
    model.set_references([dataset(seed=5)], ["a"])
    save_ranker(model, tmp_path / "ranker", record=RECORD)
    return tmp_path / "ranker"


def card_of(repository) -> str:
    return repository.files["README.md"].decode()


def test_the_bundled_rankers_card(caplog):
    card = checked_model_card(card_of(ranker_repository("bundled", "crosssight/ranker")), caplog)
    assert card.data.license == "apache-2.0"
    figures = {(one.dataset_split, one.metric_type): one.metric_value for one in card.data.eval_results}
    assert figures["unseen-datasets", "weighted_tau"] > 0.4
    assert "static_mean_rank" in str(card)
    assert all(snippet.count("crosssight/ranker") == 1 for snippet in snippets(str(card)))


def test_figures_intervals_and_provenance_of_a_users_ranker(folder, tmp_path, caplog):
    (tmp_path / "e.json").write_text(json.dumps(EVALUATION))
    repository = ranker_repository(str(folder), "me/mine", license="MIT", evaluation=tmp_path / "e.json")
    card = checked_model_card(card_of(repository), caplog)
    assert card.data.license == "mit"
    assert card.data.co2_eq_emissions["emissions"] == 1.25
    result = card.data.eval_results[0]
    assert isinstance(result, EvalResult)
    assert (result.metric_type, result.metric_value, card.data.model_name) == ("weighted_tau", 0.7, "mine")
    text = str(card)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    shown = next(place for place, line in enumerate(lines) if line.startswith("| crosssight | 0.700 (0.6"))
    assert lines[shown].endswith(") | - |")  # a bootstrap over three datasets; the ranker first
    assert lines[shown + 1] == "| logme | 0.500 (0.400 to 0.600) | 1.500 (1.000 to 2.000) |"
    assert lines[shown + 2] == "| gmacs | - | - |"
    assert "on 3 datasets and 2 models. Some of them were in its training" in text
    assert "agree at 0.900" in text
    assert "| a\\|b | 3 | 4 | none | &lt;b>x&lt;/b> | yes |" in text
    assert "- It is small." in text
    assert "2 min on a test and caused 1.2 g" in text


def test_without_licence_record_and_figures_the_card_says_so(folder, caplog):
    (folder / "training.json").unlink()
    card = checked_model_card(card_of(ranker_repository(str(folder), "me/mine")), caplog)
    assert (card.data.license, card.data.eval_results) == (None, None)
    for said in ("Not evaluated", "2 datasets, 1 models", "Datasets: a, b.", "carbon was not measured"):
        assert said in str(card)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    assert "license: cc-by-4.0" in card_of(ranker_repository(str(folder), "me/mine"))


def test_the_repository_carries_its_code_and_is_the_same_twice(folder, tmp_path):
    repository = ranker_repository(str(folder), "me/mine")
    write_folder(repository, tmp_path / "out")
    again = files_of(tmp_path / "out")
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: content if isinstance(content, bytes) else content.read_bytes()
        for name, content in ranker_repository(str(folder), "me/mine").files.items()
    }
    assert again["model.safetensors"].read_bytes() == (folder / "model.safetensors").read_bytes()
    config = json.loads(again["config.json"].read_bytes())
    assert config["auto_map"] == {
        "AutoConfig": "configuration_crosssight.CrossSightConfig", "AutoModel": "modeling_crosssight.CrossSightModel"
    }  # fmt: skip


def test_what_cannot_be_published(folder, tmp_path):
    (tmp_path / "e.json").write_text(json.dumps({"methods": {"logme": EVALUATION["methods"]["logme"]}}))
    (tmp_path / "no.json").write_text("{}")
    for given, words in (
        ({"ranker": "org/name"}, "no ranker folder"),
        ({"ranker": str(tmp_path)}, "config.json is missing"),
        ({"ranker": str(folder), "license": "apache"}, "no licence 'apache'"),
        ({"ranker": str(folder), "evaluation": tmp_path / "e.json"}, "nothing of the method 'crosssight'"),
        ({"ranker": str(folder), "evaluation": tmp_path / "no.json"}, "no evaluation"),
        ({"ranker": str(folder), "evaluation": tmp_path / "gone.json"}, "no evaluation"),
    ):
        with pytest.raises(UserError, match=words):
            ranker_repository(name="me/mine", **given)
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be loaded"):
        ranker_repository(str(folder), "me/mine")
