"""Pairs of models of one architecture family: what a view knows beyond the family, which decides most of a tau."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class PairCount:
    """Pairs that were ordered.

    Attributes:
        right: pairs ordered rightly; a tied prediction is half a pair.
        pairs: pairs whose accuracies differ.
        clear_right, clear: the same of pairs that differ by more than the noise.
        ties: pairs of equal accuracy, which count nowhere.
    """

    right: float = 0.0
    pairs: int = 0
    clear_right: float = 0.0
    clear: int = 0
    ties: int = 0

    @property
    def accuracy(self) -> float:
        """Share ordered rightly; NaN without a pair."""
        return self.right / self.pairs if self.pairs else float("nan")

    @property
    def clear_accuracy(self) -> float:
        """Share of the clear pairs ordered rightly; NaN without one."""
        return self.clear_right / self.clear if self.clear else float("nan")

    def __add__(self, other: PairCount) -> PairCount:
        return PairCount(
            self.right + other.right,
            self.pairs + other.pairs,
            self.clear_right + other.clear_right,
            self.clear + other.clear,
            self.ties + other.ties,
        )


def family_pairs(scores: ArrayLike, accuracies: ArrayLike, families: Sequence[str], noise: float = 0.0) -> PairCount:
    """Pairs of models of one family on one dataset, by predicted scores `[m]` and measured accuracies `[m]`.

    Args:
        scores: higher is predicted better.
        accuracies: NaN where nothing was measured; such models are left out.
        families: m names.
        noise: difference in accuracy up to which a pair counts as within the noise; still counted in `pairs`.
    """
    x, y = np.asarray(scores, np.float64), np.asarray(accuracies, np.float64)
    names = np.asarray(families, dtype=object)
    if x.ndim != 1 or x.shape != y.shape or len(names) != len(x):
        raise ValueError(f"scores, accuracies and families must be of one length, not {x.shape}, {y.shape}")
    i, j = np.triu_indices(len(x), 1)
    keep = (names[i] == names[j]) & np.isfinite(y[i]) & np.isfinite(y[j])
    difference, predicted = (y[i] - y[j])[keep], (x[i] - x[j])[keep]
    right = (np.sign(difference) * np.sign(predicted) + 1) / 2
    differs, clear = difference != 0, np.abs(difference) > max(noise, 0.0)
    return PairCount(
        float(right[differs].sum()), int(differs.sum()), float(right[clear].sum()), int(clear.sum()),
        int((~differs).sum()),
    )  # fmt: skip


def total(counts: Iterable[PairCount]) -> PairCount:
    """All pairs of several datasets together."""
    whole = PairCount()
    for count in counts:
        whole += count
    return whole
