"""Bridges: tables that share no model are put on one scale by the datasets that they share.

From a list of models a ranker learns what is better than what within that list alone. Where two tables share neither
a model nor a kind of model, nothing says how the one's compare with the other's: small networks trained on a few
thousand images came out above ImageNet ones. Both tables give accuracies after fine-tuning on the same images, so
their union is a list too. The protocols differ, so a bridge stands only where that cannot turn the order: every model
of the one table is above every model of the other, by a margin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .tables import GroundTruthTable

SMALL = "small_zoo"
SHARED_IMAGES = {
    "caltech101": "zoo-bench/caltech101",
    "cifar10": "zoo-bench/cifar10",
    "dtd": "zoo-bench/dtd-10",
    "cars": "zoo-bench/stanford-cars-100",
}
"""Published target → the same images in the small zoo's table: all classes, or a part of them, which is easier."""

MARGIN = 10.0
"""Points of accuracy by which the tables must be apart on a dataset."""


def bridges(tables: Sequence[GroundTruthTable]) -> tuple[GroundTruthTable, ...]:
    """One auxiliary table for each table of accuracies that can be joined with the small zoo's; scores in %."""
    small = [table for table in tables if table.id == SMALL]
    others = [table for table in tables if table.id != SMALL and not table.auxiliary and "accuracy" in table.unit]
    joined = [_joined(small[0], other) for other in others] if small else []
    return tuple(table for table in joined if table is not None)


def _joined(small: GroundTruthTable, other: GroundTruthTable) -> GroundTruthTable | None:
    models = (*other.models, *small.models)
    datasets, rows = [], []
    for number, dataset in enumerate(other.datasets):
        if SHARED_IMAGES.get(dataset) not in small.datasets:
            continue
        above = _percent(other, number)
        below = _percent(small, small.datasets.index(SHARED_IMAGES[dataset]))
        if np.isfinite(above).any() and np.nanmin(above) > np.nanmax(below) + MARGIN:
            datasets.append(dataset)
            rows.append(np.concatenate([above, below]))
    if not datasets:
        return None
    scores = np.stack(rows)
    return GroundTruthTable(
        id=f"bridge_{other.id}",
        licence=other.licence,
        source=f"{other.id} and {small.id}, on the datasets that both have",
        unit="accuracy %",
        datasets=tuple(datasets),
        models=models,
        scores=scores,
        self_transfer=np.zeros(scores.shape, bool),
        auxiliary=True,
    )


def _percent(table: GroundTruthTable, dataset: int) -> np.ndarray:
    """Accuracies `[M]` of one dataset in %, self-transfer left out."""
    scores = np.where(table.self_transfer[dataset], np.nan, table.scores[dataset])
    return scores if "%" in table.unit else scores * 100.0
