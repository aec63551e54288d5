"""A query goes into a link and comes back."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.space.query import Query


def returned(query):
    return Query.from_link(parse_qs(query.link().removeprefix("?"), keep_blank_values=True))


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query("hub", "acme/shapes@main", "default", "test", "image", "label"),
        Query(task="image-classification", license=("mit", "apache-2.0"), min_params="1M", max_params="30M", top=50),
        Query(device="rtx4090", max_latency_ms=2.5, max_memory_mb=800.0, weigh_latency=0.05, weigh_energy=1.0),
        Query("hub", "acme/a&b=c?d", split="<b>"),
    ],
)
def test_the_link_of_a_query_brings_it_back(query):
    assert returned(query) == query


def test_an_address_without_a_dataset_names_no_query():
    assert Query.from_link({}) is None
    assert Query.from_link({"__theme": ["dark"]}) is None


def test_what_no_control_can_have_is_refused():
    with pytest.raises(UserError, match="cannot be shown"):
        Query.from_link({"dataset": ["digits"], "top": ["100000"]})
    for text in ("fast", "-1", "nan", "inf"):
        with pytest.raises(UserError, match="where a number belongs"):
            Query.from_link({"dataset": ["digits"], "max_latency_ms": [text]})
    with pytest.raises(UserError, match="source 'archive'"):
        Query.from_link({"dataset": ["x"], "source": ["archive"]})


def test_uploads_cannot_be_linked_to():
    assert Query().is_linkable
    assert not Query("archive", "").is_linkable


def test_a_limit_of_0_is_none():
    query = Query(device="raspberry-pi-5", max_latency_ms=0, max_memory_mb=0.0)
    assert query == Query(device="raspberry-pi-5")
    assert query.hardware()["max_memory_mb"] is None
    assert "max_" not in query.link()
