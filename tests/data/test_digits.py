from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    sample = load_sample("digits", images_per_class=200)
    bunch = load_digits()
    assert sample.labels is not None
    assert len(sample.images) == sample.num_rows == len(bunch.target)
    expected = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    order = np.argsort(bunch.target, kind="stable")
    assert np.array_equal(sample.labels, bunch.target[order])
    found = np.stack([np.asarray(image)[..., 0] for image in sample.images])
    assert np.array_equal(found, expected[order])


def test_ten_of_each_by_default_and_progress_is_told():
    told = []
    sample = load_sample("digits", progress=lambda *step: told.append(step))
    assert sample.labels is not None
    assert np.bincount(sample.labels).tolist() == [10] * 10
    assert sample.class_names == tuple("0123456789")
    assert told[-1] == ("reading images", 100, 100)


@pytest.mark.parametrize(
    "wrong", [{"split": "test"}, {"config": "big"}, {"label_column": "digit"}, {"revision": "main"}]
)
def test_digits_has_nothing_to_choose(wrong):
    with pytest.raises(UserError, match=next(iter(wrong.values()))):
        load_sample("digits", **wrong)


@pytest.mark.parametrize("wrong", [{"images_per_class": 0}, {"max_classes": 1}, {"seed": -1}])
def test_counts_that_no_sample_can_have(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        load_sample("digits", **wrong)
