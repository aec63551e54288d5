"""The structure view of a model: its shape in numbers, from config and tensor headers alone, never from its weights.

Row 0 holds the globals: facts that may be known without the tensors (parameters, multiply-accumulates, activations,
input size, each beside a flag that says whether it is known) and a summary of the tensors. Rows 1 to 24 are an
unordered set of tensor groups, the largest first. Column 0 says whether a row is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_crosssight.tokens.tensor_kinds import KINDS, WEIGHT_LAYERS, PlacedTensor, Tensor, place_tensors

STRUCTURE_SPEC = "structure/1"
STRUCTURE_ROWS = 25
STRUCTURE_DIM = 32

# Row 0. Facts stand in pairs (known flag, scaled value), then what is summed up from the tensors.
FACT_COLUMNS = {"params": 1, "gmacs": 3, "macts": 5, "input_size": 7}
SET_SUMMARY = slice(9, STRUCTURE_DIM)

_SHARE_GROUPS = (
    ("stem", "conv"),
    ("conv_pointwise",),
    ("conv_depthwise",),
    ("linear_up", "linear_down", "linear_square"),
    ("attention_qkv", "attention_out"),
    ("norm", "bias", "scale"),
    ("position", "embedding"),
    ("head",),
    ("other",),
)
_KIND_START = 1
_DIM_START = _KIND_START + len(KINDS)  # log2 out, log2 in, log2 kernel area, log2 elements
_PLACE_START = _DIM_START + 4  # integer, mean depth, first depth, last depth, log2 count, share of parameters


@dataclass(frozen=True)
class _Group:
    kind: str
    tensors: tuple[PlacedTensor, ...]

    @property
    def numel(self) -> int:
        return sum(t.numel for t in self.tensors)


def structure_view(
    tensors: Sequence[Tensor] | None,
    *,
    params: int | None = None,
    gmacs: float | None = None,
    macts: float | None = None,
    input_size: int | None = None,
    config: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """The structure view of one model.

    Args:
        tensors: names, dtypes and shapes of the weights in any order; `None` where they are not known.
        params (`int`, *optional*): number of parameters; counted from `tensors` where these are given, so that the
            same model read from facts and from files has the same view.
        gmacs (`float`, *optional*): multiply-accumulates of one forward pass, in 1e9.
        macts (`float`, *optional*): activations of one forward pass, in 1e6.
        input_size (`int`, *optional*): side of the input image in pixels.
        config (mapping, *optional*): the parsed config.json; tells the classifier's number of outputs.

    Returns:
        `np.ndarray`: float32 `[STRUCTURE_ROWS, STRUCTURE_DIM]`, values of the order of one.
    """
    view = np.zeros((STRUCTURE_ROWS, STRUCTURE_DIM), np.float32)
    placed = place_tensors(tensors, num_outputs(config)) if tensors else []
    if placed:
        params = parameter_count(placed)
        groups = _largest_groups(placed)
        view[0, SET_SUMMARY] = _summary(placed, params)
        for row, group in enumerate(groups, start=1):
            view[row] = _group_row(group, params)
    view[0, 0] = 1.0
    facts = {"params": (params, 10.0), "gmacs": (gmacs, 4.0), "macts": (macts, 4.0), "input_size": (input_size, 3.0)}
    for name, (value, scale) in facts.items():
        if value is not None and value > 0:
            column = FACT_COLUMNS[name]
            view[0, column : column + 2] = 1.0, math.log10(value) / scale
    return view


def without_tensor_set(views: np.ndarray) -> np.ndarray:
    """A copy of views `[..., STRUCTURE_ROWS, STRUCTURE_DIM]` as they would be had the tensors not been known."""
    reduced = views.copy()
    reduced[..., 1:, :] = 0
    reduced[..., 0, SET_SUMMARY] = 0
    return reduced


def num_outputs(config: Mapping[str, Any] | None) -> int | None:
    """Outputs of the classifier by config.json (timm's `num_classes`, transformers' labels), else `None`."""
    if not config:
        return None
    for value in (config.get("num_classes"), config.get("num_labels"), config.get("id2label")):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, Mapping) and value:
            return len(value)
    return None


def parameter_count(placed: Iterable[PlacedTensor]) -> int:
    """Trained values: everything but normalisation statistics."""
    return sum(t.numel for t in placed if t.kind != "norm_statistic")


def _largest_groups(placed: list[PlacedTensor]) -> list[_Group]:
    """Tensors of one kind and one shape (to the octave) together; the groups with most values first."""
    members: dict[tuple[Any, ...], list[PlacedTensor]] = {}
    for tensor in placed:
        out, inputs, area = _dims(tensor.shape)
        key = (tensor.kind, round(math.log2(out)), round(math.log2(inputs)), area, tensor.integer)
        members.setdefault(key, []).append(tensor)
    groups = {key: _Group(key[0], tuple(found)) for key, found in members.items()}
    ordered = sorted(groups, key=lambda key: (-groups[key].numel, key))
    return [groups[key] for key in ordered[: STRUCTURE_ROWS - 1]]


def _dims(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(outputs, inputs, kernel area) of a shape, each at least 1; a vector has outputs alone."""
    dims = [max(size, 1) for size in shape] + [1, 1]
    return dims[0], dims[1], math.prod(dims[2:])


def _group_row(group: _Group, params: int) -> np.ndarray:
    row = np.zeros(STRUCTURE_DIM, np.float32)
    row[0] = 1.0
    row[_KIND_START + KINDS.index(group.kind)] = 1.0
    logs = np.log2([_dims(t.shape) for t in group.tensors]).mean(axis=0)
    depths = [t.depth for t in group.tensors]
    numel = group.numel / len(group.tensors)
    row[_DIM_START:_PLACE_START] = logs[0] / 12, logs[1] / 12, logs[2] / 6, math.log2(max(numel, 1)) / 24
    row[_PLACE_START : _PLACE_START + 6] = (
        float(group.tensors[0].integer),
        sum(depths) / len(depths),
        min(depths),
        max(depths),
        math.log2(len(depths)) / 6,
        group.numel / max(params, 1),
    )
    return row


def _summary(placed: list[PlacedTensor], params: int) -> np.ndarray:
    """Known flag, depth, tensors, width quantiles, head, shares by kind, batch statistics, integers, channels."""
    layers = [t for t in placed if t.kind in WEIGHT_LAYERS]
    widths = [math.log2(max(t.shape[0], 1)) for t in layers if t.kind != "head"] or [0.0]
    heads = [t.shape[0] for t in placed if t.kind == "head"]
    stems = [t.shape[1] for t in placed if t.kind == "stem"]
    numel = dict.fromkeys(KINDS, 0)
    for tensor in placed:
        numel[tensor.kind] += tensor.numel
    values = [
        1.0,
        math.log2(max(len(layers), 1)) / 8,
        math.log2(len(placed)) / 10,
        *(np.quantile(widths, (0.1, 0.5, 0.9, 1.0)) / 12),
        float(bool(heads)),
        math.log2(max(heads[0], 1)) / 16 if heads else 0.0,
        *(sum(numel[kind] for kind in kinds) / max(params, 1) for kinds in _SHARE_GROUPS),
        float(numel["norm_statistic"] > 0),
        sum(t.numel for t in placed if t.integer) / max(params, 1),
        stems[0] / 3 if stems else 0.0,
    ]
    return np.array(values + [0.0] * (STRUCTURE_DIM - SET_SUMMARY.start - len(values)), np.float32)
