"""Blind means blind: no parent and no lineage stands on both sides of a fold."""

import numpy as np

from hf_crosssight.evaluation.quadrants import (
    BLIND_DATASETS,
    BLIND_MODELS,
    DOUBLE_BLIND,
    folds_of,
    training_tasks,
)
from hf_crosssight.evaluation.quadrants import (
    test_tasks as tasks_to_test,
)
from hf_crosssight.evaluation.report import Outcome, bootstrap_interval, mean_over_tables, per_table
from hf_crosssight.ground_truth.tables import Task

MODELS = tuple(f"m{i}" for i in range(30))
LINEAGE = {model: f"line{i // 3}" for i, model in enumerate(MODELS)}
DATASETS = ("cifar10", "cifar100", "pets", "dtd", "svhn", "eurosat")
TASKS = [Task("t", name, MODELS, np.random.default_rng(i).random(30)) for i, name in enumerate(DATASETS)]


def test_every_parent_and_lineage_is_held_out_once():
    folds = folds_of(TASKS, LINEAGE, 3, seed=0)
    parents = [parent for fold in folds for parent in fold.parents]
    assert sorted(parents) == sorted({task.parent for task in TASKS})
    assert sorted(model for fold in folds for model in fold.models) == sorted(MODELS)
    for fold in folds:
        held = {LINEAGE[model] for model in fold.models}
        assert not held & {LINEAGE[model] for model in set(MODELS) - fold.models}


def test_quadrants_share_nothing_with_the_training():
    fold = folds_of(TASKS, LINEAGE, 3, seed=1)[0]
    known = training_tasks(TASKS, fold)
    tested = tasks_to_test(TASKS, fold)
    assert {"cifar10", "cifar100"} & {t.dataset for t in known} in ({"cifar10", "cifar100"}, set())
    for task in [*tested[BLIND_DATASETS], *tested[DOUBLE_BLIND]]:
        assert task.parent not in {t.parent for t in known}
    for task in [*tested[BLIND_MODELS], *tested[DOUBLE_BLIND]]:
        assert not set(task.models) & {m for t in known for m in t.models}
    assert all(len(tasks) > 0 for tasks in tested.values())


def outcome(method, dataset, tau, seed=0, table="t"):
    return Outcome(method, BLIND_DATASETS, table, dataset, dataset, seed, {"weighted_tau": tau})


def test_tables_weigh_the_same_whatever_their_size():
    outcomes = [outcome("a", "x", 1.0), outcome("a", "y", 0.0), outcome("a", "x", 0.2, table="u")]
    assert mean_over_tables(outcomes, "weighted_tau") == 0.35
    assert "| a | 0.500 | 0.200 | 0.350 ± 0.000 |" in per_table(outcomes, BLIND_DATASETS, ["a"], "weighted_tau")


def test_bootstrap_interval_holds_a_constant_difference_and_widens_with_spread():
    names = [f"d{i}" for i in range(8)]
    first = [outcome("a", name, 0.5) for name in names]
    same = bootstrap_interval(first, [outcome("b", name, 0.3) for name in names], "weighted_tau")
    assert np.allclose(same, 0.2)
    mixed = [outcome("b", name, 0.1 * i) for i, name in enumerate(names)]
    mean, low, high = bootstrap_interval(first, mixed, "weighted_tau")
    assert low < mean < high
    assert high - low > 0.1
