"""How good a method's rankings were: every metric on every dataset, means, intervals over parents, and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.metrics import METRICS
from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.tables import GroundTruthTable

TAUS = ("weighted_tau", "weighted_tau_true_rank", "kendall_tau")
FEWEST = 2


@dataclass(frozen=True)
class MethodFigures:
    """One method over T datasets.

    Attributes:
        per_dataset: metric, then dataset; `without_self_transfer` the same without models trained on the dataset.
        seconds: processor time of the method's own work on all datasets, as in `MethodScores`.
        no_figure: by dataset, why the method has no figure there.
        unscored: by model, why it has no score on some dataset; it then gets the middle of the others'.
    """

    per_dataset: dict[str, dict[str, float]] = field(default_factory=dict)
    without_self_transfer: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    no_figure: dict[str, str] = field(default_factory=dict)
    unscored: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Taus with mean, interval and figures per dataset; the other metrics as means, their intervals beside."""
        found: dict[str, Any] = {name: summary(self.per_dataset.get(name, {})) for name in TAUS}
        others = {name: summary(self.per_dataset.get(name, {})) for name in METRICS if name not in TAUS}
        found |= {name: one["mean"] for name, one in others.items()}
        found["seconds"] = round(self.seconds, 3)
        found["intervals"] = {name: [one["low"], one["high"]] for name, one in others.items()}
        found["per_dataset"] = {name: one["per_dataset"] for name, one in others.items()}
        without = {name: summary(self.without_self_transfer.get(name, {})) for name in METRICS}
        found["without_self_transfer"] = {
            name: {part: one[part] for part in ("mean", "low", "high")} for name, one in without.items()
        }
        found["no_figure"] = dict(self.no_figure)
        found["models_without_score"] = dict(self.unscored)
        return found


def summary(per_dataset: Mapping[str, float]) -> dict[str, Any]:
    """Mean of one value a dataset, its 90 % interval over parents, and the values; null where there are none."""
    values = list(per_dataset.values())
    interval = mean_interval(values, [parent_of(name) for name in per_dataset]) if values else None
    low, high = interval or (None, None)
    return {
        "mean": _rounded(float(np.mean(values)) if values else None),
        "low": _rounded(low),
        "high": _rounded(high),
        "per_dataset": {name: _rounded(value) for name, value in per_dataset.items()},
    }


def metrics_of(scores: np.ndarray, accuracies: np.ndarray, groups: Sequence[np.ndarray]) -> dict[str, float] | None:
    """Every metric, the mean over groups of models that are ranked together; `None` if none has two measured models.

    Args:
        scores, accuracies: `[M]`; models with a NaN accuracy do not count.
        groups: indices into M.
    """
    known = [rows[np.isfinite(accuracies[rows])] for rows in groups]
    usable = [rows for rows in known if len(rows) >= FEWEST]
    if not usable:
        return None
    return {
        name: float(np.mean([metric(scores[rows], accuracies[rows]) for rows in usable]))
        for name, metric in METRICS.items()
    }


def gain(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float | None] | None:
    """Mean difference of two methods over the datasets that both have a figure on, with its interval."""
    shared = {name: value - other[name] for name, value in one.items() if name in other}
    if not shared:
        return None
    return {part: value for part, value in summary(shared).items() if part != "per_dataset"}


def ceiling_of(table: GroundTruthTable, seed: int = 0) -> dict[str, Any]:
    """The taus that a perfect ranker could reach on datasets with repeated runs; `None` with a note without them."""
    found: dict[str, Any] = {}
    for name in TAUS:
        ones = ceilings(table, METRICS[name], seed=seed)
        if not ones:
            return dict.fromkeys(TAUS) | {"note": "no dataset has five models with two seeds"}
        found[name] = summary({one.dataset: one.with_truth for one in ones})
        found[name]["between_seeds"] = _rounded(float(np.mean([one.between_seeds for one in ones])))
    of = f"{len(found[TAUS[0]]['per_dataset'])} of {len(table.datasets)} datasets have repeated runs"
    return found | {"note": of}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6) + 0.0
