"""Hard limits on what a model may cost on a device, and which models come closest where none meets them.

A limit acts on the upper end of a figure's interval: a model that is let through keeps the limit nine times in ten at
least. What is not known fails the limit, and counts as `<limit>_unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.predict import Costs

METRIC_OF = {"max_latency_ms": "latency_ms", "max_memory_mb": "memory_mb", "max_energy_j": "energy_j"}
_MIB_IN_GB = 1e9 / 2**20
_SHOWN = 3
_ABSURD = 1e4  # times a limit beyond which no percentage is readable

Verdict = tuple[str, np.ndarray, np.ndarray]
"""Name of a constraint, whether each model holds it `[M]`, and whether that is known `[M]`."""


@dataclass(frozen=True)
class Limits:
    """At most so many milliseconds an image, MiB a pass, joules an image; `None` for no limit."""

    max_latency_ms: float | None = None
    max_memory_mb: float | None = None
    max_energy_j: float | None = None

    def set(self) -> dict[str, float]:
        """The limits that are there, by name."""
        return {name: value for name in METRIC_OF if (value := getattr(self, name)) is not None}

    def verdicts(self, costs: Costs, least_mb: np.ndarray) -> Iterator[Verdict]:
        """What each limit says of each model, in the order in which they count; the device's own memory comes last.

        Args:
            costs: of M models.
            least_mb: MiB that a model needs to run there at all, `[M]`.
        """
        for name, limit in self.set().items():
            high = getattr(costs, METRIC_OF[name]).high
            yield name, high <= limit, np.isfinite(high)
        if costs.device.memory_gb is not None:  # too large to run: predicted, not tried
            known = np.ones(len(costs), bool)  # without a limit of the user's, unknown memory is no reason
            yield "device_memory", ~(least_mb > costs.device.memory_gb * _MIB_IN_GB), known


def parse_limit(value: str | float | None, option: str) -> float | None:
    """A limit as a number above zero.

    Raises:
        UserError: it is none.
    """
    if value is None:
        return None
    try:
        limit = float(value)
    except (TypeError, ValueError):
        limit = math.nan
    if isinstance(value, bool) or not (math.isfinite(limit) and limit > 0):
        raise UserError(f"--{option.replace('_', '-')} is {value!r}.", "Give a number above zero.")
    return limit


def nothing_meets(limits: Limits, costs: Costs, least_mb: np.ndarray, model_ids: Sequence[str]) -> UserError:
    """The error for limits that no model meets: the closest models, and by how much each misses."""
    wanted = limits.set()
    highs = {name: getattr(costs, METRIC_OF[name]).high for name in wanted}
    unknown = [METRIC_OF[name] for name, high in highs.items() if not np.isfinite(high).any()]
    own = costs.device.memory_gb
    if own is not None and (least_mb > own * _MIB_IN_GB).any():
        # an unknown need of memory is no reason to turn a model away, see `verdicts`
        wanted["device_memory"], highs["device_memory"] = own * _MIB_IN_GB, np.nan_to_num(least_mb)
    said = " and ".join(f"{_spelt(name)} {value:.6g}" for name, value in wanted.items())
    count = f"{len(costs)} models" if len(costs) != 1 else "1 model"
    what = f"None of {count} is within {said} on {costs.device.name}"
    if unknown:
        return UserError(
            f"{what}: {', '.join(unknown)} is not known of any.", "Leave that limit out, or measure the models."
        )
    excess = np.stack([high / wanted[name] for name, high in highs.items()])
    worst = np.where(np.isfinite(excess).all(axis=0), excess.max(axis=0), np.inf)
    nearest = np.argsort(worst, kind="stable")[:_SHOWN]
    shown = [_missing_by(row, model_ids[row], wanted, highs) for row in nearest if np.isfinite(worst[row])]
    closest = float(worst[nearest[0]])
    if np.isfinite(closest) and not any(highs[name][nearest[0]] > limit for name, limit in limits.set().items()):
        hint = "Take a device with more memory, or a smaller --batch-size."
    elif np.isfinite(closest):
        hint = f"Loosen the limits by {_percent(closest)}, take another device, or measure models there: "
        hint += "`hardware measure`."
    else:
        hint = "Leave a limit out: no model's figures are all known."
    return UserError(f"{what} (upper end of the 90 % interval). Closest: {'; '.join(shown) or 'none'}.", hint)


def _missing_by(row: int, model_id: str, wanted: dict[str, float], highs: dict[str, np.ndarray]) -> str:
    parts = []
    for name, limit in wanted.items():
        value = highs[name][row]
        if value > limit:
            metric, unit = METRIC_OF.get(name, "memory_mb").rsplit("_", 1)
            parts.append(f"{metric} up to {value:.4g} {unit}, {_percent(value / limit)} over")
    return f"{model_id} ({', '.join(parts)})"


def _percent(ratio: float) -> str:
    return f"{math.ceil(100 * (ratio - 1)):d} %" if ratio < _ABSURD else f"a factor of {ratio:.0e}"


def _spelt(name: str) -> str:
    return "the device's memory of (MiB)" if name == "device_memory" else f"--{name.replace('_', '-')}"
