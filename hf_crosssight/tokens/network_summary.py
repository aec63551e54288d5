"""Row 0 of the weights view: a network in numbers that exist for every family.

Layers are summed up over the early, middle and late third of the weight layers (every network has these, whatever its
blocks are called), apart from the stem, which tells what kind of pictures the network was trained on, and the head,
which tells how many classes there were and how well they are told apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .weights import LayerStatistics

_BODY = (
    "log_gain",
    "q05",
    "q95",
    "kurtosis",
    "sparsity",
    "row_norm_cv",
    "column_norm_cv",
    "row_kurtosis",
    "row_cosine",
    "row_alignment",
    "top_direction",
    "column_alignment",
    "singular_1",
    "edge_excess",
    "rank_deficit",
    "bulk",
    "hill",
)
_NORMS = ("gain_mean", "gain_cv", "offset_mean", "offset_spread", "running_var", "running_spread")
_STEM = (
    "channel_sum",
    "dc",
    "lag_x",
    "lag_y",
    "centre",
    "row_alignment",
    "row_norm_cv",
    "row_kurtosis",
    "edge_excess",
)
_HEAD = ("rows", "row_cosine", "row_alignment", "row_norm_cv", "log_gain", "kurtosis", "edge_excess", "bias_scale")
_THIRDS = ("early", "middle", "late")

SUMMARY = (
    *(f"{third}_{name}" for third in _THIRDS for name in _BODY),
    *(f"{third}_norm_{name}" for third in _THIRDS for name in _NORMS),
    "norms_known",
    "running_known",
    "stem_known",
    *(f"stem_{name}" for name in _STEM),
    "head_known",
    *(f"head_{name}" for name in _HEAD),
)


def summary(statistics: Sequence[LayerStatistics]) -> list[float]:
    """The values of `SUMMARY` for a network whose layers are given in order."""
    layers = [one for one in statistics if one.found]
    matrices = [
        one for one in layers if one.found.get("matrix_known") and one.layer.kind not in ("position", "embedding")
    ]
    body = [one for one in matrices if one.layer.kind not in ("stem", "head")] or matrices
    norms = [one for one in layers if one.found.get("norm_known") and one.layer.kind == "norm"]
    values: list[float] = []
    for third in _thirds(body):
        values += [_average(third, name) for name in _BODY]
    for third in _thirds(norms):
        values += [_average(third, name) for name in _NORMS]
    values += [float(bool(norms)), float(any(one.found.get("running_known") for one in norms))]
    for kind, names in (("stem", _STEM), ("head", _HEAD)):
        chosen = [one for one in matrices if one.layer.kind == kind]
        values += [float(bool(chosen)), *(_average(chosen, name) for name in names)]
    return values


def _thirds(layers: Sequence[LayerStatistics]) -> list[Sequence[LayerStatistics]]:
    """Three runs of layers in order, each with at least one where there is any."""
    count = len(layers)
    return [layers[count * i // 3 : max(math.ceil(count * (i + 1) / 3), count * i // 3 + 1)] for i in range(3)]


def _average(layers: Sequence[LayerStatistics], name: str) -> float:
    """Mean over those layers that have it, outliers cut; 0 if none has."""
    values = [one.found[name] for one in layers if name in one.found]
    return float(np.clip(values, -4, 4).mean()) if values else 0.0
