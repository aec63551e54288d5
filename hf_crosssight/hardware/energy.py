"""Energy: what the device draws when idle, and what arithmetic and memory traffic add to it.

E = P_idle t + (P_max - P_idle) (t_arithmetic + t_memory), each of the latter the time that the work takes at the
device's full rates, together no longer than the pass itself: a device at its roofline draws its rated power. No power
was measured on the catalogue's devices, so the interval spans what is possible: from the idle draw to the rated one.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.memory import Interval

_IDLE_SHARE = 0.15  # of the rated power, assumed where the idle draw is not known


def energy_of(times: np.ndarray, device: Device, latency_ms: Interval, passes: float = 1.0) -> Interval:
    """Joules an image, three arrays `[M]`; NaN where the device's power or a model's latency is not known.

    Args:
        times: `[M, 4]` of `roofline.least_times`, ms an image.
        device: where.
        latency_ms: ms an image.
        passes: forward passes that the work is worth.
    """
    if not device.power_max_w:
        unknown = np.full(len(times), np.nan)
        return Interval(unknown, unknown, unknown)
    idle = device.power_idle_w if device.power_idle_w is not None else _IDLE_SHARE * device.power_max_w
    busy_ms = (times[:, 0] + times[:, 1] + times[:, 2]) * passes
    seconds, busy = latency_ms.value / 1e3, np.minimum(busy_ms, latency_ms.value) / 1e3
    likely = idle * seconds + (device.power_max_w - idle) * busy
    return Interval(likely, idle * latency_ms.low / 1e3, device.power_max_w * latency_ms.high / 1e3)
