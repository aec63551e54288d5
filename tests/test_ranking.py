"""The main job in Python: from a dataset to a ranked, filtered, explained list of real models."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from safetensors.numpy import save_file

from hf_crosssight import rank
from hf_crosssight.errors import UserError
from hf_crosssight.rankers import BUNDLED_FOLDER, bundled_ranker
from hf_crosssight.zoo.index import ZooIndex


@pytest.fixture(scope="module")
def digits():
    return rank("digits", filter="image-classification", offline=True)


def without_timing(ranking):
    return json.dumps({**ranking.to_dict(), "timing_s": None})


def test_digits_gives_ten_real_models_best_first(digits):
    assert len(digits) == 10
    assert [item.rank for item in digits] == list(range(1, 11))
    assert all("/" in item.model_id for item in digits)
    scores = [item.score for item in digits]
    assert scores == sorted(scores, reverse=True)
    assert digits.dataset == {
        "id": "digits", "revision": None, "split": "train", "num_classes": 10, "num_images_used": 100,
    }  # fmt: skip


def test_each_score_is_the_sum_of_its_parts_within_its_interval(digits):
    for item in digits:
        assert item.score == pytest.approx(item.score_static + item.score_dataset, abs=2e-6)
        assert item.score_low <= item.score <= item.score_high
        assert item.tier >= 1
        assert item.hardware is None
        assert {"structure", "card"} >= set(item.views)


def test_every_recommendation_has_reasons_that_name_training_datasets(digits):
    names = set(bundled_ranker().config.reference_names)
    assert names
    for item in digits:
        nearby = [reason for reason in item.why if "training datasets nearest to yours" in reason]
        assert len(nearby) == 1
        assert sum(name in nearby[0] for name in names) >= 3


def test_what_was_measured_of_a_known_model_is_told_as_measured(tmp_path):
    own = Path(__file__).parents[1] / "benchmarks/ground_truth/zoo_index"
    ranking = rank("digits", zoo=own, top=0, offline=True)
    measured = {item.model_id: [why for why in item.why if why.startswith("measured,")] for item in ranking}
    known = [model_id for model_id, told in measured.items() if told]
    assert 30 <= len(known) < len(ranking)  # of half of this zoo there are results of frozen features alone
    assert set(known) <= set(bundled_ranker().config.trained_on["models"])
    told = measured[known[0]][0]
    assert told.count(" % on ") == 3
    alone = rank("digits", zoo=own, models=[known[0]], offline=True)[0]
    whole = next(item for item in ranking if item.model_id == known[0])
    assert alone.score == pytest.approx(whole.score, abs=1e-5)  # a known model is known in any company
    assert told in alone.why
    zoo = ZooIndex.open(own)
    copy = zoo.take([zoo.model_ids.index(known[0])])
    place = copy.table.column_names.index("model_id")
    renamed = copy.table.set_column(place, "model_id", pa.array(["somebody/copy"]))
    ZooIndex("copy", renamed, dict(copy.views), copy.view_mask).save(tmp_path / "copy")
    copied = rank("digits", zoo=tmp_path / "copy", offline=True)[0]
    assert (copied.model_id, copied.seen_in_training) == ("somebody/copy", True)
    assert copied.score == pytest.approx(alone.score, abs=1e-5)
    assert any(name.split("/")[-1] in told for name in bundled_ranker().config.past_names)


def test_same_input_gives_the_same_output_byte_for_byte(digits):
    assert without_timing(rank("digits", filter=["image-classification"], offline=True)) == without_timing(digits)


def test_constraints_hold_and_every_rejected_model_is_counted_once():
    ranking = rank("digits", license=["apache-2.0", "mit"], min_params="1M", max_params="30M", top=0, offline=True)
    assert len(ranking) == ranking.zoo["num_candidates"]
    assert all(item.license in {"apache-2.0", "mit"} for item in ranking)
    assert all(10**6 <= item.params <= 3 * 10**7 for item in ranking)
    assert ranking.zoo["num_models"] == ranking.zoo["num_candidates"] + sum(ranking.zoo["rejected"].values())


def test_a_filter_removes_models_but_changes_no_score(digits):
    small = rank("digits", filter="image-classification", max_params="30M", top=0, offline=True)
    scores = {item.model_id: item.score for item in small}
    shared = [item for item in digits if item.model_id in scores]
    for item in shared:
        assert scores[item.model_id] == pytest.approx(item.score, abs=2e-6)
    everything = rank("digits", filter="image-classification", top=0, offline=True)
    kept = [item.model_id for item in everything if item.model_id in scores]
    assert kept == [item.model_id for item in small]


def test_models_in_memory_are_ranked_too():
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)) for _ in range(8)]
    ranking = rank({"images": images, "labels": ["cat", "dog"] * 4}, top=3)
    assert len(ranking) == 3
    assert ranking.dataset["num_classes"] == 2


def test_just_the_named_models_are_ranked(digits):
    wanted = [digits[4].model_id, digits[1].model_id]
    ranking = rank("digits", models=wanted, offline=True)
    assert [item.model_id for item in ranking] == wanted[::-1]


def test_another_dataset_changes_the_dataset_part_but_not_the_static_part(digits):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)) for _ in range(20)]
    other = rank({"images": noise, "labels": [0, 1] * 10}, models=[item.model_id for item in digits])
    by_id = {item.model_id: item for item in other}
    for item in digits:
        assert by_id[item.model_id].score_static == pytest.approx(item.score_static, abs=2e-6)
    assert any(abs(by_id[item.model_id].score_dataset - item.score_dataset) > 1e-4 for item in digits)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"max_params": "30 apples"}, "30 apples"),
        ({"top": -1}, "top"),
        ({"images_per_class": 0}, "images_per_class"),
        ({"max_classes": 1}, "max_classes"),
        ({"license": "no-such-licence"}, "license"),
        ({"zoo": "/no/such/zoo"}, "/no/such/zoo"),
        ({"ranker": "/no/such/ranker"}, "there is no ranker folder '/no/such/ranker'"),
        ({"ranker_revision": "main"}, "no revision 'main'"),
        ({"models": []}, "models is an empty list"),
        ({"device": "rtx4095"}, 'no device "rtx4095"'),
        ({"max_latency_ms": 5}, "--max-latency-ms needs to know on which device"),
        ({"refine": 0}, "refine is 0"),
        ({"refine": 2, "refine_rule": "best"}, "there is no rule 'best'"),
        ({"refine": 2, "refine_from": "/no/such/folder"}, "there is no folder /no/such/folder"),
        ({"refine": 2}, "none of the best 2 models can be run: timm/"),
    ],
)
def test_wrong_arguments_are_named(wrong, word):
    with pytest.raises(UserError) as raised:
        rank("digits", offline=True, **wrong)
    assert word in raised.value.what
    assert raised.value.hint


def test_an_argument_that_never_was_is_a_type_error():
    with pytest.raises(TypeError, match="no_such_argument"):
        rank("digits", offline=True, no_such_argument=1)


def test_one_model_may_be_named_without_a_list(digits):
    assert [item.model_id for item in rank("digits", models=digits[2].model_id, offline=True)] == [digits[2].model_id]


def test_a_ranker_folder_of_another_model_type_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(UserError, match="'resnet', not a ranker"):
        rank("digits", ranker=tmp_path, offline=True)


def test_a_ranker_with_damaged_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_bytes((BUNDLED_FOLDER / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((BUNDLED_FOLDER / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be loaded"):
        rank("digits", ranker=tmp_path, offline=True)


def test_a_ranker_whose_weights_are_of_another_network_is_refused(tmp_path):
    (tmp_path / "config.json").write_bytes((BUNDLED_FOLDER / "config.json").read_bytes())
    save_file({"something.else": np.zeros(3, np.float32)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="cannot be loaded"):
        rank("digits", ranker=tmp_path, offline=True)
