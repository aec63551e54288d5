"""`--prefer METRIC=WEIGHT`: which costs count beside accuracy, and how much.

The weight is the size of the exponent in the product form: 0.07, MnasNet's, lets a model that is twice as fast make up
for 5 % of its worth; 1 lets it make up for half. 0 leaves the metric out. A negative weight turns the preference
round: more of a cost is then better (`params=-0.05` likes large models).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.model_shape import zoo_costs
from hf_crosssight.hardware.predict import Costs

if TYPE_CHECKING:
    from hf_crosssight.zoo.index import ZooIndex

COSTS = ("latency_ms", "memory_mb", "energy_j", "power_w", "params", "gmacs")
GAINS = ("throughput",)
_MEASURED_ONLY = ("cpu_temperature_c", "carbon_g")
_MOST = 10.0  # a weight beyond it leaves nothing of the accuracy


@dataclass(frozen=True)
class Preference:
    """One metric, and how much less of it (of throughput: more) counts."""

    metric: str
    weight: float

    @property
    def exponent(self) -> float:
        """w_i of the merge: negative for a cost that shall be low."""
        return self.weight if self.metric in GAINS else -self.weight


def parse_preferences(texts: Sequence[str]) -> tuple[Preference, ...]:
    """Preferences from `METRIC=WEIGHT`.

    Raises:
        UserError: a metric is not known or named twice, or a weight is no number.
    """
    found: dict[str, Preference] = {}
    for text in texts:
        name, equals, weight = str(text).partition("=")
        metric = _metric(name.strip())
        try:
            value = float(weight)
        except ValueError:
            value = math.nan
        if not equals or not abs(value) <= _MOST:
            raise UserError(
                f"--prefer {text!r} is no METRIC=WEIGHT.", f"For example latency_ms=0.07; at most {_MOST:g}."
            )
        if metric in found:
            raise UserError(f"--prefer names {metric} twice.", "Give each metric one weight.")
        found[metric] = Preference(metric, value)
    return tuple(found.values())


def _metric(name: str) -> str:
    """A metric by its name, with or without its unit."""
    if name in _MEASURED_ONLY:
        raise UserError(f"--prefer {name}: it is measured, never predicted.", f"Take {', '.join(COSTS + GAINS)}.")
    for metric in (*COSTS, *GAINS):
        if name.lower() in (metric, metric.rsplit("_", 1)[0]):
            return metric
    raise UserError(f"--prefer {name!r} is no metric.", f"Take {', '.join(COSTS + GAINS)}.")


def metric_values(metric: str, costs: Costs, zoo: ZooIndex) -> np.ndarray:
    """A metric of a zoo's M models `[M]`; NaN where it is not known."""
    if metric in ("params", "gmacs"):
        counted = zoo_costs(zoo)[metric]
        return np.where(counted > 0, counted, np.nan)
    if metric == "throughput":
        return costs.throughput
    if metric == "power_w":
        return 1e3 * costs.energy_j.value / costs.latency_ms.value
    found: np.ndarray = getattr(costs, metric).value
    return found


def filled(preference: Preference, values: np.ndarray, device: str) -> np.ndarray:
    """The values `[M]` with unknown ones as bad as the worst that is known.

    Raises:
        UserError: none is known.
    """
    known = np.isfinite(values) & (values > 0)
    if not known.any():
        raise UserError(
            f"{preference.metric} is not known of any model on {device}.", f"Leave out --prefer {preference.metric}."
        )
    if known.all():
        return values
    worst = values[known].max() if preference.exponent < 0 else values[known].min()
    return np.where(known, values, worst)
