"""`evaluate`: the figures of the contract, checked against scipy, and what methods that learn may see."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import weightedtau

from hf_crosssight.comparison import compare, evaluate, known_methods
from hf_crosssight.comparison.workbench import Workbench
from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.peers import History

from .conftest import DATASETS, SmallWorld, write_table

QUICK = "random,params,static_mean_rank,knn"


@pytest.fixture(scope="module")
def whole(world: SmallWorld) -> dict:
    found = evaluate(world.models_folder, world.table, world.datasets_folder, setting=world.setting)
    return json.loads(json.dumps(found.to_dict(), allow_nan=False))


def test_every_method_has_its_figures_or_a_reason(whole: dict) -> None:
    assert tuple(whole["methods"]) == tuple(known_methods())
    for name, found in whole["methods"].items():
        for tau in ("weighted_tau", "weighted_tau_true_rank", "kendall_tau"):
            assert set(found[tau]) == {"mean", "low", "high", "per_dataset"}
            if found[tau]["mean"] is not None:
                assert found[tau]["mean"] == pytest.approx(np.mean(list(found[tau]["per_dataset"].values())), abs=1e-5)
                assert -1 <= found[tau]["low"] <= found[tau]["mean"] <= found[tau]["high"] <= 1
        assert set(found["weighted_tau"]["per_dataset"]) | set(found["no_figure"]) == set(DATASETS), name
        assert {"regret_at_1", "regret_at_3", "regret_at_5", "ndcg_at_5", "seconds"} <= set(found)
    without = [name for name, found in whole["methods"].items() if found["weighted_tau"]["mean"] is None]
    assert without == ["popularity"]  # nobody counts the downloads of a folder
    assert "no candidate states it" in whole["methods"]["popularity"]["no_figure"][DATASETS[0]]


def test_figures_are_those_of_scipy(whole: dict, world: SmallWorld) -> None:
    scores = compare(
        world.datasets_folder / DATASETS[2], world.models_folder, methods="knn,params", setting=world.setting
    )
    given = scores.to_dict()["methods"]
    truth = dict(zip(world.models, world.accuracies[:, 2] + 0.001, strict=True))
    params = [given["params"]["scores"][model] for model in world.models]
    expected = weightedtau(params, list(truth.values())).statistic
    found = whole["methods"]["params"]
    assert found["weighted_tau"]["per_dataset"][DATASETS[2]] == pytest.approx(expected, abs=1e-6)
    best = max(truth, key=lambda model: given["params"]["scores"][model])
    regret = found["per_dataset"]["regret_at_1"][DATASETS[2]]
    assert regret == pytest.approx(max(truth.values()) - truth[best], abs=1e-6)
    # A model that cannot be run gets the middle of the others, by reason.
    knn = given["knn"]["scores"]
    assert "acme/cnn" not in knn
    filled = [knn.get(model, np.median(list(knn.values()))) for model in world.models]
    assert whole["methods"]["knn"]["weighted_tau"]["per_dataset"][DATASETS[2]] == pytest.approx(
        weightedtau(filled, list(truth.values())).statistic, abs=1e-6
    )
    assert set(whole["methods"]["knn"]["models_without_score"]) == {"acme/cnn"}
    assert any("acme/cnn was not run" in warning for warning in whole["warnings"])
    assert any("have no probe view" in warning for warning in whole["warnings"])  # what the zoo itself has to say


def test_ceiling_seen_and_self_transfer(whole: dict) -> None:
    assert 0 < whole["ceiling"]["weighted_tau"]["mean"] <= 1
    assert set(whole["ceiling"]["weighted_tau"]["per_dataset"]) == set(DATASETS)
    assert whole["datasets"]["zoo-bench/usps"]["seen"] is True  # the bundled ranker was trained on it
    assert not any(model["seen"] for model in whole["models"].values())
    assert whole["methods"]["crosssight"]["seen"] is True
    assert any("zoo-bench/usps" in warning and "trained on" in warning for warning in whole["warnings"])
    params = whole["methods"]["params"]
    assert params["without_self_transfer"]["weighted_tau"]["mean"] != params["weighted_tau"]["mean"]


@pytest.fixture
def histories(monkeypatch: pytest.MonkeyPatch) -> list[History]:
    """Every past that a method is given from here on."""
    given: list[History] = []
    original = Workbench.history

    def recording(*arguments: object) -> History | None:
        found = original(*arguments)  # type: ignore[arg-type]
        if found is not None:
            given.append(found)
        return found

    monkeypatch.setattr(Workbench, "history", recording)
    return given


def test_what_is_learnt_from_holds_no_result_on_the_targets_parent(
    world: SmallWorld, histories: list[History]
) -> None:
    found = evaluate(
        world.models_folder,
        world.table,
        world.datasets_folder,
        methods="static_mean_rank,ridge",
        setting=world.setting,
    )
    assert "leave one parent out" in found.learnt_from
    left_out = [
        {parent_of(name) for name in DATASETS} - {parent_of(name) for name in one.datasets} for one in histories
    ]
    assert sorted(map(sorted, left_out)) == sorted(2 * [["pacs"], ["trashnet"], ["usps"]])
    for one in histories:  # models trained on a past dataset tell nothing of others
        usps = [column for column, name in enumerate(one.datasets) if name == "zoo-bench/usps"]
        assert np.isnan(one.accuracies[one.models.ids.index("acme/resnet-0"), usps]).all()


def test_results_on_the_target_do_not_change_its_scores(world: SmallWorld, tmp_path) -> None:
    turned = world.accuracies.copy()
    turned[:, :2] = turned[::-1, :2]
    other = write_table(tmp_path / "turned.csv", world.models, turned)
    scores = [
        compare(
            world.datasets_folder / DATASETS[0], world.models_folder, methods="static_mean_z,trees,fennec",
            ground_truth=table, datasets=world.datasets_folder, setting=world.setting,
        ).to_dict()["methods"]
        for table in (world.table, other)
    ]  # fmt: skip
    for name in ("static_mean_z", "trees", "fennec"):
        assert scores[0][name]["scores"] == scores[1][name]["scores"]
        assert scores[0][name]["weighted_tau"] != scores[1][name]["weighted_tau"]


def test_models_that_are_held_out_are_not_learnt_from(world: SmallWorld, histories: list[History]) -> None:
    found = evaluate(
        world.models_folder, world.table, world.datasets_folder, methods="static_mean_rank,ridge,params",
        model_folds=2, setting=world.setting,
    ).to_dict()  # fmt: skip
    assert {len(one.models.ids) for one in histories} <= {2, 3, 4}
    assert found["methods"]["static_mean_rank"]["weighted_tau"]["mean"] is None
    assert "unseen ones would all tie" in found["methods"]["static_mean_rank"]["no_figure"][DATASETS[0]]
    for name in ("ridge", "params"):
        assert len(found["methods"][name]["weighted_tau"]["per_dataset"]) == 4


def test_relatives_of_held_out_models_are_not_learnt_from_either(
    world: SmallWorld, tmp_path, histories: list[History]
) -> None:
    """resnet-2 has the architecture and the source of resnet-0: judged or not, it would tell of it."""
    rows = [0, 1, 4, 5]
    judged = write_table(tmp_path / "judged.csv", tuple(world.models[row] for row in rows), world.accuracies[rows])
    evaluate(
        world.models_folder, judged, world.datasets_folder, methods="ridge", train_ground_truth=world.table,
        model_folds=2, setting=world.setting,
    )  # fmt: skip
    known = {frozenset(one.models.ids) for one in histories}
    assert len(known) == 2
    for one in known:
        for first, second in (("acme/resnet-0", "acme/resnet-2"), ("acme/resnet-1", "acme/resnet-3")):
            assert (first in one) == (second in one)


def test_a_table_of_its_own_to_learn_from(world: SmallWorld, tmp_path, histories: list[History]) -> None:
    """Its models need not be those that are judged, and its results on the target's parent stay out too."""
    judged = write_table(tmp_path / "judged.csv", world.models[:3], world.accuracies[:3])
    found = evaluate(
        world.models_folder, judged, world.datasets_folder, methods=["static_mean_rank"],
        train_ground_truth=world.table, setting=world.setting,
    )  # fmt: skip
    assert found.learnt_from.startswith("the training table")
    assert {len(one.models.ids) for one in histories} == {6}
    assert set(found.models) == set(world.models[:3])
    for one in histories:
        assert len(one.datasets) < 4


def test_constant_scores_have_a_tau_of_zero(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_crosssight.evaluation.simple_rankers import RandomRanking

    monkeypatch.setattr(RandomRanking, "score", lambda self, target: np.ones(len(target.models.ids)))
    found = evaluate(world.models_folder, world.table, world.datasets_folder, methods="random", setting=world.setting)
    assert set(found.to_dict()["methods"]["random"]["weighted_tau"]["per_dataset"].values()) == {0.0}


def test_features_are_made_once(world: SmallWorld, monkeypatch: pytest.MonkeyPatch, whole: dict) -> None:
    from hf_crosssight.comparison import model_features

    def never(*_: object, **__: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr(model_features, "load_image_model", never)
    found = evaluate(world.models_folder, world.table, world.datasets_folder, methods="knn", setting=world.setting)
    again = found.to_dict()["methods"]["knn"]
    assert again["weighted_tau"] == whole["methods"]["knn"]["weighted_tau"]
    assert again["seconds"] == whole["methods"]["knn"]["seconds"]  # of when it was computed


def test_datasets_that_do_not_resolve_are_left_out_by_name(world: SmallWorld, tmp_path) -> None:
    table = tmp_path / "more.csv"
    extra = "".join(
        f"\n{model},org/elsewhere,0,0.5\n{model},../../etc,0,0.{row + 1}" for row, model in enumerate(world.models)
    )
    table.write_text(world.table.read_text() + extra)
    found = evaluate(world.models_folder, table, world.datasets_folder, methods="params", setting=world.setting)
    assert [one.id for one in found.datasets] == sorted(DATASETS)
    assert sum("is left out" in warning for warning in found.warnings) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": "logmee"}, "did you mean logme"),
        ({"methods": ""}, "no method is named"),
        ({"methods": "params", "model_folds": 1}, "model_folds"),
        ({"methods": "params", "model_folds": 5}, "lineages"),
        ({"methods": "popularity"}, "no candidate states it"),
        ({"methods": "params", "datasets": "/nowhere"}, "no folder /nowhere"),
        ({"methods": "params", "recipe": "head"}, "recipe"),
        ({"methods": "crosssight", "ranker": "/nowhere"}, "no ranker folder"),
    ],
)
def test_bad_requests(world: SmallWorld, changes: dict, words: str) -> None:
    given = {"zoo": world.models_folder, "ground_truth": world.table, "datasets": world.datasets_folder} | changes
    with pytest.raises(UserError) as error:
        evaluate(**given, setting=world.setting)
    assert words in f"{error.value.what} {error.value.hint}"


def test_bad_tables(world: SmallWorld, tmp_path) -> None:
    table = tmp_path / "bad.csv"
    for text, words in (
        ("model_id,dataset_id,accuracy\na,b,1", "no column 'seed'"),
        ("model_id,dataset_id,seed,accuracy\nother/a,zoo-bench/usps,0,0.5", "results of none"),
        ("model_id,dataset_id,seed,accuracy\nacme/vit,zoo-bench/usps,0,0.5", "results of 1"),
        ("model_id,dataset_id,seed,accuracy\nacme/vit,a/b,0,0.5\nacme/cnn,a/b,0,0.6", "no dataset can be judged on"),
    ):
        table.write_text(text)
        with pytest.raises(UserError) as error:
            evaluate(world.models_folder, table, world.datasets_folder, methods=QUICK, setting=world.setting)
        assert words in error.value.what
