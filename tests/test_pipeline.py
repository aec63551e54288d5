"""`pipeline("model-ranking")` gives the recommendations that `rank` gives, for one dataset a call."""

from __future__ import annotations

import inspect

import datasets
import numpy as np
import pytest
from PIL import Image

import hf_crosssight
from hf_crosssight import ranking
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.pipeline import ModelRankingPipeline
from hf_crosssight.recommendation import Ranking


@pytest.fixture(scope="module")
def pipe():
    from transformers import pipeline

    hf_crosssight.registration.register()
    return pipeline("model-ranking", model=CrossSightModel(CrossSightConfig()), device="cpu")


def pictures(count: int = 6) -> dict[str, list]:
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)) for _ in range(count)]
    return {"images": images, "labels": ["dark" if i % 2 else "light" for i in range(count)]}


@pytest.fixture
def asked(monkeypatch):
    """What `rank` is called with, without ranking."""
    calls: list[tuple] = []

    def remember(dataset, **kwargs):
        calls.append((dataset, kwargs))
        empty = {name: {} for name in ("dataset", "ranker", "zoo")}
        return Ranking(recommendations=(), shortlist=None, timing_s={}, warnings=(), **empty)

    monkeypatch.setattr(ranking, "rank", remember)
    return calls


def test_equals_rank_with_the_same_ranker(pipe):
    told = pipe(pictures(), top=3, license="apache-2.0", offline=True)
    expected = ranking.rank(pictures(), ranker=pipe.model, top=3, license="apache-2.0", offline=True)
    assert told == expected.to_dict()["recommendations"]
    assert [item["rank"] for item in told] == [1, 2, 3]
    assert {item["license"] for item in told} == {"apache-2.0"}


@pytest.mark.parametrize(
    "data",
    ["cifar10", pictures(), datasets.Dataset.from_dict({"label": [0, 1]}), datasets.DatasetDict()],
    ids=["id", "dict", "Dataset", "DatasetDict"],
)
def test_an_input_is_one_dataset_never_a_batch(pipe, asked, data):
    assert pipe(data, zoo="starter") == []
    assert len(asked) == 1
    assert asked[0][0] is data
    assert asked[0][1] == {"ranker": pipe.model, "zoo": "starter"}


def test_arguments_of_the_pipeline_hold_unless_the_call_says_otherwise(asked):
    model = CrossSightModel(CrossSightConfig())
    pipe = ModelRankingPipeline(model=model, task="model-ranking", top=5, offline=True)
    pipe("cifar10", top=7)
    pipe("cifar10")
    assert [call[1]["top"] for call in asked] == [7, 5]
    assert all(call[1]["offline"] for call in asked)


def test_the_ranker_is_the_pipelines_own(pipe):
    with pytest.raises(ValueError, match="pass it as pipeline"):
        pipe("cifar10", ranker="bundled")
    assert "ranker" in inspect.signature(ranking.rank).parameters
