"""The figures of a card: what `evaluate --format json` says of a ranker and of its baselines, with intervals.

A file holds one such answer, or several by what they show: `{"quadrants": {"unseen datasets": {"methods": ...}}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError

RANKER = "crosssight"
METRICS = {"weighted_tau": "weighted Kendall tau", "regret_at_1": "regret@1", "ndcg_at_5": "NDCG@5"}
"""What a card tells, by the name that `evaluate` gives it."""

_ALONE = "evaluated datasets"
_DRAWS = 2000
_FEWEST = 3


@dataclass(frozen=True)
class Figure:
    """A mean over datasets and its 90 % interval, `None` where too few datasets are told for one."""

    mean: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"{self.mean:.3f}{interval}"


@dataclass(frozen=True)
class Quadrant:
    """What was measured on one kind of datasets and models; `methods`: method → metric → figure."""

    name: str
    methods: Mapping[str, Mapping[str, Figure]]
    ceiling: float | None

    @property
    def ranker(self) -> Mapping[str, Figure]:
        return self.methods[RANKER]


@dataclass(frozen=True)
class Evaluation:
    """All quadrants, how the figures came about (`about`, in words), and how many units stand behind a mean."""

    quadrants: tuple[Quadrant, ...]
    about: str
    unit: str


def read_evaluation(path: Path) -> Evaluation:
    """The figures of a file.

    Raises:
        UserError: it is not what `evaluate` prints, or says nothing of the ranker.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        quadrants = said.get("quadrants", {_ALONE: said})
        found = tuple(_quadrant(name, one) for name, one in quadrants.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{path} is no evaluation: {type(error).__name__}: {error}"
        raise UserError(what, "Give what `hf-crosssight evaluate --format json` prints.") from error
    without = [one.name for one in found if not one.methods.get(RANKER)]
    if without:
        raise UserError(f"{path} says nothing of the method {RANKER!r}", "Evaluate the ranker that is published.")
    return Evaluation(found, str(said.get("about", "")), str(said.get("unit", "dataset")))


def _quadrant(name: str, said: Mapping[str, Any]) -> Quadrant:
    methods = {
        method: {metric: figure for metric in METRICS if (figure := _figure(told.get(metric))) is not None}
        for method, told in said["methods"].items()
    }
    ceiling = (said.get("ceiling") or {}).get("weighted_tau", said.get("ceiling"))
    figure = _figure(ceiling) if isinstance(ceiling, Mapping) and "mean" in ceiling else None
    return Quadrant(name, methods, figure.mean if figure else None)


def _figure(told: Any) -> Figure | None:
    """A number, or `mean` with `low` and `high`, or with `per_dataset` values whose mean is drawn anew."""
    if told is None:
        return None
    if not isinstance(told, Mapping):
        return Figure(float(told))
    if told.get("mean") is None:
        return None
    if told.get("low") is not None and told.get("high") is not None:
        return Figure(float(told["mean"]), float(told["low"]), float(told["high"]))
    values = [float(value) for value in (told.get("per_dataset") or {}).values() if value is not None]
    drawn = mean_with_interval(values)
    return Figure(float(told["mean"]), drawn.low, drawn.high)


def mean_with_interval(values: Sequence[float]) -> Figure:
    """The mean of some datasets' values and its 90 % interval by a bootstrap over them, if they are three or more."""
    if len(values) < _FEWEST:
        return Figure(float(np.mean(values)) if len(values) else float("nan"))
    drawn = np.random.default_rng(0).choice(values, (_DRAWS, len(values))).mean(1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    return Figure(float(np.mean(values)), float(low), float(high))
