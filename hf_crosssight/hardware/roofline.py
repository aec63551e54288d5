"""The least time that a pass can take on a device: arithmetic, activations, weights and launches, each on its own.

A plain roofline (Williams, Waterman, Patterson, 2009) is the largest of these; `utilisation` learns how much of each
rate a network reaches. Peak rates overstate a processor whose power does not allow them: NeuSight's published
measurements (Lee, Phanishayee, Mahajan, 2025) take 1.9 times their roofline on cards of 70 W and 1.2 to 1.5
times on cards of 250 W and more. So a GPU's rate of arithmetic is the geometric mean of its vector rate, its
tensor-core rate and what its power pays for, and a processor's peak counts at the geometric mean of its base and boost
clocks.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.model_shape import ModelShapes

TERMS = ("arithmetic", "activations", "weights", "launches")
_TFLOPS_PER_WATT = 0.25  # of the devices measured: sqrt(vector x tensor rate) / power, 0.14 to 0.73
_BYTES = {"gpu": 2.0, "cpu": 4.0}  # a number: 16-bit activations under mixed precision, 32-bit on processors
_TRAFFIC = 4.0  # times an activation passes the memory: written, normalised, read again; the learned gain corrects it
_LAUNCH_S = 20e-6  # seconds a weight layer, whatever its size


def arithmetic_rate(device: Device) -> float:
    """FLOP a second that a device can be expected to sustain.

    Raises:
        UserError: the device states no FP32 rate.
    """
    fp32 = device.rates.get("fp32")
    if not fp32:
        raise UserError(f"Nothing is known of how fast {device.title} computes.", "Give its rates in a device file.")
    if device.engine == "cpu":
        clocks = (device.base_ghz, device.boost_ghz)
        sustained = (clocks[0] / clocks[1]) ** 0.5 if clocks[0] and clocks[1] else 1.0
        return fp32 * sustained * 1e12
    tensor = device.rates.get("fp16_tensor") or max(fp32, device.rates.get("fp16") or 0.0)
    rates = [fp32, tensor] + ([device.power_max_w * _TFLOPS_PER_WATT] if device.power_max_w else [])
    return float(np.exp(np.mean(np.log(rates)))) * 1e12


def log_rates(device: Device) -> np.ndarray:
    """Log of the FLOP and the bytes a second that a device can be expected to sustain, `[2]`.

    Raises:
        UserError: one of them is not known.
    """
    if not device.bandwidth_gb_s:
        raise UserError(
            f"The memory bandwidth of {device.title} is not known.",
            "Describe the device in a file: `--device FILE.json`.",
        )
    return np.log([arithmetic_rate(device), device.bandwidth_gb_s * 1e9])


def least_times(shapes: ModelShapes, device: Device, batch_size: np.ndarray | float) -> np.ndarray:
    """Milliseconds an image that each of `TERMS` takes at the device's rates, float64 `[M, 4]`.

    Args:
        shapes: M models.
        device: where they run.
        batch_size: images a pass, one number or `[M]`.

    Raises:
        UserError: the device's rate or bandwidth is not known.
    """
    arithmetic, bandwidth = np.exp(log_rates(device))
    bytes_each = _BYTES[device.engine]
    times = np.empty((len(TERMS), len(shapes)))  # a term's values side by side: computed and summed the faster
    times[0] = shapes.gmacs * (2e12 / arithmetic)
    times[1] = shapes.macts * (1e9 * bytes_each * _TRAFFIC / bandwidth)
    times[2] = shapes.params * (1e3 * bytes_each / bandwidth) / batch_size
    times[3] = shapes.layers * (1e3 * _LAUNCH_S) / batch_size
    return times.T


def plain_roofline(shapes: ModelShapes, device: Device, batch_size: np.ndarray | float) -> np.ndarray:
    """Milliseconds an image by the roofline alone, without anything learned, `[M]`: the slower of peak and memory."""
    peak = (device.rates.get("fp16_tensor") if device.engine == "gpu" else None) or device.rates.get("fp32") or np.nan
    arithmetic = 2e9 * shapes.gmacs / (peak * 1e12) * 1e3
    memory = least_times(shapes, device, batch_size)[:, 1:3].sum(axis=1)
    return np.maximum(arithmetic, memory)
