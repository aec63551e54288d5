"""Constraints: which models pass, and the count of the others by the first constraint that they failed."""

from __future__ import annotations

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.zoo.filters import Constraints, parse_size, select
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.record import ModelRecord

RECORDS = (
    ModelRecord("a/small", task="image-classification", library="timm", license="apache-2.0", params=5_000_000),
    ModelRecord("a/large", task="image-classification", library="timm", license="apache-2.0", params=300_000_000),
    ModelRecord("a/nc", task="image-classification", library="timm", license="cc-by-nc-4.0", params=20_000_000),
    ModelRecord("a/tagged", task="image-feature-extraction", tags=("Medical", "vision"), license="mit", params=10),
    ModelRecord("a/unlicensed", task="image-classification", params=5_000_000),
    ModelRecord("a/unsized", task="image-classification", license="mit"),
    ModelRecord("a/unknown"),
)


@pytest.fixture
def zoo() -> ZooIndex:
    return ZooIndex.from_entries([(record, {}) for record in RECORDS], id="test")


def passed(zoo: ZooIndex, **constraints) -> tuple[list[str], dict[str, int]]:
    selection = select(zoo, Constraints(**constraints))
    return [zoo.model_ids[i].removeprefix("a/") for i in selection.indices], selection.rejected


def test_no_constraint_rejects_nothing(zoo: ZooIndex):
    assert passed(zoo) == ([r.model_id[2:] for r in RECORDS], {})


def test_a_tag_is_task_library_or_tag_and_all_must_hold(zoo: ZooIndex):
    assert passed(zoo, filter=("timm",)) == (["small", "large", "nc"], {"filter": 3, "filter_unknown": 1})
    assert passed(zoo, filter=("medical",)) == (["tagged"], {"filter": 5, "filter_unknown": 1})
    assert passed(zoo, filter=("image-feature-extraction", "VISION"))[0] == ["tagged"]
    with pytest.raises(UserError, match="timm and vision"):
        passed(zoo, filter=("timm", "vision"))


def test_any_license_may_hold_and_an_unknown_one_fails(zoo: ZooIndex):
    names, rejected = passed(zoo, license=("apache-2.0", "MIT"))
    assert names == ["small", "large", "tagged", "unsized"]
    assert rejected == {"license": 1, "license_unknown": 2}


def test_bounds_are_inclusive_and_an_unknown_size_fails(zoo: ZooIndex):
    names, rejected = passed(zoo, min_params=5_000_000, max_params=20_000_000)
    assert names == ["small", "nc", "unlicensed"]
    assert rejected == {"min_params": 1, "min_params_unknown": 2, "max_params": 1}
    assert passed(zoo, max_params=10) == (["tagged"], {"max_params": 4, "max_params_unknown": 2})


def test_each_model_counts_once_in_the_promised_order(zoo: ZooIndex):
    names, rejected = passed(
        zoo, filter=("image-classification",), license=("apache-2.0",), min_params=1, max_params=30_000_000
    )
    assert names == ["small"]
    assert rejected == {"filter": 1, "filter_unknown": 1, "license": 2, "license_unknown": 1, "max_params": 1}
    assert len(names) + sum(rejected.values()) == len(RECORDS)


def test_nothing_left_says_what_removed_how_many(zoo: ZooIndex):
    with pytest.raises(UserError) as caught:
        passed(zoo, license=("apache-2.0",), min_params=10**9)
    assert caught.value.exit_code == 2
    for said in ("--license (apache-2.0) removed 5, 2 of them for want of the fact", "1,000,000,000", "removed 2."):
        assert said in caught.value.what
    assert caught.value.what.count("--license") == 1


def test_a_constraint_that_only_lacks_facts_says_so(zoo: ZooIndex):
    with pytest.raises(UserError, match=r"--license \(mit\) removed 1 for want of the fact\."):
        passed(zoo.take([4]), license=("mit",))


def test_an_empty_zoo_says_so():
    with pytest.raises(UserError, match="holds no model"):
        select(ZooIndex.from_entries([], id="nothing"), Constraints())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30M", 30_000_000),
        ("1.5b", 1_500_000_000),
        ("300K", 300_000),
        ("25000000", 25_000_000),
        (" 2 g ", 2_000_000_000),
        ("1e6", 1_000_000),
        (7, 7),
        (".5M", 500_000),
        ("0", 0),
    ],
)
def test_sizes(text, value):
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "M", "30MB", "-5M", "ten", "1.2.3M", "nan", "inf", "1e99", "30 M x", True])
def test_malformed_sizes_are_named(text):
    with pytest.raises(UserError) as caught:
        parse_size(text, "--max-params")
    assert "--max-params" in caught.value.what
    assert caught.value.hint
