"""Does a model rank rightly because a relative of it was in training? Blind models by their closest relative there.

What counts is pairs: a blind model and any other candidate of a dataset, ordered rightly or not (chance 0.5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .intervals import mean_interval

LINEAGE, FAMILY, NONE = "same base model", "same architecture family", "none"
RELATIONS = (LINEAGE, FAMILY, NONE)


@dataclass(frozen=True)
class BlindModel:
    """How one method placed one blind model on one dataset.

    Attributes:
        method, model, dataset (`str`): which.
        group (`str`): lineage of the model; its members are drawn together in intervals.
        relation (`str`): one of `RELATIONS`.
        pairs (`float`): share of its pairs with the other candidates that were ordered rightly.
    """

    method: str
    model: str
    dataset: str
    group: str
    relation: str
    pairs: float


def closest_relative(
    model: str, training: Collection[str], lineage: Mapping[str, str], family: Mapping[str, str]
) -> str:
    """The closest kind of relative that a model has among those in training."""
    if any(lineage[other] == lineage[model] for other in training):
        return LINEAGE
    return FAMILY if any(family[other] == family[model] for other in training) else NONE


def pairs_of_each(scores: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
    """Share of each model's pairs that are ordered rightly, `[m]`; NaN for a model that is level with all others.

    A tied prediction is half right, equal accuracies are no pair.
    """
    predicted = np.sign(np.subtract.outer(scores, scores))
    true = np.sign(np.subtract.outer(accuracies, accuracies))
    counted = true != 0
    right = np.where(predicted == 0, 0.5, predicted == true) * counted
    with np.errstate(invalid="ignore"):
        return np.asarray(right.sum(1) / counted.sum(1))


def by_relation(found: Iterable[BlindModel], methods: Sequence[str]) -> list[tuple[str, int, int, list[str]]]:
    """Rows (relation, models, lineages, a cell a method): mean over models and its 90 % interval over lineages."""
    rows = []
    kept = list(found)
    for relation in RELATIONS:
        own = [one for one in kept if one.relation == relation]
        cells = []
        for method in methods:
            values: dict[tuple[str, str], list[float]] = {}
            for one in own:
                if one.method == method and np.isfinite(one.pairs):
                    values.setdefault((one.model, one.group), []).append(one.pairs)
            means = [float(np.mean(one)) for one in values.values()]
            interval = mean_interval(means, [group for _, group in values])
            told = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
            cells.append(f"{np.mean(means):.3f}{told}" if means else "-")
        if own:
            rows.append((relation, len({one.model for one in own}), len({one.group for one in own}), cells))
    return rows
