"""The best K are run, the rest is not, and the scores move by what was measured."""

from dataclasses import replace

import numpy as np
import pytest

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.features import FeatureStore, extract, load_image_model
from hf_crosssight.hub import HubClient
from hf_crosssight.refinement import refine
from hf_crosssight.refinement.evidence import measure
from hf_crosssight.refinement.fusion import Fusion
from hf_crosssight.refinement.refine import added_scores
from hf_crosssight.transferability import score
from hf_crosssight.zoo.model_folders import ModelFolders

from .models import falling_scores, stripes, write_zoo, zoo_of

LOGME = Fusion({"logme": 1.0})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_zoo(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def zoo(root):
    return zoo_of(root)


@pytest.fixture
def folders(root, zoo, hub_home):
    return ModelFolders(zoo, root, None)


def test_the_best_two_are_moved_by_their_own_logme_and_the_others_are_not_run(root, zoo, folders, hub_home):
    sample = stripes()
    found = refine(falling_scores(4), zoo, sample, 2, folders, fusion=LOGME)
    expected = [
        score("logme", features=extract(load_image_model(root / name), sample.images).pooled, labels=sample.labels)
        for name in zoo.model_ids[:2]
    ]
    assert found.of(0)["evidence"] == {"logme": round(expected[0], 6)}
    assert found.of(2) is None
    moved = LOGME.added(np.zeros(2), np.ones(2, bool), [{"logme": v} for v in expected])
    np.testing.assert_allclose(found.added, [*moved, 0.0, 0.0])
    assert len(list((hub_home / "crosssight" / "features").glob("*.npz"))) == 2
    np.testing.assert_allclose(found.scores.score, falling_scores(4).score + found.added)
    np.testing.assert_allclose(found.scores.high - found.scores.score, 0.05 * 1.6448536269514722)


def test_the_same_call_gives_the_same_again_from_the_cache(zoo, folders):
    first, second = (refine(falling_scores(4), zoo, stripes(), 3, folders, fusion=LOGME) for _ in range(2))
    assert first.added.tolist() == second.added.tolist()
    assert [first.of(i) for i in range(4)] == [second.of(i) for i in range(4)]


def test_a_model_that_cannot_be_run_keeps_its_score_and_says_why(zoo, folders):
    found = refine(falling_scores(4), zoo, stripes(), 4, folders, fusion=LOGME)
    assert found.added[3] == 0.0
    assert found.of(3)["evidence"] is None
    assert "cannot load" in found.of(3)["reason"] or "lack" in found.of(3)["reason"]
    assert found.describe()["run"] == 3
    assert found.describe()["not_run"] == 1
    (sentence,) = found.why(3, 4)
    assert sentence.startswith("not run on your images, so it keeps its score: ")


def test_why_names_figures_places_and_the_way(zoo, folders):
    found = refine(falling_scores(4), zoo, stripes(), 3, folders, fusion=LOGME)
    order = np.argsort(-found.scores.score, kind="stable").tolist()
    (sentence,) = found.why(order[0], 1)
    assert sentence.startswith("run on your images: LogME ")
    assert "of 3 run)" in sentence
    assert ("keeps its place" in sentence) == (order[0] == 0)
    assert found.why(3, 4) == ()


def test_nothing_that_can_be_run_is_an_error_with_the_first_reason(zoo, folders):
    last_first = replace(falling_scores(4), score=0.1 * np.arange(4.0))
    with pytest.raises(UserError, match="none of the best 1 models can be run: acme/vit3: ") as raised:
        refine(last_first, zoo, stripes(), 1, folders)
    assert "--zoo" in raised.value.hint


def test_models_that_lie_nowhere_on_this_machine(zoo, hub_home):
    with pytest.raises(UserError, match="acme/vit0: its files are not on this machine"):
        refine(falling_scores(4), zoo, stripes(), 2, ModelFolders(zoo, None, None))


def test_a_hub_that_does_not_answer_is_the_hubs_fault(zoo, hub_home, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(HubError):
        refine(falling_scores(4), zoo, stripes(), 1, ModelFolders(zoo, None, HubClient()))


def test_models_that_the_ranker_was_trained_on_keep_its_differences(zoo, folders):
    fusion = Fusion({"logme": 0.0}, trust=0.0)
    known = refine(falling_scores(4), zoo, stripes(), 3, folders, fusion=fusion, seen=zoo.model_ids)
    blind = refine(falling_scores(4), zoo, stripes(), 3, folders, fusion=fusion)
    assert known.added.tolist() == [0.0] * 4
    np.testing.assert_allclose(blind.scores.score, [-0.1, -0.1, -0.1, -0.3])


def test_labels_and_repeats_are_needed(zoo, folders):
    with pytest.raises(UserError, match="refining needs labels"):
        refine(falling_scores(4), zoo, replace(stripes(), labels=None), 1, folders)
    with pytest.raises(UserError, match="two images of a class"):
        refine(falling_scores(4), zoo, stripes(per_class=1), 1, folders, fusion=Fusion({"knn": 1.0}))
    with pytest.raises(UserError, match="there is no rule 'best'"):
        refine(falling_scores(4), zoo, stripes(), 1, folders, rule="best")


def test_model_spiders_rule_deals_the_same_scores_out_again():
    before, values = np.array([0.9, 0.8, 0.7, 0.6]), [{"knn": 0.1}, {"knn": 0.2}, {}, {"knn": 0.9}]
    unseen = np.ones(4, bool)
    after = before + added_scores(before, unseen, values, Fusion({"knn": 1.0}), "model_spider")
    np.testing.assert_allclose(after, [0.6, 0.8, 0.7, 0.9])
    free = before + added_scores(before, unseen, values, Fusion({"knn": 1.0}))
    assert free[2] == 0.7
    assert free[3] > 0.9


def test_a_model_of_the_hub_is_run_at_the_commit_that_the_zoo_was_built_at(hub):
    from hf_crosssight.zoo.hub_models import read_hub_models

    client = HubClient()
    zoo = read_hub_models(["acme/tiny-resnet"], client, id="named")
    commit = zoo.record(0).revision
    folders = ModelFolders(zoo, None, client)
    (found,) = measure(["acme/tiny-resnet"], stripes(), ["logme"], folders)
    assert found.revision == commit
    assert np.isfinite(found.values["logme"])
    (hub.folder.root / "models" / "acme" / "tiny-resnet" / "README.md").write_text("---\nlicense: mit\n---\nlater\n")
    (found,) = measure(["acme/tiny-resnet"], stripes(), ["logme"], folders)
    assert found.values == {}
    assert commit in found.reason


def test_progress_names_the_step_and_counts(zoo, folders):
    told = []
    store = FeatureStore()
    measure(zoo.model_ids[:2], stripes(), ["knn"], folders, store=store, progress=lambda *step: told.append(step))
    assert told[0] == ("running the best models on your images", 0, 2)
    assert told[-1] == ("running the best models on your images", 2, 2)
