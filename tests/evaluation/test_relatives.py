"""Blind models by their closest relative: the relation, the pairs of each, the table."""

import numpy as np
import pytest

from hf_crosssight.evaluation.relatives import (
    FAMILY,
    LINEAGE,
    NONE,
    BlindModel,
    by_relation,
    closest_relative,
    pairs_of_each,
)

KIN = {"a": "x", "b": "x", "c": "y", "d": "z"}
FAMILIES = {"a": "resnet", "b": "resnet", "c": "resnet", "d": "vit"}


@pytest.mark.parametrize(
    ("model", "training", "relation"),
    [("a", "bcd", LINEAGE), ("a", "cd", FAMILY), ("a", "d", NONE), ("d", "abc", NONE), ("a", "", NONE)],
)
def test_the_closest_relative_counts(model, training, relation):
    assert closest_relative(model, set(training), KIN, FAMILIES) == relation


def test_pairs_of_each_model():
    scores, accuracies = np.array([3.0, 2, 1, 1]), np.array([0.9, 0.5, 0.7, 0.5])
    assert pairs_of_each(scores, accuracies).tolist() == [1.0, 0.5, (1 + 0 + 0.5) / 3, (1 + 0.5) / 2]
    assert np.isnan(pairs_of_each(scores[:2], np.array([0.5, 0.5]))).all()


def test_means_are_over_models_and_datasets_of_one_count_once():
    found = [BlindModel("m", "a", f"d{k}", "x", LINEAGE, value) for k, value in enumerate((1.0, 0.5, np.nan))]
    found += [BlindModel("m", "c", "d0", "y", LINEAGE, 0.25), BlindModel("m", "d", "d0", "z", NONE, 1.0)]
    found += [BlindModel("other", "d", "d0", "z", NONE, 0.0)]
    rows = by_relation(found, ["m", "other"])
    assert [row[:3] for row in rows] == [(LINEAGE, 2, 2), (NONE, 1, 1)]
    assert rows[0][3][0].startswith("0.500 (0.250 to 0.750)")
    assert rows[0][3][1] == "-"
    assert rows[1][3] == ["1.000", "0.000"]
