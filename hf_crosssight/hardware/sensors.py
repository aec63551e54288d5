"""What this machine's sensors tell: energy, temperature, carbon; and why not, where they do not.

Energy comes from the processor's counter (RAPL) or the GPU's driver (NVML); temperature from psutil; carbon from
codecarbon where it is installed and told the country, else `None`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENERGY_COUNTER = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
_COUNTER_RANGE = ENERGY_COUNTER.with_name("max_energy_range_uj")
_SECONDS = 0.5  # the counter is too coarse for one pass of a small model
_COUNTRY = "CODECARBON_COUNTRY_ISO_CODE"


@dataclass(frozen=True)
class Reading:
    """A sensor's figure, or why there is none.

    Attributes:
        value: the figure, `None` where there is none.
        reason: why, where there is none.
    """

    value: float | None
    reason: str | None = None


def energy_of_pass(one_pass: Callable[[], None], device: Any) -> Reading:
    """Joules of one pass, from passes that run one after the other for half a second."""
    return _gpu_energy(one_pass, device) if device.type == "cuda" else _cpu_energy(one_pass)


def cpu_temperature() -> Reading:
    """Degrees Celsius of the hottest sensor of the machine."""
    try:
        import psutil

        sensors = psutil.sensors_temperatures()
    except ImportError:
        return Reading(None, "psutil is not installed")
    except (AttributeError, OSError) as error:
        return Reading(None, f"the system gives no temperatures: {error}")
    found = [entry.current for entries in sensors.values() for entry in entries if entry.current]
    return Reading(max(found)) if found else Reading(None, "this machine shows no temperature sensor")


def carbon_of_pass(one_pass: Callable[[], None]) -> Reading:
    """Grams of CO2 equivalents of one pass by codecarbon, which needs the country to know how power is made."""
    country = os.environ.get(_COUNTRY)
    if not country:
        return Reading(None, f"{_COUNTRY} is not set")
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        return Reading(None, "codecarbon is not installed")
    tracker = OfflineEmissionsTracker(country_iso_code=country, save_to_file=False, log_level="error")
    tracker.start()
    _, passes = keep_busy(one_pass)
    kilograms = tracker.stop()
    return Reading(None, "codecarbon gave no figure") if kilograms is None else Reading(kilograms * 1e3 / passes)


def keep_busy(one_pass: Callable[[], None], seconds: float = _SECONDS) -> tuple[float, int]:
    """Runs passes one after the other; returns the seconds that they took and their number."""
    begun, passes = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        one_pass()
        passes += 1
    return time.perf_counter() - begun, passes


def _cpu_energy(one_pass: Callable[[], None]) -> Reading:
    try:
        before = int(ENERGY_COUNTER.read_text(encoding="utf-8"))
        _, passes = keep_busy(one_pass)
        used = int(ENERGY_COUNTER.read_text(encoding="utf-8")) - before
        if used < 0:  # the counter went round
            used += int(_COUNTER_RANGE.read_text(encoding="utf-8"))
    except PermissionError:
        return Reading(None, "the processor's energy counter (RAPL) may be read by root alone")
    except (OSError, ValueError):
        return Reading(None, "this machine shows no energy counter (RAPL)")
    return Reading(used / 1e6 / passes) if used > 0 else Reading(None, "the energy counter (RAPL) stands still")


def _gpu_energy(one_pass: Callable[[], None], device: Any) -> Reading:
    import torch

    try:
        seconds, passes = keep_busy(one_pass)
        return Reading(torch.cuda.power_draw(device) / 1e3 * seconds / passes)
    except ImportError:
        return Reading(None, "nvidia-ml-py is not installed")
    except Exception as error:  # a driver that does not tell
        return Reading(None, f"the GPU's driver gives no power: {' '.join(str(error).split())[:100]}")
