"""The recipe of the bundled ranker, and the model card that goes with it."""

from __future__ import annotations

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


def table_of_licences(tables: tuple[GroundTruthTable, ...], used: set[str]) -> str:
    """Markdown rows: each table, its size, its licence, where it was published and whether it was trained on."""
    lines = ["| table | datasets | models | licence | source | trained on |", "|---|---:|---:|---|---|---|"]
    for table in tables:
        lines.append(
            f"| {table.id} | {len(table.datasets)} | {len(table.models)} | {table.licence} | {table.source} | "
            f"{'yes' if table.id in used else 'no'} |"
        )
    return "\n".join(lines)
