"""The four quadrants: known or blind datasets × known or blind models, split by parent and by lineage, never by rows.

One fold holds out some parents and some lineages at once. What is trained on the rest is tested on blind datasets with
known models, on known datasets with blind models, and on both blind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hf_crosssight.ground_truth.lineage import lineage_folds
from hf_crosssight.ground_truth.tables import Task

BLIND_DATASETS, BLIND_MODELS, DOUBLE_BLIND = "blind datasets", "blind models", "both blind"
QUADRANTS = (BLIND_DATASETS, BLIND_MODELS, DOUBLE_BLIND)
MIN_MODELS = 5


@dataclass(frozen=True)
class Fold:
    """What is held out: parents of datasets, and models (whole lineages)."""

    parents: frozenset[str]
    models: frozenset[str]


def folds_of(tasks: Sequence[Task], lineage: Mapping[str, str], count: int, seed: int) -> list[Fold]:
    """`count` folds; each parent and each lineage is held out in exactly one."""
    parents: dict[str, int] = {}
    for task in tasks:
        parents[task.parent] = parents.get(task.parent, 0) + 1
    rng = np.random.default_rng(seed)
    order = sorted(parents, key=lambda parent: (-parents[parent], rng.random()))
    filled, held = [0] * count, [set[str]() for _ in range(count)]
    for parent in order:
        fold = int(np.argmin(filled))
        filled[fold] += parents[parent]
        held[fold].add(parent)
    models = sorted({model for task in tasks for model in task.models})
    fold_of = lineage_folds(lineage, models, count, seed)
    return [
        Fold(frozenset(held[fold]), frozenset(model for model, at in fold_of.items() if at == fold))
        for fold in range(count)
    ]


def training_tasks(tasks: Iterable[Task], fold: Fold) -> list[Task]:
    """Tasks of known datasets, with the known models alone."""
    kept = (restricted(task, fold.models, keep=False) for task in tasks if task.parent not in fold.parents)
    return [task for task in kept if len(task.models) > 2]


def test_tasks(tasks: Iterable[Task], fold: Fold) -> dict[str, list[Task]]:
    """Tasks of each quadrant with at least `MIN_MODELS` models."""
    found: dict[str, list[Task]] = {name: [] for name in QUADRANTS}
    for task in tasks:
        blind = task.parent in fold.parents
        if blind:
            found[BLIND_DATASETS].append(restricted(task, fold.models, keep=False))
        found[DOUBLE_BLIND if blind else BLIND_MODELS].append(restricted(task, fold.models, keep=True))
    return {name: [task for task in kept if len(task.models) >= MIN_MODELS] for name, kept in found.items()}


def restricted(task: Task, models: frozenset[str], *, keep: bool) -> Task:
    """The task with only the models named, or with all but them."""
    index = [i for i, model in enumerate(task.models) if (model in models) == keep]
    return replace(task, models=tuple(task.models[i] for i in index), scores=task.scores[index])
