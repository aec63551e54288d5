"""The thesis' hardware metrics of one forward pass: execution time, memory, power, CPU temperature, carbon.

What this machine cannot give is `None`. Power comes from the processor's energy counter (RAPL) or, on an NVIDIA GPU,
from its driver; carbon from codecarbon where that is installed and told the country.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WARM_UP = 3
_REPEATS = 15
_ENERGY_COUNTER = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
_POWER_SECONDS = 0.5  # the counter is too coarse for one pass of a small model


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
    return ForwardCost(
        forward_ms=median * 1e3,
        memory_mb=_gpu_memory(one_pass, device) if device.type == "cuda" else _cpu_memory(one_pass),
        power_w=_gpu_power(one_pass, device) if device.type == "cuda" else _cpu_power(one_pass),
        cpu_temperature_c=_temperature(),
        carbon_g=_carbon(one_pass, median),
        device=device_name(device),
    )


def device_name(device: Any) -> str:
    """`NVIDIA H100`, or the processor as the system names it."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _cpu_memory(one_pass: Callable[[], None]) -> float | None:
    """Peak of resident memory in MB (2**20 bytes), the kernel's high-water mark being reset before the pass."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        one_pass()
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration, ValueError):
        return None


def _gpu_memory(one_pass: Callable[[], None], device: Any) -> float:
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    one_pass()
    return torch.cuda.max_memory_allocated(device) / 2**20


def _cpu_power(one_pass: Callable[[], None]) -> float | None:
    try:
        before = int(_ENERGY_COUNTER.read_text(encoding="utf-8"))
        seconds = _keep_busy(one_pass)
        used = int(_ENERGY_COUNTER.read_text(encoding="utf-8")) - before
    except (OSError, ValueError):
        return None
    return used / 1e6 / seconds if used > 0 else None  # the counter wraps around now and then


def _gpu_power(one_pass: Callable[[], None], device: Any) -> float | None:
    import torch

    try:
        _keep_busy(one_pass)
        return torch.cuda.power_draw(device) / 1e3
    except Exception:  # no nvidia-ml-py, or a driver that does not tell
        return None


def _keep_busy(one_pass: Callable[[], None]) -> float:
    begun = time.perf_counter()
    while time.perf_counter() - begun < _POWER_SECONDS:
        one_pass()
    return time.perf_counter() - begun


def _temperature() -> float | None:
    try:
        import psutil

        sensors = psutil.sensors_temperatures()
    except (ImportError, AttributeError, OSError):
        return None
    found = [entry.current for entries in sensors.values() for entry in entries if entry.current]
    return max(found, default=None)


def _carbon(one_pass: Callable[[], None], seconds: float) -> float | None:
    """Grams of CO2 equivalents by codecarbon, which needs the country to know how power is made."""
    country = os.environ.get("CODECARBON_COUNTRY_ISO_CODE")
    if not country:
        return None
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        return None
    tracker = OfflineEmissionsTracker(country_iso_code=country, save_to_file=False, log_level="error")
    tracker.start()
    begun = time.perf_counter()
    _keep_busy(one_pass)
    kilograms = tracker.stop()
    passes = max(1.0, (time.perf_counter() - begun) / seconds)
    return None if kilograms is None else kilograms * 1e3 / passes
