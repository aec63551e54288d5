"""`compare`: scores, ranks and reasons of every method on one dataset, with and without measured accuracies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_crosssight.comparison import Comparison, compare
from hf_crosssight.comparison.methods import chosen_methods, known_methods
from hf_crosssight.errors import UserError
from hf_crosssight.transferability import score

from .conftest import DATASETS, SmallWorld


@pytest.fixture(scope="module")
def found(world: SmallWorld) -> Comparison:
    return compare(
        world.datasets_folder / DATASETS[2], world.models_folder, ground_truth=world.table,
        methods="params,static_mean_rank,model_spider,logme,leep,otce,emms", datasets=world.datasets_folder,
        setting=world.setting,
    )  # fmt: skip


def test_each_method_says_what_it_needs_and_ranks_by_its_score(found: Comparison) -> None:
    said = found.to_dict()["methods"]
    assert said["leep"]["needs"] == ["source probabilities"]
    assert said["otce"]["needs"] == ["features", "source data"]
    assert said["model_spider"]["needs"] == ["dataset tokens", "past results", "features"]
    for name, one in said.items():
        assert one["reason"] is None, name
        ordered = sorted(one["scores"], key=lambda model: -one["scores"][model])
        assert sorted(one["ranks"].values()) == list(range(1, len(ordered) + 1))
        assert [one["scores"][model] for model in one["ranks"]] == [one["scores"][model] for model in ordered]
        assert one["seconds"] >= 0
        assert {"weighted_tau", "weighted_tau_true_rank", "regret_at_1", "ndcg_at_5"} <= set(one)


def test_models_without_a_score_have_a_reason_and_no_rank(found: Comparison) -> None:
    said = found.to_dict()["methods"]
    assert set(said["logme"]["not_scored"]) == {"acme/cnn"}
    assert set(said["otce"]["not_scored"]) == {"acme/cnn", "acme/vit"}  # states no data that it was trained on
    assert "source data" in said["otce"]["not_scored"]["acme/vit"]
    rows = [row for row in found.rows() if row["method"] == "logme"]
    assert len(rows) == 6
    assert [row["rank"] for row in rows if row["model_id"] == "acme/cnn"] == [None]


def test_a_score_is_that_of_the_method_on_the_models_features(found: Comparison, world: SmallWorld) -> None:
    from hf_crosssight.features import extract, load_image_model

    sample = world.setting.sample(world.datasets_folder / DATASETS[2])
    features = extract(load_image_model(world.models_folder / "acme" / "resnet-1"), sample.images)
    logme = score("logme", features=features.pooled, labels=sample.labels)
    assert found.to_dict()["methods"]["logme"]["scores"]["acme/resnet-1"] == pytest.approx(logme, abs=1e-5)


def test_scores_do_not_depend_on_processes(world: SmallWorld, found: Comparison, tmp_path, monkeypatch) -> None:
    from hf_crosssight.comparison import heuristic_scores

    monkeypatch.setattr(heuristic_scores, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(heuristic_scores, "_read", lambda path: {})
    again = compare(
        world.datasets_folder / DATASETS[2], world.models_folder, methods="logme,leep",
        setting=replace(world.setting, workers=2),
    ).to_dict()["methods"]  # fmt: skip
    for name in ("logme", "leep"):
        assert again[name]["scores"] == found.to_dict()["methods"][name]["scores"]


def test_without_past_results_methods_that_learn_say_so(world: SmallWorld) -> None:
    found = compare(
        world.datasets_folder / DATASETS[2], world.models_folder, methods="params,ridge,nce", setting=world.setting
    ).to_dict()
    assert "no past results" in found["methods"]["ridge"]["reason"]
    assert found["methods"]["ridge"]["scores"] == {}
    assert found["learnt_from"] == "nothing"
    assert "weighted_tau" not in found["methods"]["params"]
    with pytest.raises(UserError, match="ridge: there are no past results"):
        compare(world.datasets_folder / DATASETS[2], world.models_folder, methods="ridge", setting=world.setting)


def test_the_plot_shows_every_method_with_metrics(found: Comparison, tmp_path) -> None:
    from PIL import Image

    from hf_crosssight.comparison.rank_plot import draw_ranks

    draw_ranks(found, tmp_path / "ranks.png")
    with Image.open(tmp_path / "ranks.png") as picture:
        assert picture.format == "PNG"
        assert np.asarray(picture.convert("L")).std() > 5  # something is drawn


def test_a_silent_tie_is_told(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_crosssight.evaluation.simple_rankers import FactRanking

    monkeypatch.setattr(FactRanking, "score", lambda self, target: np.ones(len(target.models.ids)))
    found = compare(world.datasets_folder / DATASETS[2], world.models_folder, methods="params", setting=world.setting)
    assert any("params gives all models the same score" in warning for warning in found.warnings)


def test_bad_requests(world: SmallWorld, tmp_path) -> None:
    place = world.datasets_folder / DATASETS[2]
    for changes, words in (
        ({"methods": "knnn"}, "knn"),
        ({"ground_truth": world.table, "dataset": world.models_folder / "acme"}, "no results on acme"),
        ({"zoo": world.models_folder / "acme" / "vit"}, "config.json"),
        ({"dataset": "/nowhere", "methods": "knn"}, "nowhere"),
    ):
        given = {"dataset": place, "zoo": world.models_folder, "methods": "params"} | changes
        with pytest.raises(UserError) as error:
            compare(**given, setting=world.setting)
        assert words in f"{error.value.what} {error.value.hint}"
    alone = tmp_path / "alone" / "one"
    alone.parent.mkdir()
    alone.symlink_to(world.models_folder / "acme" / "vit")
    with pytest.raises(UserError, match=r"one model only|no model|cannot be used|leaves"):
        compare(place, tmp_path / "alone", methods="params", setting=world.setting)


def test_names_of_methods() -> None:
    assert [one.name for one in chosen_methods(" LogME, source-accuracy,logme ")] == ["logme", "source_accuracy"]
    assert {one.name for one in chosen_methods("all")} == set(known_methods())
    assert len(known_methods()) == 34
    with pytest.raises(UserError) as error:
        chosen_methods("h_score")
    assert "hscore" in (error.value.hint or "")
