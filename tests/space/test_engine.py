"""What the page counts and shows is what the ranking says."""

from __future__ import annotations

import json

import pytest

from hf_crosssight import rank
from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError
from hf_crosssight.space.engine import Engine
from hf_crosssight.space.handlers import Handlers, told
from hf_crosssight.space.query import Query
from hf_crosssight.space.sources import Upload


@pytest.fixture(scope="module")
def handlers():
    return Handlers(Engine())


def test_the_page_ranks_as_the_command_does(handlers):
    query = Query(license=("mit",), max_params="30M", top=10)
    answer = handlers.answer(query, Upload(), None, None)
    direct = rank("digits", license="mit", max_params="30M", offline=True)
    page = {**answer.ranking.to_dict(), "timing_s": None}
    assert json.dumps(page) == json.dumps({**direct.to_dict(), "timing_s": None})
    assert handlers.engine.remaining(query).count == direct.zoo["num_candidates"]
    assert handlers.engine.remaining(query).rejected == direct.zoo["rejected"]


def test_limits_on_a_device_count_as_they_rank(handlers):
    query = Query(device="raspberry-pi-5", max_latency_ms=100.0, weigh_latency=0.1, top=10)
    answer = handlers.answer(query, Upload(), None, None)
    assert handlers.engine.remaining(query).count == answer.ranking.zoo["num_candidates"] < 2019
    assert all(item.hardware["latency_ms_high"] <= 100 for item in answer.ranking)
    assert "needs to know on which device" in handlers.count(Query(max_latency_ms=5.0))


def test_neither_the_server_nor_a_file_of_it_is_a_device(handlers, tmp_path):
    for name in ("local", str(tmp_path / "device.json")):
        assert "there is no device" in handlers.count(Query(device=name))
        with pytest.raises(UserError, match="there is no device"):
            handlers.answer(Query(device=name), Upload(), None, None)


def test_another_filter_does_not_encode_the_dataset_again(handlers, monkeypatch):
    held = handlers.answer(Query(), Upload(), None, None).held
    monkeypatch.setattr(handlers.engine, "encode", lambda *_: pytest.fail("encoded again"))
    assert handlers.answer(Query(license=("mit",)), Upload(), held, None).held is held


def test_attention_is_shared_out_and_pictures_are_of_their_class(handlers):
    answer = handlers.answer(Query(), Upload(), None, None)
    shares = [share for _, share in answer.insight.attended]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert shares == sorted(shares, reverse=True)
    assert {name for name, _ in answer.insight.attended} == {*map(str, range(10)), "global", "text"}
    assert set(answer.held.pictures) == set(map(str, range(10)))
    distances = [distance for _, distance in answer.insight.nearest]
    assert distances == sorted(distances)
    named = answer.ranking[0].why[1]
    assert all(name in named for name, _ in answer.insight.nearest[:3])


def test_nothing_of_a_users_dataset_is_left_on_the_disk(handlers, hub_home):
    handlers.engine.encode(load_sample("digits", images_per_class=1, max_classes=2))
    assert [path for path in hub_home.rglob("*") if path.is_file()] == []


def test_filters_that_leave_nothing_are_told_in_the_pages_words(handlers):
    shown = handlers.count(Query(license=("no-such",)))
    assert "the licence (no-such) removed" in shown
    with pytest.raises(UserError, match="No model"):
        handlers.answer(Query(license=("no-such",)), Upload(), None, None)
    assert "smallest size" in handlers.count(Query(min_params="many"))


def test_a_defect_is_told_without_its_traceback():
    error = told(KeyError("secret/path"))
    assert "secret" not in str(error)
    assert "Try again" in error.hint
