"""What methods may learn from: past results, less those of the target's parent and of models that are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.peers import History

from .methods import ComparedMethod
from .workbench import Workbench


@dataclass(frozen=True)
class Past:
    """A table of past results.

    Args:
        table: models by their ids in the zoo.
        apart: whether it is a table of its own (`--train-ground-truth`), not the one that methods are judged by.
    """

    table: GroundTruthTable
    apart: bool

    @property
    def rule(self) -> str:
        """What is learnt from, in words."""
        if self.apart:
            return "the training table, without the results on the target's parent dataset"
        return "the ground truth itself, without the results on the target's parent dataset (leave one parent out)"

    def others(self, bench: Workbench, dataset: str) -> tuple[int, ...]:
        """Rows of the datasets that may be learnt from: not of the target's parent, nor the same images."""
        names = self.table.datasets
        return tuple(row for row, name in enumerate(names) if not _same_images(bench, name, dataset))

    def history(
        self, bench: Workbench, datasets: Sequence[int], held: np.ndarray | None, method: ComparedMethod
    ) -> History | None:
        """The results on some datasets of all models that are not held out, nor of a lineage that is.

        Args:
            datasets: rows of the table.
            held: places of the compared models that are to be scored as unseen ones.
        """
        hidden = set() if held is None else bench.kin(bench.models[place] for place in held)
        known = [model for model in self.table.models if model not in hidden]
        return bench.history(self.table, datasets, known, method)


def _same_images(bench: Workbench, one: str, other: str) -> bool:
    """Whether two datasets are of one parent, or hold the same images under two names."""
    known = [bench.samples[name].fingerprint for name in (one, other) if name in bench.samples]
    return parent_of(one) == parent_of(other) or (len(known) == 2 and known[0] == known[1])
