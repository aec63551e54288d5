"""Peak memory of a pass from structure alone: the weights and the tensors that live at one time beside them.

How many bytes live at one time was counted on the meta device for architectures of timm (`benchmarks/
hardware_live_bytes.py`); a linear model in logarithms carries it to others, and modules of `transformers` keep more.
A training step keeps every activation for the backward pass, and gradients and two moments of each parameter beside
the weights (Kingma, Ba, 2015).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.hardware.model_shape import ModelShapes

COEFFICIENTS = Path(__file__).parents[1] / "assets" / "hardware" / "live_bytes.json"
_MIB = 2.0**20
_WEIGHT_BYTES = 4.0  # weights are held in float32, under mixed precision too
_TRAIN_COPIES = 4.0  # weights, gradients, two moments
_KEPT = 2.0  # tensors kept for the backward pass per counted activation: normalised and activated ones beside it
# What a process takes beside them: MB of its own, shares of the weights (repacked for kernels) and of the live bytes
# (scratch space, fragments). On a GPU the allocator's count is meant, which has none of it.
_BESIDE = {"cpu": (12.0, 0.06, 0.4), "gpu": (0.0, 0.0, 0.0)}
_TRANSFORMERS = 1.45  # live bytes over timm's: median of the 16 networks from ViT to Swin (`hardware_memory.py`)
_HALF = {"gpu": 0.5, "cpu": 1.0}  # activations of mixed precision take half of float32's bytes
_COUNTED_SPREAD = 0.3  # log half width of counted bytes: kernels take scratch space, allocators keep fragments
_TRAIN_SPREAD = 0.35  # log half width of a training step's activations, which were not counted


@dataclass(frozen=True)
class Interval:
    """A figure of M models: value, and low and high end of its 90 % interval, `[M]` each."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, rows: np.ndarray) -> Interval:
        """The models at these rows."""
        return Interval(self.value[rows], self.low[rows], self.high[rows])

    @classmethod
    def joined(cls, parts: Sequence[Interval]) -> Interval:
        """The models of several, one after the other."""
        return cls(*(np.concatenate([getattr(part, end) for part in parts]) for end in ("value", "low", "high")))


def memory_of(shapes: ModelShapes, batch_size: int, phase: str, engine: str) -> Interval:
    """2**20 bytes that M models take at the peak of a pass, three arrays `[M]`; NaN where costs are not known."""
    live, spread = live_bytes(shapes)
    weights = shapes.params * _WEIGHT_BYTES / _MIB
    activations = live * batch_size * _HALF[engine] / _MIB
    if phase == "train":
        weights = weights * _TRAIN_COPIES
        kept = shapes.macts * 1e6 * 4.0 * _KEPT * batch_size * _HALF[engine] / _MIB
        activations, spread = np.maximum(activations, kept), np.full(len(shapes), _TRAIN_SPREAD)
    constant, of_weights, of_live = _BESIDE[engine]
    held = weights * (1 + of_weights) + constant
    activations, factor = (1 + of_live) * activations, np.exp(spread)
    return Interval(held + activations, held + activations / factor, held + activations * factor)


def live_bytes(shapes: ModelShapes) -> tuple[np.ndarray, np.ndarray]:
    """Bytes that live at one time in a float32 pass of one image, and log half widths that hold 90 %, `[M]` each."""
    learned = _coefficients()
    coefficients = np.array(learned["coefficients"])
    costs = _cost_columns(shapes)
    logs = sum(column * weight for column, weight in zip(costs, coefficients[: len(costs)], strict=True))
    live = np.exp(logs + shapes.summary @ coefficients[len(costs) :].astype(np.float32))
    if shapes.transformers is not None:
        live = np.where(shapes.transformers, _TRANSFORMERS * live, live)
    spread = np.full(len(shapes), float(learned["half_width"]))
    if shapes.live_bytes is not None:
        counted = np.isfinite(shapes.live_bytes)
        live, spread = np.where(counted, shapes.live_bytes, live), np.where(counted, _COUNTED_SPREAD, spread)
    return live, spread


def live_design(shapes: ModelShapes) -> np.ndarray:
    """`[M, 4 + SUMMARY_DIM]`: a constant, logarithms of activations, input pixels and layers, and the summary."""
    return np.concatenate([np.stack(_cost_columns(shapes), axis=1), shapes.summary], axis=1)


def _cost_columns(shapes: ModelShapes) -> list[np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        costs = np.log(np.stack([shapes.macts, shapes.input_size, shapes.layers]).astype(np.float32))
        return [np.ones(len(shapes), np.float32), *costs]


@cache
def _coefficients() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    return found
