"""Latency, peak memory and energy of models on a device that they never ran on, each with an interval.

`predict_costs` is what rankings call: it takes a whole zoo at once and works on columns alone, some thousand rows at a
time, which fit the processor's caches. Latency is the roofline times a learned utilisation, sharpened by the user's
anchors where there are any; memory is the weights and what lives beside them; energy is what the device draws
meanwhile.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.anchors import Anchors
from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.energy import energy_of
from hf_crosssight.hardware.fit import ANCHOR_COUNTS
from hf_crosssight.hardware.memory import Interval, memory_of
from hf_crosssight.hardware.model_shape import ModelShapes
from hf_crosssight.hardware.residuals import Spread, condition
from hf_crosssight.hardware.roofline import least_times, log_rates
from hf_crosssight.hardware.utilisation import SETTINGS, Utilisation, load_utilisations

PHASES = ("infer", "train")
_SATURATED = 256  # images a pass: what GPUs were measured at, the median of the tables is 256 to 2048
_WIDER = {"gpu": 2.0, "cpu": 2.0, "board": 3.0, "phone": 3.0}  # on the log interval: nothing like it was measured
_SMALL_BATCH = 2.0  # factor on the log interval of a GPU fed fewer images than were measured
_SMALL = 8
_ROWS = 4096  # models at a time
_BACKWARD = 3.0  # passes that a training step is worth where none was measured (processors): forward, two backward


@dataclass(frozen=True)
class Costs:
    """Costs of M models on one device; NaN where a model's own costs are not known.

    Attributes:
        device (`Device`): where.
        source (`str`): `predicted`, or `extrapolated` where nothing like the device was measured.
        phase (`str`): `infer` or `train`.
        batch_size (`int`): images a pass.
        latency_ms (`Interval`): milliseconds an image in passes of `batch_size`, three arrays `[M]`: value, low, high.
        memory_mb (`Interval`): peak of a pass beside what the process holds already, in 2**20 bytes.
        energy_j (`Interval`): joules an image; NaN where the device's power is not known.
        notes (`tuple[str, ...]`): what the figures rest on, in words.
        measured (`np.ndarray`, *optional*): bool `[M]`, whose latency was measured on this device.
    """

    device: Device
    source: str
    phase: str
    batch_size: int
    latency_ms: Interval
    memory_mb: Interval
    energy_j: Interval
    notes: tuple[str, ...]
    measured: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.latency_ms.value)

    def take(self, rows: np.ndarray) -> Costs:
        """The models at these rows."""
        figures = {name: getattr(self, name).take(rows) for name in ("latency_ms", "memory_mb", "energy_j")}
        measured = None if self.measured is None else self.measured[rows]
        return dataclasses.replace(self, **figures, measured=measured)

    @property
    def throughput(self) -> np.ndarray:
        """Images a second `[M]`."""
        return 1e3 / self.latency_ms.value

    def source_of(self, row: int) -> str | None:
        """`measured`, `predicted` or `extrapolated`; `None` where nothing is known."""
        if not np.isfinite(self.latency_ms.value[row]):
            return None
        return "measured" if self.measured is not None and self.measured[row] else self.source

    def hardware(self, row: int) -> dict[str, Any]:
        """The `hardware` object of one model in a ranking's JSON; what is not known is `None`."""
        latency, memory, energy = self.latency_ms, self.memory_mb, self.energy_j
        return {
            "device": self.device.name,
            "phase": self.phase,
            "batch_size": self.batch_size,
            **_ends("latency_ms", latency, row),
            **_ends("memory_mb", memory, row),
            **_ends("energy_j", energy, row),
            "power_w": _figure(1e3 * energy.value[row] / latency.value[row]),
            "cpu_temperature_c": None,
            "carbon_g": None,
            "throughput": _figure(self.throughput[row]),
            "source": self.source_of(row),
        }


class _Way(NamedTuple):
    """How every model of one call is predicted: what was learned, where it runs, how far off it may be."""

    learned: Utilisation
    device: Device
    batch: int
    settings: np.ndarray
    passes: float
    phase: str
    spread: Spread
    widening: float
    anchors: tuple[np.ndarray, np.ndarray, float] | None  # scaled features, log residuals, factor on the deviations

    @property
    def rate_factors(self) -> np.ndarray:
        return self.learned.rate_factors(log_rates(self.device))

    @property
    def level(self) -> np.ndarray | None:
        return self.learned.device_level.get(self.device.name)


def predict_costs(
    shapes: ModelShapes,
    device: Device,
    *,
    batch_size: int | None = None,
    phase: str = "infer",
    compiled: bool | None = None,
    channels_last: bool = False,
    anchors: Anchors | None = None,
) -> Costs:
    """Costs of M models on a device, with 90 % intervals.

    Args:
        shapes: the models, see `model_shape.zoo_shapes`.
        device: from `catalogue.find_device`.
        batch_size (*optional*): images a pass; by default `usual_batch`. A GPU that is fed less than 8 is predicted
            with a wider interval.
        phase: `infer`, or `train` for a whole training step.
        compiled (*optional*): by torch.compile; by default as measured, on processors yes, on GPUs no.
        channels_last: memory layout.
        anchors (*optional*): the user's own timings of this device.

    Raises:
        UserError: the device lacks the figures that are needed, or an option is not known.
    """
    if phase not in PHASES:
        raise UserError(f"The phase {phase!r} is not known.", f"Take {' or '.join(PHASES)}.")
    batch = usual_batch(device) if batch_size is None else batch_size
    if batch < 1:
        raise UserError(f"A batch of {batch} images cannot be run.", "Take 1 or more.")
    learned, passes = _learned_for(device, phase)
    settings, spread = _settings(device, compiled, channels_last), Spread.from_array(learned.spread["residual"])
    way = _Way(learned, device, batch, settings, passes, phase, spread, _widening(device, batch, anchors), None)
    if anchors is not None:
        way = way._replace(anchors=_told_by(anchors, way))
    with _blas().limit(limits=1):  # two threads wait for each other longer than they work
        starts = range(0, max(1, len(shapes)), _ROWS)
        parts = [_costs_of(shapes.take(slice(start, start + _ROWS)), way) for start in starts]
    latency, memory, energy = (Interval.joined(column) for column in zip(*parts, strict=True))
    return Costs(
        device=device,
        source="extrapolated" if device.extrapolated and anchors is None else "predicted",
        phase=phase,
        batch_size=batch,
        latency_ms=latency,
        memory_mb=memory,
        energy_j=energy,
        notes=_notes(device, phase, batch, anchors),
    )


def usual_batch(device: Device) -> int:
    """Images a pass that devices of the kind were measured at: one on a processor, full batches on a GPU."""
    return 1 if device.engine == "cpu" else _SATURATED


def _costs_of(shapes: ModelShapes, way: _Way) -> tuple[Interval, Interval, Interval]:
    """Latency, memory and energy of some models."""
    with np.errstate(invalid="ignore", divide="ignore"):
        times = least_times(shapes, way.device, way.batch)
        logs, half = _log_latency(way, shapes, times)
        logs = np.where(shapes.known, logs, np.nan)
        likely, factor = np.exp(logs), np.exp(half * way.widening)
        latency = Interval(likely, likely / factor, likely * factor)
        memory = memory_of(shapes, way.batch, way.phase, way.device.engine)
        return latency, memory, energy_of(times, way.device, latency, way.passes if way.phase == "train" else 1.0)


def _log_latency(way: _Way, shapes: ModelShapes, times: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
    """Log ms an image `[M]` and the half width of its interval."""
    learned = way.learned
    scaled = learned.scaled(shapes.features())
    logs = _common(way, scaled, times)
    if way.anchors is not None:
        own, residuals, factor = way.anchors
        mean, deviation = condition(way.spread, own, residuals, scaled)
        return logs + mean, factor * deviation
    if way.level is not None:
        return logs, learned.conformal["listed"][0]
    return logs, learned.conformal["unseen"][0] * way.spread.prior_deviation(scaled)


def _common(way: _Way, scaled: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Log ms an image `[M]` by what was learned of all devices, and of this one where it was measured."""
    logs = way.learned.log_latency(scaled, times * way.rate_factors, way.settings) + np.log(way.passes)
    return logs if way.level is None else logs + way.level[0] + scaled @ way.level[1:]


def _told_by(anchors: Anchors, way: _Way) -> tuple[np.ndarray, np.ndarray, float]:
    """What anchors tell of the device: their scaled features, their log residuals, the factor on the deviations."""
    own = way.learned.scaled(anchors.shapes.features())
    predicted = _common(way, own, least_times(anchors.shapes, way.device, anchors.batch_size))
    factor = np.interp(np.log(len(own)), np.log(ANCHOR_COUNTS), way.learned.conformal["anchored"])
    return own, np.log(anchors.latency_ms) - predicted, float(factor)


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _learned_for(device: Device, phase: str) -> tuple[Utilisation, float]:
    """The utilisation for a kind of run, and by how many of its passes one is worth."""
    learned = load_utilisations()
    if phase == "infer":
        return learned[device.engine], 1.0
    return (learned["gpu-train"], 1.0) if device.engine == "gpu" else (learned["cpu"], _BACKWARD)


def _settings(device: Device, compiled: bool | None, channels_last: bool) -> np.ndarray:
    known = {"compiled": device.engine == "cpu" if compiled is None else compiled, "channels_last": channels_last}
    return np.array([known.get(name, False) for name in SETTINGS], np.float32)


def _widening(device: Device, batch: int, anchors: Anchors | None) -> float:
    factor = _WIDER[device.kind] if device.extrapolated and anchors is None else 1.0
    return factor * (_SMALL_BATCH if device.engine == "gpu" and batch < _SMALL else 1.0)


def _notes(device: Device, phase: str, batch: int, anchors: Anchors | None) -> tuple[str, ...]:
    precision = "mixed 16-bit precision" if device.engine == "gpu" else "float32, compiled"
    found = [f"{precision}, batches of {batch}, 90 % intervals"]
    if device.extrapolated and anchors is None:
        found.append(f"extrapolated: nothing like {device.title} was measured; the interval is widened")
    if device.engine == "gpu" and batch < _SMALL:
        found.append("GPUs were measured on full batches: the interval of a small one is widened")
    if anchors is not None:
        found.append(f"sharpened by {len(anchors.batch_size)} timings of this device")
    if phase == "train" and device.engine == "cpu":
        found.append("training was not measured on processors: a step counts as three forward passes")
    return tuple(found)


def _ends(name: str, figure: Interval, row: int) -> dict[str, float | None]:
    """A figure and the ends of its interval, by name."""
    named = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {key: _figure(values[row]) for key, values in named.items()}


def _figure(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None
