"""The figures of a card: what `evaluate --format json` says of a ranker and of its baselines, with intervals.

A file holds one such answer, or several by what they show: `{"quadrants": {"unseen datasets": {"methods": ...}}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.ground_truth.datasets import parent_of

RANKER = "crosssight"
METRICS = {"weighted_tau": "weighted Kendall tau", "regret_at_1": "regret@1", "ndcg_at_5": "NDCG@5"}
"""What a card tells, by the name that `evaluate` gives it."""

_ALONE = "evaluated datasets"


@dataclass(frozen=True)
class Figure:
    """A mean over datasets and its 90 % interval, `None` where it is not told and cannot be drawn."""

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
    """All quadrants, how the figures came about (`about`, in words), and what an interval draws from (`unit`)."""

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
        about = str(said.get("about") or _about(said))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{path} is no evaluation: {type(error).__name__}: {error}"
        raise UserError(what, "Give what `hf-crosssight evaluate --format json` prints.") from error
    without = [one.name for one in found if not one.methods.get(RANKER)]
    if without:
        raise UserError(f"{path} says nothing of the method {RANKER!r}", "Evaluate the ranker that is published.")
    return Evaluation(found, about, str(said.get("unit", "parent dataset")))


def mean_with_interval(by_name: Mapping[str, float]) -> Figure:
    """The mean of one value a dataset and its 90 % interval over parents, `None` of a single parent."""
    values = list(by_name.values())
    low, high = mean_interval(values, [parent_of(name) for name in by_name]) or (None, None)
    return Figure(float(np.mean(values)), low, high)


def _about(said: Mapping[str, Any]) -> str:
    """What `evaluate` says of the datasets and models that it looked at."""
    parts = [f"{len(said[kind])} {kind}" for kind in ("datasets", "models") if said.get(kind)]
    about = f"Measured by `hf-crosssight evaluate` on {' and '.join(parts)}." if parts else ""
    seen = said["methods"].get(RANKER, {}).get("seen")
    return f"{about} Some of them were in its training, so that its own figures are too good." if seen else about


def _quadrant(name: str, said: Mapping[str, Any]) -> Quadrant:
    methods = {
        method: {metric: figure for metric in METRICS if (figure := _figure(told, metric)) is not None}
        for method, told in said["methods"].items()
    }
    ceiling = _figure(said.get("ceiling") or {}, "weighted_tau")
    return Quadrant(name, methods, ceiling.mean if ceiling else None)


def _figure(told: Mapping[str, Any], metric: str) -> Figure | None:
    """A metric as `evaluate` tells it: a number with its interval elsewhere, or a mean with what it is the mean of."""
    value = told.get(metric)
    low, high = told.get("intervals", {}).get(metric, (None, None))
    if not isinstance(value, Mapping):
        return None if value is None else Figure(float(value), low, high)
    if value.get("mean") is None:
        return None
    if value.get("low") is None and value.get("per_dataset"):
        drawn = mean_with_interval(value["per_dataset"])
        return Figure(float(value["mean"]), drawn.low, drawn.high)
    return Figure(float(value["mean"]), value.get("low"), value.get("high"))
