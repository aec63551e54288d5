"""Shortlists with coverage: how far below the best predicted score the best model may be, learnt on held-out datasets.

Split conformal prediction over datasets (Vovk, Gammerman, Shafer, 2005): a dataset's *gap* is what the predicted score
of its truly best model lacks to the highest predicted score. Of a new dataset that is like the n calibrated on, the
best model lies within the ceil((n + 1) c)-th smallest gap with a probability of at least c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COVERAGE = 0.9


@dataclass(frozen=True)
class HeldOut:
    """A dataset that a ranker did not see, with all its candidates.

    Attributes:
        parent (`str`): collection of its images; parents are what calibration counts.
        gaps (`tuple[float, ...]`): of every candidate, what its score lacks to the highest.
        best (`float`): the gap of the truly best candidate.
    """

    parent: str
    gaps: tuple[float, ...]
    best: float

    @classmethod
    def of(cls, parent: str, scores: np.ndarray, accuracies: np.ndarray) -> HeldOut:
        """From scores and measured accuracies `[M]`; of several best models the one that is found first counts."""
        gaps = float(scores.max()) - np.asarray(scores, np.float64)
        best = float(gaps[accuracies == accuracies.max()].min())
        return cls(parent, tuple(float(gap) for gap in gaps), best)


def conformal_gap(held: Sequence[HeldOut], coverage: float = COVERAGE) -> float | None:
    """The gap up to which a model is on the shortlist; `None` if too few parents were held out for this coverage.

    The datasets of one parent count as one, by their largest gap.
    """
    by_parent: dict[str, float] = {}
    for one in held:
        by_parent[one.parent] = max(one.best, by_parent.get(one.parent, 0.0))
    place = math.ceil((len(by_parent) + 1) * coverage)
    return sorted(by_parent.values())[place - 1] if place <= len(by_parent) else None


@dataclass(frozen=True)
class Covered:
    """How shortlists did on parents that they were not calibrated on.

    Attributes:
        share (`float`): datasets whose best model was on the shortlist.
        size (`float`): mean share of the candidates that was on it.
        models (`float`): mean number of them.
        datasets (`int`): how many.
    """

    share: float
    size: float
    models: float
    datasets: int


def leave_one_parent_out(held: Sequence[HeldOut], coverage: float = COVERAGE) -> Covered:
    """Each parent's datasets by a gap that the others give; all candidates where the others are too few."""
    hits, sizes, counts = [], [], []
    for parent in sorted({one.parent for one in held}):
        gap = conformal_gap([one for one in held if one.parent != parent], coverage)
        limit = math.inf if gap is None else gap + 1e-9
        for one in (one for one in held if one.parent == parent):
            on_it = sum(own <= limit for own in one.gaps)
            hits.append(one.best <= limit)
            counts.append(on_it)
            sizes.append(on_it / len(one.gaps))
    return Covered(float(np.mean(hits)), float(np.mean(sizes)), float(np.mean(counts)), len(hits))
