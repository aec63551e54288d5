from __future__ import annotations

import re

import pytest

from hf_crosssight.data.layout import choose_split, find_layout, glob_to_regex
from hf_crosssight.errors import UserError

SHARDS = [f"data/{split}-0000{n}-of-00002.parquet" for split in ("train", "test") for n in range(2)]


def test_splits_go_by_the_names_of_the_shards():
    layout = find_layout(["README.md", ".gitattributes", *SHARDS], {}, None, None, "it")
    assert layout is not None
    assert (layout.config, layout.split, layout.splits) == ("default", "train", ("train", "test"))
    assert layout.files == tuple(SHARDS[:2])


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["test/0.parquet", "train/0.parquet"], ("train", "test")),
        (["val.parquet", "training.parquet"], ("train", "validation")),
        (["a.parquet", "b.parquet"], ("train",)),
        (["data/extra_hard-00000-of-00001.parquet"], ("extra_hard",)),
        (["dev-set.parquet", "readme.txt"], ("validation",)),
        (["contest/0.parquet"], ("train",)),
    ],
)
def test_other_names_of_splits(paths, splits):
    layout = find_layout(paths, {}, None, None, "it")
    assert layout is not None
    assert layout.splits == splits


def test_configs_of_the_card_go_first():
    card = {
        "configs": [
            {"config_name": "small", "data_files": [{"split": "train", "path": "s/*.parquet"}]},
            {"config_name": "big", "default": True, "data_files": {"train": ["b/t*"], "dev": "b/dev.parquet"}},
            {"config_name": "folder", "data_dir": "f"},
        ],
        "dataset_info": [
            {"config_name": "big", "features": [{"name": "x"}], "splits": [{"name": "dev", "num_examples": 7}]}
        ],
    }
    paths = [
        "s/1.parquet",
        "b/t1.parquet",
        "b/t2.parquet",
        "b/dev.parquet",
        "f/test-00000-of-00001.parquet",
        "x.parquet",
    ]
    big = find_layout(paths, card, None, "dev", "it")
    assert big is not None
    assert (big.config, big.files, big.splits, big.num_rows) == ("big", ("b/dev.parquet",), ("train", "dev"), 7)
    assert big.features == ({"name": "x"},)
    small = find_layout(paths, card, "small", None, "it")
    assert small is not None
    assert small.files == ("s/1.parquet",)
    folder = find_layout(paths, card, "folder", None, "it")
    assert folder is not None
    assert folder.split == "test"


def test_several_configs_without_a_default_are_named():
    card = {"configs": [{"config_name": name, "data_files": f"{name}/*"} for name in ("a", "b")]}
    with pytest.raises(UserError, match="several configurations: a, b"):
        find_layout(["a/1.parquet", "b/1.parquet"], card, None, None, "it")


def test_the_hubs_own_conversions():
    paths = ["cats/train/0000.parquet", "cats/train/0001.parquet", "dogs/partial-test/0000.parquet"]
    layout = find_layout(paths, {}, "dogs", None, "it")
    assert layout is not None
    assert (layout.split, layout.files) == ("test", ("dogs/partial-test/0000.parquet",))


def test_wrong_names_list_the_right_ones():
    with pytest.raises(UserError) as config:
        find_layout(SHARDS, {}, "defautl", None, "it")
    assert "The configurations are: default. Did you mean 'default'?" in config.value.hint
    with pytest.raises(UserError) as split:
        find_layout(SHARDS, {}, None, "tset", "it")
    assert "The splits are: train, test. Did you mean 'test'?" in split.value.hint


def test_without_data_files_there_is_no_layout():
    assert find_layout(["README.md", "script.py"], {}, None, None, "it") is None


def test_the_default_split_is_train_else_the_first():
    assert choose_split(["test", "train"], None, "it") == "train"
    assert choose_split(["b", "a"], None, "it") == "b"


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("data/train-*", "data/train-0", True),
        ("data/*", "data/a/b", False),
        ("**/*.parquet", "a.parquet", True),
        ("**/*.parquet", "a/b/c.parquet", True),
        ("**", "a/b", True),
        ("a?[0-9].{png,jpg}", "ab7.jpg", True),
        ("a?[!0-9].png", "ab7.png", False),
        ("a,b.(x)", "a,b.(x)", True),
    ],
)
def test_globs(pattern, path, matches):
    assert bool(re.fullmatch(glob_to_regex(pattern), path)) is matches
