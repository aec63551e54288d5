from __future__ import annotations

import numpy as np

from hf_crosssight.data import load_sample
from hf_crosssight.data.request import SampleRequest
from hf_crosssight.data.sample_cache import load, sample_path, store
from tests.data.repositories import class_folders, encoded, picture


def test_a_sample_comes_back_as_it_was(tmp_path):
    class_folders(tmp_path / "set", ["cat", "dog"])
    sample = load_sample(tmp_path / "set")
    store(tmp_path / "kept" / "it.parquet", sample)
    again = load(tmp_path / "kept" / "it.parquet")
    assert again is not None
    assert again.fingerprint == sample.fingerprint
    assert again.class_names == sample.class_names
    assert np.array_equal(np.asarray(again.images[3]), np.asarray(sample.images[3]))
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["it.parquet"]


def test_unlabelled_samples_too(tmp_path):
    store(tmp_path / "it", load_sample({"images": [encoded(picture(0)), encoded(picture(1))]}))
    again = load(tmp_path / "it")
    assert again is not None
    assert again.labels is None


def test_damaged_missing_and_outdated_samples_are_not_there(tmp_path):
    store(tmp_path / "it", load_sample({"images": [encoded(picture(0)), encoded(picture(1))]}))
    assert load(tmp_path / "it", revision="another commit") is None
    assert load(tmp_path / "nothing") is None
    content = (tmp_path / "it").read_bytes()
    (tmp_path / "it").write_bytes(content[: len(content) // 2])
    assert load(tmp_path / "it") is None


def test_a_place_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    store(tmp_path / "file" / "it", load_sample("digits"))
    assert (tmp_path / "file").read_text() == ""


def test_every_option_has_its_own_place():
    paths = {
        sample_path("a", None, SampleRequest()),
        sample_path("b", None, SampleRequest()),
        sample_path("a", "main", SampleRequest()),
        sample_path("a", None, SampleRequest(seed=1)),
        sample_path("a", None, SampleRequest(split="test")),
    }
    assert len(paths) == 5
