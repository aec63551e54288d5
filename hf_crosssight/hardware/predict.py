"""Latency, peak memory and energy of models on a device that they never ran on, each with an interval.

`predict_costs` is what rankings call: it takes a whole zoo at once (100,000 models in tens of milliseconds on one
core) and works on columns alone. Latency is the roofline times a learned utilisation, sharpened by the user's anchors
where there are any; memory is the weights and what lives beside them; energy is what the device draws meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.anchors import Anchors
from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.energy import energy_of
from hf_crosssight.hardware.fit import ANCHOR_COUNTS
from hf_crosssight.hardware.memory import Interval, memory_of
from hf_crosssight.hardware.model_shape import ModelShapes
from hf_crosssight.hardware.residuals import Spread, condition
from hf_crosssight.hardware.roofline import least_times
from hf_crosssight.hardware.utilisation import SETTINGS, Utilisation, load_utilisations

PHASES = ("infer", "train")
_SATURATED = 256  # images a pass: what GPUs were measured at, the median of the tables is 256 to 2048
_WIDER = {"gpu": 2.0, "cpu": 2.0, "board": 3.0, "phone": 3.0}  # on the log interval: nothing like it was measured
_SMALL_BATCH = 2.0  # factor on the log interval of a GPU fed fewer images than were measured
_SMALL = 8
_BACKWARD = 3.0  # passes that a training step is worth where none was measured (processors): forward, two backward


@dataclass(frozen=True)
class Costs:
    """Predicted costs of M models on one device; NaN where a model's own costs are not known.

    Attributes:
        device (`Device`): where.
        source (`str`): `predicted`, or `extrapolated` where nothing like the device was measured.
        phase (`str`): `infer` or `train`.
        batch_size (`int`): images a pass.
        latency_ms (`Interval`): of one pass of `batch_size` images, three arrays `[M]`: value, low, high.
        memory_mb (`Interval`): peak of the pass beside what the process holds already, in 2**20 bytes.
        energy_j (`Interval`): joules of one pass; NaN where the device's power is not known.
        notes (`tuple[str, ...]`): what the figures rest on, in words.
    """

    device: Device
    source: str
    phase: str
    batch_size: int
    latency_ms: Interval
    memory_mb: Interval
    energy_j: Interval
    notes: tuple[str, ...]

    @property
    def throughput(self) -> np.ndarray:
        """Images a second `[M]`."""
        return 1e3 * self.batch_size / self.latency_ms.value

    def hardware(self, row: int) -> dict[str, Any]:
        """The `hardware` object of one model in a ranking's JSON; what is not known is `None`."""
        return {
            "device": self.device.name,
            "batch_size": self.batch_size,
            "latency_ms": _figure(self.latency_ms.value[row]),
            "latency_ms_low": _figure(self.latency_ms.low[row]),
            "latency_ms_high": _figure(self.latency_ms.high[row]),
            "memory_mb": _figure(self.memory_mb.value[row]),
            "memory_mb_low": _figure(self.memory_mb.low[row]),
            "memory_mb_high": _figure(self.memory_mb.high[row]),
            "energy_j": _figure(self.energy_j.value[row]),
            "energy_j_low": _figure(self.energy_j.low[row]),
            "energy_j_high": _figure(self.energy_j.high[row]),
            "power_w": _figure(1e3 * self.energy_j.value[row] / self.latency_ms.value[row]),
            "cpu_temperature_c": None,
            "carbon_g": None,
            "throughput": _figure(self.throughput[row]),
            "source": self.source if np.isfinite(self.latency_ms.value[row]) else None,
        }


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
        batch_size (*optional*): images a pass; by default what devices of the kind were measured at: one on a
            processor, 256 on a GPU. A GPU that is fed less than 8 is predicted with a wider interval.
        phase: `infer`, or `train` for a whole training step.
        compiled (*optional*): by torch.compile; by default as measured, on processors yes, on GPUs no.
        channels_last: memory layout.
        anchors (*optional*): the user's own timings of this device.

    Raises:
        UserError: the device lacks the figures that are needed, or an option is not known.
    """
    if phase not in PHASES:
        raise UserError(f"The phase {phase!r} is not known.", f"Take {' or '.join(PHASES)}.")
    batch = batch_size if batch_size is not None else (1 if device.engine == "cpu" else _SATURATED)
    if batch < 1:
        raise UserError(f"A batch of {batch} images cannot be run.", "Take 1 or more.")
    learned, passes = _learned_for(device, phase)
    settings = _settings(device, compiled, channels_last)
    known = shapes.known
    chosen = shapes if known.all() else shapes.take(known)
    log_each, half = _log_latency(learned, chosen, device, batch, settings, anchors, passes)
    wide = half * _widening(device, batch, anchors)
    latency = _spread_out(Interval(*(np.exp(log_each + sign * wide) * batch for sign in (0, -1, 1))), known)
    return Costs(
        device=device,
        source="extrapolated" if device.extrapolated and anchors is None else "predicted",
        phase=phase,
        batch_size=batch,
        latency_ms=latency,
        memory_mb=memory_of(shapes, batch, phase, device.engine),
        energy_j=energy_of(shapes, device, latency, batch, passes if phase == "train" else 1.0),
        notes=_notes(device, phase, batch, anchors),
    )


def _log_latency(
    learned: Utilisation,
    shapes: ModelShapes,
    device: Device,
    batch: int,
    settings: np.ndarray,
    anchors: Anchors | None,
    passes: float,
) -> tuple[np.ndarray, np.ndarray | float]:
    """Log ms an image `[M]` and the half width of its interval."""
    scaled = learned.scaled(shapes.features())
    logs = learned.log_latency(scaled, least_times(shapes, device, batch), settings) + np.log(passes)
    level = learned.device_level.get(device.name)
    if level is not None:
        logs = logs + level[0] + scaled @ level[1:]
    spread = Spread.from_array(learned.spread["residual"])
    if anchors is None:
        listed = level is not None
        half = (
            learned.conformal["listed"][0]
            if listed
            else learned.conformal["unseen"][0] * spread.prior_deviation(scaled)
        )
        return logs, half
    own = learned.scaled(anchors.shapes.features())
    times = least_times(anchors.shapes, device, anchors.batch_size)
    predicted = learned.log_latency(own, times, settings) + np.log(passes)
    if level is not None:
        predicted = predicted + level[0] + own @ level[1:]
    mean, deviation = condition(spread, own, np.log(anchors.latency_ms) - predicted, scaled)
    factor = np.interp(np.log(len(own)), np.log(ANCHOR_COUNTS), learned.conformal["anchored"])
    return logs + mean, factor * deviation


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


def _spread_out(found: Interval, known: np.ndarray) -> Interval:
    """Figures of the known models in their places, NaN in the others'."""
    if known.all():
        return found
    whole = [np.full(len(known), np.nan) for _ in range(3)]
    for array, values in zip(whole, (found.value, found.low, found.high), strict=True):
        array[known] = values
    return Interval(*whole)


def _notes(device: Device, phase: str, batch: int, anchors: Anchors | None) -> tuple[str, ...]:
    precision = "mixed 16-bit precision" if device.engine == "gpu" else "float32, compiled"
    found = [f"{precision}, batches of {batch}, 90 % intervals"]
    if device.extrapolated and anchors is None:
        found.append(f"extrapolated: nothing like {device.title} was measured; the interval is widened")
    if device.engine == "gpu" and batch < _SMALL:
        found.append("GPUs were measured on full batches: the interval of a small one is widened")
    if phase == "train" and device.engine == "cpu":
        found.append("training was not measured on processors: a step counts as three forward passes")
    return tuple(found)


def _figure(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None
