"""The device that this process runs on: its GPU where there is one, else its processor.

Cores, clocks and instruction sets come from the system, peak rates from them; what the system does not tell is taken
from the catalogue where the processor or GPU is listed there, and a memory that is not listed is measured.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

from hf_crosssight.hardware.device import Device

_SYSTEM = "this machine's operating system"
_CLOCK = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
_COPIED = 64 << 20  # bytes, more than the caches of most processors


def local_device() -> Device:
    """This machine as a device: the first NVIDIA GPU if its driver answers, else the processor."""
    return _gpu() or local_cpu()


def local_cpu() -> Device:
    """This machine's processor."""
    info = _cpu_info()
    title = local_cpu_name()
    listed = _listed(title)
    cores, clock, memory = _cores(info), _clock_ghz(info), _memory_gb()
    flop = _flop_per_cycle(info.get("flags") or info.get("Features") or "")
    rate = cores * flop * clock / 1e3 if cores and flop and clock else None
    sources = {"cores": _SYSTEM, "memory": _SYSTEM, "boost": _SYSTEM}
    if rate:
        sources["fp32"] = f"derived: {cores} cores x {flop} FLOP x {clock:g} GHz; {_SYSTEM}"
    if listed is None:
        sources["bandwidth"] = "measured here by copying memory"
    own = Device(
        name="local",
        title=title,
        kind="cpu",
        engine="cpu",
        vendor=_vendor(info),
        rates={"fp32": rate, "fp16": None, "fp16_tensor": None},
        bandwidth_gb_s=_memory_gb_s(title) if listed is None else None,
        memory_gb=memory,
        cores=cores,
        boost_ghz=clock,
        sources=sources,
    )
    return own if listed is None else _completed(own, listed)


def device_title(device: Any) -> str:
    """A torch device as the system names it: `NVIDIA H100`, or the processor."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return local_cpu_name()


def local_cpu_name() -> str:
    """The processor as the system names it."""
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def _completed(own: Device, listed: Device) -> Device:
    """What the machine tells of itself, then the catalogue; the rate goes with the cores that this machine has."""
    share = min(1.0, own.cores / listed.cores) if own.cores and listed.cores else 1.0
    rates = {name: None if value is None else value * share for name, value in listed.rates.items()}
    return dataclasses.replace(
        listed,
        name="local",
        title=own.title,
        rates=rates,
        memory_gb=own.memory_gb or listed.memory_gb,
        cores=own.cores or listed.cores,
        aliases=(),
        sources={**listed.sources, "memory": _SYSTEM, "cores": _SYSTEM},
    )


def _gpu() -> Device | None:
    """The first GPU as NVML describes it, completed from the catalogue; `None` without driver or library."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no nvidia-ml-py, no driver, or a driver that does not answer
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        name = pynvml.nvmlDeviceGetName(handle)
        title = name.decode() if isinstance(name, bytes) else str(name)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle).total / 1e9
        limit = _asked(pynvml.nvmlDeviceGetPowerManagementLimit, handle, 1e-3)
        clock = _asked(lambda h: pynvml.nvmlDeviceGetMaxClockInfo(h, pynvml.NVML_CLOCK_SM), handle, 1e-3)
    except Exception:
        return None
    finally:
        pynvml.nvmlShutdown()
    own = Device("local", title, "gpu", "gpu", "nvidia", memory_gb=memory, power_max_w=limit, boost_ghz=clock)
    listed = _listed(title)
    if listed is None:
        return own
    told = {"memory_gb": memory, "power_max_w": limit or listed.power_max_w, "title": title}
    sources = {**listed.sources, "memory": "NVML", "power_max": "NVML"}
    return dataclasses.replace(listed, name="local", aliases=(), sources=sources, **told)  # type: ignore[arg-type]


def _asked(question: Any, handle: Any, scale: float) -> float | None:
    try:
        return float(question(handle)) * scale
    except Exception:  # not every driver answers every question
        return None


def _listed(title: str) -> Device | None:
    """The catalogue's device whose name stands in the system's, the longest name first."""
    from hf_crosssight.hardware.catalogue import catalogue, plain

    words = plain(title.replace("(R)", "").replace("(TM)", ""))
    found = [
        d for d in catalogue() if any(plain(n) in words for n in (d.title, d.name, *d.aliases) if len(plain(n)) > 4)
    ]
    return max(found, key=lambda device: len(plain(device.title)), default=None)


def _cpu_info() -> dict[str, str]:
    """Keys and values of the first processor in /proc/cpuinfo."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _cores(info: dict[str, str]) -> int | None:
    """Physical cores that this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        siblings, cores = int(info["siblings"]), int(info["cpu cores"])
        return max(1, round((allowed or siblings) * cores / siblings))
    except (KeyError, ValueError, ZeroDivisionError):
        return allowed


def _clock_ghz(info: dict[str, str]) -> float | None:
    try:
        return int(_CLOCK.read_text(encoding="utf-8")) / 1e6
    except (OSError, ValueError):
        pass
    try:
        return float(info["cpu MHz"]) / 1e3
    except (KeyError, ValueError):
        return None


@cache
def _memory_gb_s(processor: str) -> float:
    """What copying memory reached when it was first measured: kept, so that the same request has the same answer."""
    from hf_crosssight.hub.places import crosssight_folder, write_text

    path = crosssight_folder() / "memory_bandwidth.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return float(kept["gb_s"][processor])
    except (OSError, ValueError, KeyError, TypeError):
        found = float(f"{_copied_gb_s():.3g}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"gb_s": {processor: found}}))
    return found


def _copied_gb_s() -> float:
    """Bytes that pass the memory, read and written, when a large array is copied; the best of a few tries."""
    import numpy as np

    source = np.ones(_COPIED, np.uint8)
    target = np.empty_like(source)
    seconds = []
    for _ in range(4):  # the first touches the pages
        begun = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - begun)
    return 2 * _COPIED / min(seconds) / 1e9


def _flop_per_cycle(flags: str) -> int | None:
    """FP32 operations a clock and core of two fused multiply-add units of the widest kind the system lists."""
    words = set(flags.split())
    if "avx512f" in words:
        return 64
    if "avx2" in words and "fma" in words:
        return 32
    return 16 if words & {"asimd", "avx"} else None


def _memory_gb() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("MemTotal"))
    except (OSError, StopIteration, ValueError):
        return None


def _vendor(info: dict[str, str]) -> str | None:
    name = info.get("vendor_id", "")
    known = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
    return known.get(name) or ("arm" if platform.machine() in ("aarch64", "arm64") else None)
