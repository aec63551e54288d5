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

from .tensor_statistics import KERNEL, NORM

if TYPE_CHECKING:
    from .weights import LayerStatistics

_NO_LAYERS = ("position", "embedding")
_BODY = (
    "log_gain",
    "q01",
    "q05",
    "q95",
    "q99",
    "kurtosis",
    "sparsity",
    "row_norm_cv",
    "column_norm_cv",
    "row_mean_spread",
    "row_q05",
    "row_q95",
    "row_q50_spread",
    "row_kurtosis",
    "row_kurtosis_spread",
    "row_cosine",
    "row_alignment",
    "top_direction",
    "column_alignment",
    "singular_1",
    "singular_4",
    "edge_excess",
    "rank_deficit",
    "bulk",
    "hill",
)
_STEM = (*KERNEL, "row_alignment", "row_norm_cv", "row_kurtosis", "edge_excess")
_HEAD = (
    "rows",
    "row_cosine",
    "row_alignment",
    "row_norm_cv",
    "log_gain",
    "kurtosis",
    "edge_excess",
    "top_direction",
    "bias_scale",
)
_SIZES = ("rows", "inputs")
_THIRDS = ("early", "middle", "late")

SUMMARY = (
    *(f"{third}_{name}" for third in _THIRDS for name in _BODY),
    *(f"body_{name}" for name in _SIZES),
    "kernels_known",
    *(f"kernels_{name}" for name in KERNEL),
    "norms_known",
    "running_known",
    *(f"norms_{name}" for name in NORM),
    "stem_known",
    *(f"stem_{name}" for name in _STEM),
    "head_known",
    *(f"head_{name}" for name in _HEAD),
)
"""What row 0 of a weights view holds, from column 1 on."""


def summary(statistics: Sequence[LayerStatistics]) -> list[float]:
    """The values of `SUMMARY` for a network whose layers are given in order."""
    layers = [one for one in statistics if one.found]
    matrices = [one for one in layers if one.found.get("matrix_known") and one.layer.kind not in _NO_LAYERS]
    body = [one for one in matrices if one.layer.kind not in ("stem", "head")] or matrices
    kernels = [one for one in body if one.found.get("kernel_known")]
    norms = [one for one in layers if one.found.get("norm_known") and one.layer.kind == "norm"]
    values = [_average(third, name) for third in _thirds(body) for name in _BODY]
    values += [_average(body, name) for name in _SIZES]
    values += [float(bool(kernels)), *(_average(kernels, name) for name in KERNEL)]
    values += [float(bool(norms)), float(any(one.found.get("running_known") for one in norms))]
    values += [_average(norms, name) for name in NORM]
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
