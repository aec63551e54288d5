"""Features are computed once, by whichever process comes first, and a damaged file is computed again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.features import FeatureStore, images_fingerprint, load_image_model
from hf_crosssight.features import cache as room

from .networks import pictures, write_vit


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return load_image_model(write_vit(tmp_path_factory.mktemp("models") / "vit"))


def test_the_second_time_nothing_runs(vit, tmp_path, monkeypatch):
    store = FeatureStore(tmp_path / "kept")
    first = store.extract(vit, pictures())
    monkeypatch.setattr(room, "extract", lambda *_, **__: pytest.fail("computed again"))
    again = FeatureStore(tmp_path / "kept").extract(vit, pictures())
    assert np.array_equal(first.pooled, again.pooled)
    assert np.array_equal(first.probs, again.probs)


def test_other_models_images_and_preprocessing_are_kept_apart(vit, tmp_path):
    store = FeatureStore(tmp_path)
    print_ = images_fingerprint(pictures())
    grey = type(vit.preprocessing)(vit.preprocessing._processor, 1)
    paths = {
        store.path(vit, print_),
        store.path(vit, images_fingerprint(pictures()[::-1])),
        store.path(replace(vit, revision="other"), print_),
        store.path(replace(vit, preprocessing=grey), print_),
        store.path(replace(vit, options={"interpolate_pos_encoding": True}), print_),
    }
    assert len(paths) == 5
    assert print_ == images_fingerprint([Image.fromarray(one) for one in pictures()])


def test_a_damaged_file_is_computed_again(vit, tmp_path):
    store = FeatureStore(tmp_path)
    whole = store.extract(vit, pictures())
    path = store.path(vit, images_fingerprint(pictures()))
    for broken in (b"", b"no archive", path.read_bytes()[:-40]):
        path.write_bytes(broken)
        np.testing.assert_array_equal(store.extract(vit, pictures()).pooled, whole.pooled)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_two_at_once_agree(vit, tmp_path):
    store = FeatureStore(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: store.extract(vit, pictures()).pooled, range(8)))
    assert all(np.allclose(one, found[0], atol=1e-5) for one in found)
    assert len(list(tmp_path.iterdir())) == 1
