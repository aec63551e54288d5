"""The feature extractor gives the tokens that the package gives, ready for the ranker."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from hf_crosssight.data import load_sample
from hf_crosssight.models import CrossSightConfig, CrossSightFeatureExtractor, CrossSightModel
from hf_crosssight.tokens.dataset import dataset_tokens


def pictures(count: int = 8) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)) for _ in range(count)]


def test_tokens_are_those_of_the_package_and_fit_the_ranker():
    labels = [0, 1, 0, 1, 0, 1, 0, 1]
    features = CrossSightFeatureExtractor(images_per_class=3)(pictures(), labels, ["cat", "dog"])
    named = {"images": pictures(), "labels": ["cat", "dog"] * 4}
    expected = dataset_tokens(load_sample(named, images_per_class=3)).values
    assert torch.equal(features["dataset_tokens"][0], torch.tensor(expected))
    assert features["dataset_mask"].all()
    config = CrossSightConfig()
    views = {name: torch.ones(1, 2, *shape) for name, shape in config.view_shapes.items()}
    assert CrossSightModel(config).eval()(**features, model_views=views).scores.shape == (1, 2)


def test_round_trip_keeps_what_is_sampled(tmp_path):
    CrossSightFeatureExtractor(images_per_class=4, max_classes=7, seed=3, text_encoder="t").save_pretrained(tmp_path)
    again = CrossSightFeatureExtractor.from_pretrained(tmp_path)
    assert (again.images_per_class, again.max_classes, again.seed, again.text_encoder) == (4, 7, 3, "t")


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="images_per_class"):
        CrossSightFeatureExtractor(images_per_class=0)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        CrossSightFeatureExtractor()(pictures(2), [0, 2], ["cat", "dog"])
    with pytest.raises(ValueError, match="the ranker reads 'other'"):
        CrossSightFeatureExtractor(text_encoder="other")(pictures(4), ["a", "b"] * 2)
