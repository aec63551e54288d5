"""The thesis' hardware metrics of one forward pass: execution time, memory, power, CPU temperature, carbon.

What this machine cannot give is `None`. Sensors and names are those of the `hardware` room.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..hardware.local_machine import device_title as device_name
from ..hardware.peak_memory import held_mb, peak_beside
from ..hardware.sensors import carbon_of_pass, cpu_temperature, energy_of_pass

__all__ = ["ForwardCost", "device_name", "measure_forward"]

_WARM_UP = 3
_REPEATS = 15


@dataclass(frozen=True)
class ForwardCost:
    """One image, one forward pass.

    Attributes:
        forward_ms: median wall time of a pass.
        memory_mb: peak resident memory of the process during a pass on a CPU, peak of allocated memory on a GPU.
        power_w: mean power of the processor package or the GPU while passes run one after the other.
        cpu_temperature_c: of the hottest sensor right after.
        carbon_g: CO2 equivalents of one pass.
        device: what it was measured on.
    """

    forward_ms: float
    memory_mb: float | None
    power_w: float | None
    cpu_temperature_c: float | None
    carbon_g: float | None
    device: str


def measure_forward(model: Any, inputs: Any, options: dict[str, Any], device: Any) -> ForwardCost:
    """Measures a model on one image `[1, 3, side, side]` that lies on the model's device."""
    import torch

    model.eval()

    def one_pass() -> None:
        with torch.no_grad():
            model(pixel_values=inputs, **options)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(_WARM_UP):
        one_pass()
    times = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        one_pass()
        times.append(time.perf_counter() - begun)
    median = sorted(times)[len(times) // 2]
    joules = energy_of_pass(one_pass, device).value
    return ForwardCost(
        forward_ms=median * 1e3,
        memory_mb=_memory(one_pass, device),
        power_w=None if joules is None else joules / median,
        cpu_temperature_c=cpu_temperature().value,
        carbon_g=carbon_of_pass(one_pass).value,
        device=device_name(device),
    )


def _memory(one_pass: Callable[[], None], device: Any) -> float | None:
    """Peak of all that is held during a pass, in 2**20 bytes."""
    held, beside = held_mb(device), peak_beside(one_pass, device)
    return None if held is None or beside is None else held + beside
