"""The hardware token of Fusion: what a device can do, and how long an image may take there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hf_crosssight.hardware.device import Device

HARDWARE_SPEC = "hardware/1"
HARDWARE_DIM = 16
_FIGURES = (  # of a device, with the value at which its column is 0, in doublings
    ("fp32", 16.0), ("fp16_tensor", 64.0), ("bandwidth_gb_s", 256.0), ("memory_gb", 16.0), ("power_max_w", 128.0),
)  # fmt: skip
_DOUBLINGS = 4.0
_USUAL_MS = 4.0


def hardware_token(device: Device, max_latency_ms: float | None = None) -> np.ndarray:
    """float32 `[HARDWARE_DIM]`: each figure with whether it is known, the engine, the limit with whether there is one.

    Figures are in units of four doublings around a usual value, so that an unseen device lies among the seen ones.
    """
    token = np.zeros(HARDWARE_DIM, np.float32)
    for place, (name, usual) in enumerate(_FIGURES):
        value = device.rates.get(name) if name.startswith("fp") else getattr(device, name)
        if value:
            token[2 * place : 2 * place + 2] = np.log2(value / usual) / _DOUBLINGS, 1.0
    token[10:12] = device.engine == "gpu", device.engine == "cpu"
    token[12] = 1.0
    if max_latency_ms is not None:
        token[13:15] = np.log2(max_latency_ms / _USUAL_MS) / _DOUBLINGS, 1.0
    return token
