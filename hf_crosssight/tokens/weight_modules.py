"""Which tensors belong to one layer, and what a layer's sampled bytes are as rows and vectors.

A token of the weights view is a layer: a matrix or kernel with its bias, or a normalisation with its gain, offset and
running statistics. The layer's parts are found by their common prefix; a fused query-key-value matrix is three layers,
so that a network gives the same layers however its export writes it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hf_crosssight.hub.tensor_blocks import TensorSlice
from hf_crosssight.hub.tensor_info import TensorInfo

from .tensor_kinds import PlacedTensor, place_tensors
from .tensor_statistics import RowSample

_LEAF = re.compile(
    r"(?:[._/]|^)(weight|kernel|bias|gamma|beta|running_mean|running_var|moving_mean|moving_variance|mean|var|variance"
    r"|scale|offset|g|b)$",
    re.I,
)
_VARIANCE = re.compile(r"var(iance)?$", re.I)
_OFFSET = re.compile(r"(bias|beta|offset|[._/]b)$", re.I)


@dataclass(frozen=True)
class Share:
    """A tensor's role in a layer: the `index`-th of `count` equal parts along its rows."""

    tensor: TensorInfo
    place: PlacedTensor
    index: int = 0
    count: int = 1


@dataclass
class Layer:
    """A layer: its matrix or its vectors by role (`matrix`, `bias`, `gain`, `offset`, `mean`, `variance`)."""

    kind: str
    depth: float
    parts: dict[str, Share] = field(default_factory=dict)


@dataclass(frozen=True)
class TensorRead:
    """What has been read of one tensor: runs of values (float32, finite) with the element that each starts at."""

    tensor: TensorInfo
    starts: tuple[int, ...]
    runs: tuple[np.ndarray, ...]
    not_finite: int

    @property
    def size(self) -> int:
        """Values read."""
        return sum(map(len, self.runs))


def join_slices(tensor: TensorInfo, slices: Iterable[TensorSlice]) -> TensorRead:
    """The slices of one tensor, neighbours as one run; values that are no numbers become zeros and are counted."""
    ordered = sorted(slices, key=lambda one: one.block.start)
    starts: list[int] = []
    runs: list[list[np.ndarray]] = []
    stop, bad = -1, 0
    for one in ordered:
        values = one.values()
        finite = np.isfinite(values)
        if not finite.all():
            bad += int(len(values) - finite.sum())
            values = np.where(finite, values, np.float32(0))
        if one.block.start == stop:
            runs[-1].append(values)
        else:
            starts.append(one.block.start)
            runs.append([values])
        stop = one.block.stop
    return TensorRead(tensor, tuple(starts), tuple(np.concatenate(run) for run in runs), bad)


def layers_of(tensors: Iterable[TensorInfo]) -> list[Layer]:
    """The layers of a network in its order; counters and index tables are in none."""
    known = {tensor.name: tensor for tensor in tensors}
    placed = place_tensors(known[name] for name in sorted(known))
    counts = Counter(place.name for place in placed)
    seen: Counter[str] = Counter()
    layers: list[Layer] = []
    homes: dict[tuple[str, int], list[Layer]] = defaultdict(list)
    for place in sorted(placed, key=lambda one: not _is_matrix(one)):  # matrices found their layers, vectors join
        share = Share(known[place.name], place, seen[place.name], counts[place.name])
        seen[place.name] += 1
        role = _role(place)
        home = (_LEAF.sub("", place.name), share.index)
        layer = next((one for one in homes[home] if _takes(one, role)), None) if home[0] else None
        if layer is None:
            layer = Layer(place.kind, place.depth)
            layers.append(layer)
            homes[home].append(layer)
        layer.parts[role] = share
        if role == "gain":
            layer.kind = place.kind
    return sorted(layers, key=lambda layer: layer.depth)


def _is_matrix(place: PlacedTensor) -> bool:
    return len(matrix_shape(place)) > 1


def _role(place: PlacedTensor) -> str:
    if _is_matrix(place):
        return "matrix"
    if place.kind == "norm_statistic":
        return "variance" if _VARIANCE.search(place.name) else "mean"
    if place.kind in ("bias", "position", "other", "embedding"):
        return "bias"
    return "offset" if _OFFSET.search(place.name) else "gain"


def _takes(layer: Layer, role: str) -> bool:
    """Whether a layer may have this part: a matrix goes with a bias, a gain with the rest of its normalisation."""
    if role in layer.parts or role == "matrix":
        return False
    return role == "bias" if "matrix" in layer.parts else role != "bias" or "bias" in layer.parts


def is_turned(tensor: TensorInfo) -> bool:
    """Whether a matrix stands as Keras and Flax write it, output units last."""
    return len(tensor.shape) > 1 and re.split(r"[./]", tensor.name)[-1] == "kernel"


def matrix_shape(place: PlacedTensor) -> tuple[int, ...]:
    """`[rows, inputs, *kernel]` of a tensor in torch's layout; `[n]` of a vector. Experts' matrices are stacked."""
    sizes = list(place.shape)
    while len(sizes) > 1 and sizes[0] == 1 and (len(sizes) == 3 or place.kind == "position"):
        del sizes[0]
    if len(sizes) == 3 and "expert" in place.name.lower():
        sizes = [sizes[0] * sizes[1], sizes[2]]
    if len(sizes) > 1 and math.prod(sizes[1:]) == 1:
        sizes = sizes[:1]
    return tuple(sizes)


def row_sample(share: Share, read: TensorRead) -> tuple[RowSample, np.ndarray | None] | None:
    """The rows that were read of a matrix, and which they are (`None` if not whole rows); `None` if there are none."""
    shape = matrix_shape(share.place)
    rows, fan_in = shape[0], math.prod(shape[1:])
    kernel = (shape[2], shape[3]) if len(shape) == 4 else (1, 1)
    sample, index, aligned = _canonical(share, read, rows * share.count, fan_in)
    if index is not None and share.count > 1:
        mine = (index // rows) == share.index
        sample, index = sample[mine], index[mine] - rows * share.index
    if not sample.size:
        return None
    if sample.shape[1] != fan_in:
        kernel = (1, 1)
    return RowSample(sample, fan_in, rows, kernel, aligned), index


def _canonical(share: Share, read: TensorRead, rows: int, fan_in: int) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Values `[rows, row length]` in torch's layout, the rows' numbers if they are whole, whether columns agree."""
    runs, starts = read.runs, read.starts
    if is_turned(read.tensor):
        if read.size == rows * fan_in:
            whole = np.concatenate(runs).reshape(read.tensor.shape)
            whole = np.moveaxis(np.moveaxis(whole, -1, 0), -1, 1)
            return whole.reshape(rows, fan_in), np.arange(rows), True
        sides = [run[: len(run) // rows * rows].reshape(-1, rows) for run in runs]
        return np.concatenate(sides).T, None, True
    whole_rows = [run[: len(run) // fan_in * fan_in].reshape(-1, fan_in) for run in runs]
    if all(start % fan_in == 0 for start in starts) and any(len(run) for run in whole_rows):
        index = [np.arange(len(run)) + start // fan_in for start, run in zip(starts, whole_rows, strict=True)]
        return np.concatenate(whole_rows), np.concatenate(index), True
    return _pieces(runs), None, False


def _pieces(runs: Sequence[np.ndarray]) -> np.ndarray:
    """Runs of parts of rows as rows of one length."""
    length = min((len(run) for run in runs), default=0)
    cut = [run[: len(run) // length * length].reshape(-1, length) for run in runs if length]
    return np.concatenate(cut) if cut else np.zeros((0, 1), np.float32)


def vector_sample(share: Share, read: TensorRead) -> tuple[np.ndarray, np.ndarray]:
    """The values that were read of a vector and their places in it."""
    values = np.concatenate(read.runs) if read.runs else np.zeros(0, np.float32)
    index = [np.arange(start, start + len(run)) for start, run in zip(read.starts, read.runs, strict=True)]
    places = np.concatenate(index) if index else np.zeros(0, np.int64)
    size = math.prod(share.place.shape)
    mine = (places // size) == share.index if share.count > 1 else slice(None)
    return values[mine], places[mine] - size * share.index
