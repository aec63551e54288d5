from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hf_crosssight.data.columns import Column
from hf_crosssight.data.labels import labels_from_values
from hf_crosssight.errors import UserError

PLAIN = Column("label", "int")


@pytest.mark.parametrize(
    ("values", "codes", "names"),
    [
        (["dog", "cat", None, "dog"], [1, 0, -1, 1], ("cat", "dog")),
        ([True, False, True], [1, 0, 1], ("false", "true")),
        ([7, -2, 10], [1, 0, 2], ("-2", "7", "10")),
        ([1.0, 0.0, 1.0], [1, 0, 1], ("0", "1")),
        (np.asarray([3, 1, 3]), [1, 0, 1], ("1", "3")),
        (pa.array(["b", "a"]).dictionary_encode(), [1, 0], ("a", "b")),
    ],
)
def test_values_become_codes_and_names(values, codes, names):
    labels = labels_from_values(values, PLAIN)
    assert labels.codes.tolist() == codes
    assert labels.names == names
    assert not labels.declared


def test_declared_names_are_kept_and_minus_one_is_no_label():
    labels = labels_from_values([2, -1, None, 0], Column("label", "class", ("a", "b", "c")))
    assert labels.codes.tolist() == [2, -1, -1, 0]
    assert labels.names == ("a", "b", "c")
    assert labels.declared


def test_a_label_beyond_the_declared_classes_is_an_error():
    with pytest.raises(UserError, match="declares 2 classes and holds the label 5"):
        labels_from_values([0, 5], Column("label", "class", ("a", "b")))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([[1, 0], [0, 1]], "multi-label"),
        ([np.asarray([1, 0])], "multi-label"),
        ([0.5, 1.0], "regression"),
        ([f"a long and winding description of picture number {n}" for n in range(30)], "captions"),
    ],
)
def test_values_of_other_tasks_are_refused(values, task):
    with pytest.raises(UserError, match=task):
        labels_from_values(values, PLAIN)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (list(range(1000, 1030)), "regression dataset .*30 different numbers in 30 rows"),
        ([float(n) for n in range(25)], "regression"),
        ([n % 26 for n in range(50)], "regression"),
        ([f"a dog runs on grass {n}" for n in range(18)] + ["a cat sleeps on grass"] * 2, "captions"),
    ],
)
def test_labels_that_hardly_ever_repeat_are_no_classes(values, task):
    with pytest.raises(UserError, match=task) as caught:
        labels_from_values(values, PLAIN)
    assert "one class an image" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (list(range(19)), PLAIN),  # too few rows to tell
        ([n % 25 for n in range(50)], PLAIN),
        (list(range(30)), Column("label", "class", tuple(map(str, range(30))))),
        ([str(n) for n in range(30)], PLAIN),
        ([f"Audi S5 Convertible {n}" for n in range(30)], PLAIN),
        ([f"Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax_{n}" for n in range(30)], PLAIN),
        ([f"a dog runs on grass {n % 10}" for n in range(30)], PLAIN),
    ],
)
def test_many_classes_of_one_image_each_are_classes(values, column):
    assert len(labels_from_values(values, column).names) == len(set(values))


def test_values_chosen_by_class_may_be_all_different():
    assert len(labels_from_values(list(range(40)), PLAIN, is_sample=True).names) == 40


def test_rows_without_a_label_are_counted():
    assert labels_from_values(["b", None, "a", None], PLAIN).missing == 2
    assert labels_from_values([0, None, -1, 1], Column("label", "class", ("a", "b"))).missing == 2
