"""What the project's ranker was trained on: a figure on it is no evidence, and is marked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.rankers import LoadedRanker
from hf_crosssight.scoring import recalled
from hf_crosssight.zoo.index import ZooIndex


@dataclass(frozen=True)
class Seen:
    """`config.trained_on` of a ranker.

    Attributes:
        datasets: keys of datasets; those of the same parent count as seen too.
        models: ids.
    """

    datasets: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()

    @classmethod
    def of(cls, ranker: LoadedRanker | None, zoo: ZooIndex) -> Seen:
        """Of a ranker; nothing without one. Models of the zoo that it knows by their views count under any name."""
        if ranker is None:
            return cls()
        stated = ranker.model.config.trained_on or {}
        known = np.flatnonzero(recalled(ranker.model, zoo))
        models = {*stated.get("models", ()), *(zoo.model_ids[row] for row in known)}
        return cls(frozenset(stated.get("datasets", ())), frozenset(models))

    def dataset(self, name: str) -> bool:
        """Whether the ranker was trained on a dataset or on one of its parent."""
        return parent_of(name) in {parent_of(own) for own in self.datasets}

    def model(self, name: str) -> bool:
        """Whether results of a model trained the ranker."""
        return name in self.models

    def warnings(self, datasets: Iterable[str], models: Iterable[str]) -> tuple[str, ...]:
        """What a reader must know, every seen dataset and model by name."""
        lines = (
            ("dataset", "or others of their parents", [name for name in datasets if self.dataset(name)]),
            ("model", "in its tables", [name for name in models if self.model(name)]),
        )
        return tuple(
            f"crosssight was trained on {len(names)} of these {kind}s ({rest}), its figures on them are no evidence: "
            f"{', '.join(names)}"
            for kind, rest, names in lines
            if names
        )
