"""The JSON contract of a ranking."""

import json

import pytest

from hf_crosssight.recommendation import Ranking, Recommendation


def make_ranking(
    count: int = 2, why: tuple[str, ...] = ("pre-trained on imagenet-1k", "3rd of 9 on any dataset")
) -> Ranking:
    items = tuple(
        Recommendation(
            rank=i + 1,
            model_id=f"org/model|{i}",
            score=1.5 - i,
            score_low=1.0 - i,
            score_high=2.0 - i,
            tier=1 + i,
            in_shortlist=None,
            score_static=1.25 - i,
            score_dataset=0.25,
            seen_in_training=False,
            params=11_689_512 if i == 0 else None,
            license="apache-2.0" if i == 0 else None,
            views=("structure", "card"),
            hardware=None,
            why=why,
        )
        for i in range(count)
    )
    return Ranking(
        recommendations=items,
        dataset={"id": "digits", "revision": None, "split": "train", "num_classes": 10, "num_images_used": 100},
        ranker={"id": "crosssight/ranker", "source": "bundled", "revision": "abc"},
        zoo={"id": "starter", "num_models": 9, "num_candidates": 5, "rejected": {"license": 3, "max_params": 1}},
        shortlist=None,
        timing_s={"total": 1.0},
        warnings=("one image was skipped",),
    )


def test_json_has_the_fields_that_scripts_read():
    ranking = json.loads(json.dumps(make_ranking().to_dict()))
    assert ranking["schema_version"] == 1
    assert ranking["shortlist"] is None
    assert ranking["refinement"] is None
    assert set(ranking["recommendations"][0]) == {
        "rank", "model_id", "score", "score_low", "score_high", "tier", "in_shortlist", "score_static",
        "score_dataset", "seen_in_training", "params", "license", "views", "hardware", "why",
        "score_evidence", "refinement",
    }  # fmt: skip
    assert ranking["recommendations"][1]["params"] is None


def test_a_ranking_is_a_sequence():
    ranking = make_ranking(3)
    assert len(ranking) == 3
    assert [item.rank for item in ranking] == [1, 2, 3]
    assert ranking[0].model_id == "org/model|0"
    assert [item.rank for item in ranking[1:]] == [2, 3]


def test_pandas_has_one_row_per_model():
    frame = make_ranking().to_pandas()
    assert frame["model_id"].tolist() == ["org/model|0", "org/model|1"]
    assert frame.loc[0, "why"] == "pre-trained on imagenet-1k; 3rd of 9 on any dataset"


def test_a_recommendation_cannot_be_changed():
    with pytest.raises(AttributeError):
        make_ranking()[0].score = 3.0
