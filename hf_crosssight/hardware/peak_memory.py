"""Peak memory of a pass as it is measured: the process's high-water mark on a CPU, the allocator's on a GPU."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def resident_mb() -> float | None:
    """Resident memory of this process now, in 2**20 bytes; `None` where the system does not tell."""
    return _status("VmRSS")


def peak_beside(one_pass: Callable[[], None], device: Any) -> float | None:
    """The most memory in 2**20 bytes that a pass takes beside what is held already; `None` where nobody tells.

    On a CPU this is resident memory, scratch space of kernels and what the allocator keeps included; on a GPU what
    its allocator handed out.
    """
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        one_pass()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    before_mb = reset_peak()
    if before_mb is None:
        return None
    one_pass()
    peak = _status("VmHWM")
    return None if peak is None else max(0.0, peak - before_mb)


def held_mb(device: Any) -> float | None:
    """What the process (on a GPU, its allocator) holds now, in 2**20 bytes."""
    if device.type == "cuda":
        import torch

        return torch.cuda.memory_allocated(device) / 2**20
    return resident_mb()


def reset_peak() -> float | None:
    """Sets the process's high-water mark to what it holds now, which is returned; `None` where it cannot."""
    _give_back()
    try:
        _CLEAR.write_text("5", encoding="utf-8")
    except OSError:
        return None
    return resident_mb()


def _give_back() -> None:
    """Returns freed memory to the system, where the C library can: a pass that reuses it would seem to take none."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def _status(name: str) -> float | None:
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
    except (OSError, StopIteration, ValueError):
        return None
