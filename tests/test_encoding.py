"""A dataset encoded once is ranked for without its images, and gives what ranking the dataset itself gives."""

import dataclasses
import json

import pytest

from hf_crosssight import rank
from hf_crosssight.data import load_sample
from hf_crosssight.encoding import encode_dataset
from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import find_ranker


@pytest.fixture(scope="module")
def ranker():
    return find_ranker("bundled", client=HubClient(offline=True)).load()


@pytest.fixture(scope="module")
def encoded(ranker):
    return encode_dataset(load_sample("digits"), ranker)


def comparable(ranking):
    return json.dumps({**ranking.to_dict(), "timing_s": None})


def test_ranking_an_encoded_dataset_gives_the_ranking_of_the_dataset(encoded, ranker):
    direct = rank("digits", license="mit", offline=True)
    assert comparable(rank(encoded, license="mit", ranker=ranker, offline=True)) == comparable(direct)
    assert "images" not in {field.name for field in dataclasses.fields(encoded)}


def test_tokens_of_another_encoder_are_refused(encoded, ranker):
    foreign = dataclasses.replace(encoded, tokens=dataclasses.replace(encoded.tokens, encoder="resnet50@abc"))
    with pytest.raises(UserError, match="resnet50@abc"):
        rank(foreign, ranker=ranker, offline=True)
