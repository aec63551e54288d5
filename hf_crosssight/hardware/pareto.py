"""The Pareto front of score against a cost: models that nothing beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError


@dataclass(frozen=True)
class Pareto:
    """M models by score and cost.

    Attributes:
        metric (`str`): the cost, e.g. `latency_ms`.
        device (`str`): where.
        model_ids: M ids.
        score (`np.ndarray`): `[M]`, higher is better.
        cost (`np.ndarray`): `[M]`, lower is better, NaN where it is not known.
        front (`np.ndarray`): bool `[M]`.
    """

    metric: str
    device: str
    model_ids: Sequence[str]
    score: np.ndarray
    cost: np.ndarray
    front: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The front from its cheapest model on, as in a ranking's JSON."""
        rows = np.flatnonzero(self.front)
        return {
            "metric": self.metric,
            "device": self.device,
            "front": [
                {
                    "model_id": self.model_ids[row],
                    "score": round(float(self.score[row]), 6),
                    self.metric: float(f"{self.cost[row]:.4g}"),
                }
                for row in rows[np.argsort(self.cost[rows], kind="stable")]
            ],
        }


def on_front(score: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Whether no other model is at least as good in both and better in one, bool `[M]`; unknown costs never are."""
    front = np.zeros(len(score), bool)
    if not len(score):
        return front
    cheap = cost <= np.partition(cost, len(cost) // 10)[len(cost) // 10]  # unknown costs last, and never cheap
    highest = score[cheap].max() if cheap.any() else -np.inf
    left = np.flatnonzero(cheap | (score > highest))  # the others are beaten by a cheap one
    by_cost = left[np.argsort(cost[left])]
    leading = by_cost[score[by_cost] == np.maximum.accumulate(score[by_cost])]  # few; all of the front is among them
    leading = leading[np.isfinite(cost[leading])]
    if not len(leading):
        return front
    order = leading[np.lexsort((-score[leading], cost[leading]))]
    costs, scores = cost[order], score[order]
    starts = np.flatnonzero(np.r_[True, costs[1:] != costs[:-1]])
    start = starts[np.searchsorted(starts, np.arange(len(order)), side="right") - 1]
    best = np.r_[-np.inf, np.maximum.accumulate(scores)][start]  # of all that are cheaper
    front[order] = (scores == scores[start]) & (scores > best)
    return front


def draw(pareto: Pareto, path: Path) -> None:
    """Writes the front and what lies behind it as a PNG, whole or not at all.

    Raises:
        UserError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("The front is drawn with matplotlib.", 'pip install "hf_crosssight[hardware]"') from error
    from hf_crosssight.hub.places import atomic_file

    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.scatter(pareto.cost, pareto.score, s=9, alpha=0.35, linewidths=0, label="ranked models")
    rows = np.flatnonzero(pareto.front)
    rows = rows[np.argsort(pareto.cost[rows], kind="stable")]
    axes.step(pareto.cost[rows], pareto.score[rows], where="post", color="C3", linewidth=1)
    axes.scatter(pareto.cost[rows], pareto.score[rows], s=22, color="C3", label="front")
    for row in rows[np.unique(np.linspace(0, len(rows) - 1, 8).round().astype(int))] if len(rows) else ():
        name = pareto.model_ids[row].split("/")[-1]
        axes.annotate(name, (pareto.cost[row], pareto.score[row]), (4, -9), textcoords="offset points", fontsize=6)
    axes.set_xscale("log")
    axes.set_xlabel(f"{pareto.metric} on {pareto.device}")
    axes.set_ylabel("score: expected accuracy after fine-tuning (z)")
    axes.legend(loc="lower right", frameon=False)
    try:
        with atomic_file(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Name another file: --pareto-png.") from error
