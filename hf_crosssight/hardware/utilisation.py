"""How much of a device's rates a network reaches: a small network learned from measured latencies, run in numpy.

In the manner of NeuSight (Lee, Phanishayee, Mahajan, 2025), which learns a utilisation per kernel and multiplies it
to the roofline, but for whole networks: from the structure alone, four bounded factors, one for each term of the
roofline. Devices enter through the roofline only, so nothing is learned that an unseen device could not have. What a
device sustains grows a little less than its rated rates: an exponent for arithmetic and one for the memory, within the
range of the devices that it was learned from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from hf_crosssight.hardware.model_shape import FEATURE_DIM
from hf_crosssight.hardware.roofline import TERMS

FORMAT = "crosssight-hardware/2"
PREDICTOR = Path(__file__).parents[1] / "assets" / "hardware" / "latency.safetensors"
SETTINGS = ("compiled", "channels_last", "pure_bf16", "before_torch_2")
RANGE = 1.0  # a factor lies within exp(-1) and exp(1) of what the terms take on average
CLIP = 4.0  # standard deviations beyond which a feature says no more
_ROWS = 4096  # models computed at a time: what fits the processor's caches


@dataclass(frozen=True)
class Utilisation:
    """A learned utilisation for one kind of run (`gpu`, `cpu`, `gpu-train`).

    Attributes:
        mean, scale (`np.ndarray`): float32 `[FEATURE_DIM]`, of the features.
        gain (`np.ndarray`): float32 `[N, 4]`, log of what each term takes on average, by member of the ensemble.
        layers (`tuple`): three (weight `[N, in, out]`, bias `[N, 1, out]`) pairs.
        rates (`np.ndarray`): float32 `[4, 2]`, of arithmetic and of memory: the exponent; the lowest and the highest
            log rate that it was learned from; the log rate at which it changes nothing.
        device_level (`dict[str, np.ndarray]`): by measured device, float32 `[1 + FEATURE_DIM]`, what its own timings
            add to the log latency: a constant and a slope on the scaled features.
        spread (`dict[str, np.ndarray]`): parameters of the residuals, see `anchors`.
        conformal (`dict[str, np.ndarray]`): float32 `[len(LEVELS)]` by case, see `intervals`.
    """

    mean: np.ndarray
    scale: np.ndarray
    gain: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    rates: np.ndarray = field(default_factory=lambda: np.zeros((4, 2), np.float32))
    device_level: Mapping[str, np.ndarray] = field(default_factory=dict)
    spread: Mapping[str, np.ndarray] = field(default_factory=dict)
    conformal: Mapping[str, np.ndarray] = field(default_factory=dict)

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """Features in standard deviations, float32 `[M, FEATURE_DIM]`."""
        scaled = np.subtract(features, self.mean)
        scaled /= self.scale
        return np.clip(scaled, -CLIP, CLIP, out=scaled)

    def rate_factors(self, log_rates: np.ndarray) -> np.ndarray:
        """By what the terms of devices with rates `[..., 2]` (`roofline.log_rates`) are longer, `[..., 4]`."""
        exponent, lowest, highest, neutral = self.rates
        arithmetic, memory = np.moveaxis(np.exp(exponent * (np.clip(log_rates, lowest, highest) - neutral)), -1, 0)
        return np.stack([arithmetic, memory, memory, np.ones_like(memory)], axis=-1)

    def log_latency(self, scaled: np.ndarray, times: np.ndarray, settings: np.ndarray) -> np.ndarray:
        """Log milliseconds an image, float32 `[M]`.

        Args:
            scaled: float32 `[M, FEATURE_DIM]`.
            times: `[M, 4]`, milliseconds of `roofline.least_times` times `rate_factors`.
            settings: float32 `[len(SETTINGS)]` or `[M, len(SETTINGS)]`, 0 or 1 each.
        """
        (first, first_bias), _, _ = self.layers
        dims = scaled.shape[1]
        switched = np.asarray(settings, np.float32) @ first[:, dims:]  # [N, hidden] or [N, M, hidden]
        bias = first_bias + (switched[:, None] if switched.ndim == 2 else switched)
        out = np.empty(len(scaled), np.float32)
        for start in range(0, len(scaled), _ROWS):
            rows = slice(start, start + _ROWS)
            own_bias = bias if bias.shape[1] == 1 else bias[:, rows]
            out[rows] = self._of_members(scaled[rows].T, own_bias, np.ascontiguousarray(times[rows].T, np.float32))
        return out

    def _of_members(self, scaled: np.ndarray, bias: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Mean over the members, `[rows]`, of features `[FEATURE_DIM, rows]` and times `[4, rows]`.

        A ranking waits for this: models lie along the last axis, where sums over a few terms are fast, and all is done
        in place where it can be. Since max(x + b, 0) = max(x, -b) + b, each bias joins that of the next layer instead
        of being added to every unit of every model.
        """
        (first, _), (second, second_bias), (last, last_bias) = self.layers
        total = np.zeros(scaled.shape[1], np.float32)
        for member, gain in enumerate(self.gain):
            added = bias[member]  # [1 or rows, hidden]
            hidden = first[member, : len(scaled)].T @ scaled
            np.maximum(hidden, -added.T, out=hidden)
            added = second_bias[member] + added @ second[member]
            hidden = second[member].T @ hidden
            np.maximum(hidden, -added.T, out=hidden)
            factors = last[member].T @ hidden
            factors += (last_bias[member] + added @ last[member]).T
            np.tanh(factors, out=factors)
            factors *= RANGE
            factors += gain[:, None]
            np.exp(factors, out=factors)
            factors *= times
            total += np.log(factors.sum(axis=0))
        total /= len(self.gain)
        return total


def save_utilisations(utilisations: Mapping[str, Utilisation], path: Path = PREDICTOR, note: str = "") -> None:
    """Writes them as one safetensors file, in half precision where that is enough."""
    from safetensors.numpy import save

    from hf_crosssight.hub.places import atomic_file

    arrays: dict[str, np.ndarray] = {}
    for kind, one in utilisations.items():
        arrays |= {f"{kind}/{name}": getattr(one, name) for name in ("mean", "scale", "gain", "rates")}
        for number, (weight, bias) in enumerate(one.layers):
            arrays |= {f"{kind}/{number}/weight": weight.astype(np.float16), f"{kind}/{number}/bias": bias}
        for group in ("device_level", "spread", "conformal"):
            arrays |= {f"{kind}/{group}/{name}": value for name, value in getattr(one, group).items()}
    content = save(
        {name: np.ascontiguousarray(value) for name, value in arrays.items()}, {"format": FORMAT, "note": note}
    )
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


@cache
def load_utilisations(path: Path = PREDICTOR) -> dict[str, Utilisation]:
    """By kind of run.

    Raises:
        ValueError: the file is of another format.
    """
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        if (file.metadata() or {}).get("format") != FORMAT:
            raise ValueError(f"{path} is not of the format {FORMAT}: {json.dumps(file.metadata())}")
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    kinds = dict.fromkeys(name.split("/")[0] for name in arrays)
    return {kind: _utilisation(kind, arrays) for kind in kinds}


def _utilisation(kind: str, arrays: Mapping[str, np.ndarray]) -> Utilisation:
    layers = tuple(
        (arrays[f"{kind}/{number}/weight"].astype(np.float32), arrays[f"{kind}/{number}/bias"]) for number in range(3)
    )
    groups = {}
    for group in ("device_level", "spread", "conformal"):
        start = f"{kind}/{group}/"
        groups[group] = {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
    mean, scale, gain, rates = (arrays[f"{kind}/{name}"] for name in ("mean", "scale", "gain", "rates"))
    if mean.shape != (FEATURE_DIM,) or gain.shape[1] != len(TERMS):
        raise ValueError(f"the predictor for {kind} has {mean.shape[0]} features and {gain.shape[1]} terms")
    return Utilisation(mean, scale, gain, layers, rates, **groups)
