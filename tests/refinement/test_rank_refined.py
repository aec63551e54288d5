"""`rank(..., refine=K)`: what a user sees of it."""

import json
import subprocess
import sys

import pytest

from hf_crosssight import rank
from hf_crosssight.encoding import encode_dataset
from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import find_ranker

from .models import stripes, write_zoo


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_zoo(tmp_path_factory.mktemp("models"), 5)


@pytest.fixture(scope="module")
def dataset():
    sample = stripes()
    return {"images": list(sample.images), "labels": sample.labels.tolist()}


@pytest.fixture(scope="module")
def refined(root, dataset):
    return rank(dataset, zoo=root, refine=5, top=0, offline=True)


def test_scores_are_the_sum_of_their_parts_and_rank_the_models(refined):
    scores = [item.score for item in refined]
    assert scores == sorted(scores, reverse=True)
    for item in refined:
        assert item.score == pytest.approx(item.score_static + item.score_dataset + item.score_evidence, abs=3e-6)
        assert item.score_low <= item.score <= item.score_high
    assert sum(item.score_evidence != 0.0 for item in refined) >= 2
    assert "refinement" in refined.timing_s


def test_the_json_says_what_was_measured_and_why_a_model_was_not_run(refined):
    found = json.loads(json.dumps(refined.to_dict()))
    assert found["schema_version"] == 1
    assert found["refinement"]["k"] == 5
    assert found["refinement"]["run"] == 4
    assert set(found["refinement"]) >= {"rule", "weights", "trust", "not_run", "fitted_on"}
    by_id = {item["model_id"]: item for item in found["recommendations"]}
    broken = by_id.pop("acme/vit4")
    assert broken["refinement"]["evidence"] is None
    assert broken["refinement"]["reason"]
    assert broken["score"] == broken["refinement"]["score_before"]
    assert broken["why"][0].startswith("not run on your images")
    for item in by_id.values():
        assert set(item["refinement"]["evidence"]) == set(found["refinement"]["weights"])
        assert item["why"][0].startswith("run on your images: ")
    assert sorted(item["refinement"]["rank_before"] for item in found["recommendations"]) == [1, 2, 3, 4, 5]


def test_tables_have_the_score_but_no_nested_fields(refined):
    assert {"score_evidence"} <= set(refined.rows()[0])
    assert "refinement" not in refined.rows()[0]


def test_the_same_call_gives_the_same_bytes(root, dataset, refined):
    again = rank(dataset, zoo=root, refine=5, top=0, offline=True)
    first, second = (json.dumps({**each.to_dict(), "timing_s": None}) for each in (refined, again))
    assert first == second


def test_model_spiders_rule_keeps_the_best_k_together(root, dataset):
    plain = rank(dataset, zoo=root, top=0, offline=True)
    found = rank(dataset, zoo=root, refine=3, refine_rule="model_spider", top=0, offline=True)
    assert {item.model_id for item in found[:3]} == {item.model_id for item in plain[:3]}
    assert [item.model_id for item in found[3:]] == [item.model_id for item in plain[3:]]
    assert sorted(item.score for item in found) == pytest.approx(sorted(item.score for item in plain), abs=2e-6)
    assert plain.refinement is None
    assert plain[0].score_evidence is None


def test_an_encoded_dataset_has_no_images_to_run_models_on(root):
    client = HubClient(offline=True)
    ranker = find_ranker("bundled", client=client).load()
    with pytest.raises(UserError, match="has no images to run models on"):
        rank(encode_dataset(stripes(), ranker, client), zoo=root, refine=2, offline=True)


def test_nothing_of_it_is_imported_unless_asked_for():
    program = "import sys, hf_crosssight.ranking, hf_crosssight.cli.rank; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"hf_crosssight.refinement", "hf_crosssight.transferability", "torch"} & set(run.stdout.split())
