from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.data import load_sample
from hf_crosssight.data.request import SampleRequest
from hf_crosssight.errors import UserError


@pytest.mark.parametrize("name", ["seed", "images_per_class", "max_classes"])
@pytest.mark.parametrize("value", ["7", 7.5, None, True])
def test_what_is_no_whole_number_is_the_users_error(name, value):
    with pytest.raises(UserError, match=f"{name} is {value!r}") as caught:
        load_sample("digits", **{name: value})
    assert "whole number" in caught.value.hint


def test_numbers_of_numpy_are_numbers():
    request = SampleRequest(seed=np.int64(3))
    assert request == SampleRequest(seed=3)
    assert type(request.seed) is int


@pytest.mark.parametrize("options", [{"seed": -1}, {"images_per_class": 0}, {"max_classes": 1}])
def test_counts_that_no_sample_can_have(options):
    with pytest.raises(UserError):
        SampleRequest(**options)
