"""Baselines on a table small enough to rank by hand."""

import numpy as np
import pytest

from hf_crosssight.evaluation.baselines import (
    fact_predictor,
    gaussianised,
    nearest_dataset,
    quantiles,
    source_accuracies,
    static_mean,
)
from hf_crosssight.ground_truth.tables import Task


def task(table, dataset, scores):
    return Task(table, dataset, tuple(scores), np.array(list(scores.values())))


TRAIN = [
    task("t", "pets", {"a": 0.9, "b": 0.5, "c": 0.1}),
    task("t", "svhn", {"a": 0.1, "b": 0.5, "c": 0.9}),
    task("t", "dtd", {"a": 0.8, "b": 0.7, "c": 0.2}),
    task("other", "pets", {"d": 3.0, "e": 1.0}),
]


def test_static_mean_rank_is_the_mean_over_the_tables_datasets():
    predict = static_mean(TRAIN, quantiles)
    assert predict(task("t", "food", {"a": 0, "b": 0, "c": 0})) == pytest.approx([2 / 3, 0.5, 1 / 3])


def test_static_mean_falls_back_on_other_tables_and_refuses_unknown_models():
    predict = static_mean(TRAIN, quantiles)
    assert predict(task("t", "food", {"a": 0, "d": 0})) == pytest.approx([2 / 3, 1.0])
    assert predict(task("t", "food", {"x": 0, "y": 0, "a": 0})) is None


def test_nearest_dataset_copies_the_ranks_of_the_nearest_in_the_same_table():
    near = {"pets": 0.2, "svhn": 0.1, "dtd": 0.9}
    predict = nearest_dataset(TRAIN, lambda one, another: near[another])
    assert np.argsort(predict(task("t", "food", {"a": 0, "b": 0, "c": 0}))).tolist() == [0, 1, 2]
    assert predict(task("third", "food", {"a": 0})) is None


def test_facts_are_used_where_most_models_have_them():
    predict = fact_predictor({"a": 3.0, "b": None, "c": 1.0})
    assert predict(task("t", "food", {"a": 0, "b": 0, "c": 0})) == pytest.approx([3.0, 2.0, 1.0])
    assert predict(task("t", "food", {"b": 0, "x": 0, "c": 0})) is None


def test_source_accuracy_prefers_the_measured_table():
    timm = task("timm_accuracy", "imagenet", {"timm/m": 80.0})
    found = source_accuracies([timm], {"timm/m": 99.0, "hub/n": 55.0, "hub/o": None})
    assert found["timm/m"] == 80.0
    assert found["hub/n"] == 55.0
    assert "hub/o" not in found


def test_gaussianised_targets_are_symmetric_and_share_ties():
    values = gaussianised(np.array([0.1, 0.7, 0.7, 0.9]))
    assert values[1] == values[2]
    assert values.sum() == pytest.approx(0.0, abs=1e-9)
