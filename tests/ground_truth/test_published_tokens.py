"""Token samples: words where there are no images, and a target's own words and counts over a stand-in's images."""

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.ground_truth.datasets import StandIn, published_datasets
from hf_crosssight.ground_truth.published_tokens import token_samples
from hf_crosssight.tokens.dataset import dataset_layout
from hf_crosssight.tokens.dataset_statistics import COUNT_STATS, count_stats
from hf_crosssight.tokens.dataset_text import text_token


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        folder = root / "datasets" / "zoo-bench" / "oxford-pets-5" / "train" / name
        folder.mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def columns(name):
    return slice(*dataset_layout()[name])


def test_targets_without_images_have_their_words(hub, tmp_path):
    samples = token_samples(["aircraft", "never-heard-of"], {}, hub, cache_dir=tmp_path)
    assert list(samples) == ["aircraft"]
    (only,) = samples["aircraft"]
    assert not only.has_images
    described = published_datasets()["aircraft"]
    counts = only.values[0, columns("global")][: len(COUNT_STATS)]
    assert np.allclose(counts, count_stats(described.num_classes, described.num_images), atol=1e-6)


def test_a_part_lends_its_images_and_the_target_its_words_and_counts(hub, tmp_path):
    images = {"pets": StandIn("zoo-bench/oxford-pets-5", "part")}
    samples = token_samples(["pets"], images, hub, cache_dir=tmp_path, images_per_class=(1, 3))["pets"]
    assert [s.has_images for s in samples] == [False, True, True, True, True]
    own, described = samples[-2:]
    assert np.array_equal(own.values[:2], described.values[:2])  # the same prototypes
    text = described.values[-1, columns("text")]
    assert np.allclose(text, text_token(published_datasets()["pets"].description, ()), atol=1e-5)
    assert not np.allclose(own.values[-1, columns("text")], text)
    counts = described.values[-2, columns("global")]
    assert np.allclose(counts[:4], count_stats(37, 3680)[:4], atol=1e-6)
    assert np.array_equal(counts[4:], own.values[-2, columns("global")][4:])


def test_a_related_stand_in_never_speaks_for_itself(hub, tmp_path):
    images = {"flowers": StandIn("zoo-bench/oxford-pets-5", "related")}
    samples = token_samples(["flowers"], images, hub, cache_dir=tmp_path, images_per_class=(2,))["flowers"]
    words = text_token(published_datasets()["flowers"].description, ())
    assert len(samples) == 2
    assert all(np.allclose(s.values[-1, columns("text")], words, atol=1e-5) for s in samples)
