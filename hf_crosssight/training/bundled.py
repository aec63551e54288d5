"""The recipe of the bundled ranker, and what its card says of its training."""

from __future__ import annotations

from typing import Any

import numpy as np

from hf_crosssight.ground_truth.tables import GroundTruthTable, Task

from .recipe import RankerRecipe

NETWORK = {"hidden_size": 96, "intermediate_size": 192, "decoder_layers": 1, "reference_length": 12,
           "set_dropout": 0.0, "view_dropout": 0.15, "hidden_dropout": 0.15, "dataset_token_dropout": 0.3,
           "evidence_size": 1}  # fmt: skip

# The one table that ranks a thousand models beside each other. Lists of ten networks say nothing of their place among
# those: at its share of the datasets, the best of such a list comes first of all.
_TABLE_WEIGHT = {"timm_accuracy": 6.0}


def bundled_recipe(seed: int = 0, steps: int = 600) -> RankerRecipe:
    """What validated best (see `benchmarks/RESULTS.md`)."""
    return RankerRecipe(steps=steps, seed=seed, consistency=5.0, weight_decay=0.2, table_weight=_TABLE_WEIGHT)


def validation_parents(tasks: list[Task], share: float, seed: int, auxiliary: frozenset[str]) -> set[str]:
    """A share of the tasks' parents, drawn with the seed; never ImageNet, whose table feeds the static part."""
    parents = sorted({task.parent for task in tasks if task.table not in auxiliary} - {"imagenet"})
    drawn = np.random.default_rng(seed).permutation(len(parents))[: round(share * len(parents))]
    return {parents[i] for i in drawn}


LIMITS = (
    "Of models without a probe view, most of what it knows is static: which models are good anywhere. What a dataset "
    "changes is a small part: the match of a model's words with the dataset's, and a learnt part that is shrunk on "
    "purpose.",
    "Of the training datasets, few have real images behind their tokens; the others are known by a description in "
    "words.",
    "Tables without a licence were learnt from, because a ranker without them loses more than 0.02 weighted tau on "
    "held-out datasets; train_bundled_ranker.py --tables licensed makes the ranker without them.",
)
"""What its card says beside what every ranker's card says."""


def tables_learnt_from(tables: tuple[GroundTruthTable, ...], used: set[str]) -> list[dict[str, Any]]:
    """Each table for the record of a training: size, licence, where it was published, whether it was trained on."""
    return [
        {"id": table.id, "datasets": len(table.datasets), "models": len(table.models), "licence": table.licence,
         "source": table.source, "trained_on": table.id in used}
        for table in tables
    ]  # fmt: skip
