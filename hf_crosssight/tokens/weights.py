"""The weights view of a model: what its weights look like, from a sample of their bytes, without running it.

Row 0 sums up the network: the early, middle and late layers, what reads the image, what tells the classes. Rows 1 to
64 are an unordered set of layers, with neighbours of one kind averaged where a network has more. Column 0 says whether
a row is there. All statistics are of the order of one and comparable across families (see `tensor_statistics`); what
a network does not have is 0 with a 0 in its known-flag.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from hf_crosssight.hub.weight_files import TensorSlice, WeightFiles

from .byte_budget import DEFAULT_BUDGET, BytePlan, plan_blocks
from .network_summary import SUMMARY, summary
from .tensor_kinds import KINDS
from .tensor_statistics import BIAS, KERNEL, MATRIX, NORM, bias_statistics, matrix_statistics, norm_statistics
from .weight_modules import Layer, TensorRead, join_slices, layers_of, matrix_shape, row_sample, vector_sample

WEIGHTS_SPEC = "weights/1"
WEIGHTS_SHAPE = (65, 128)

_FACTS = ("rows", "inputs", "kernel", "numel", "depth", "merged", "integer", "not_finite")
_FLAGS = ("matrix_known", "kernel_known", "bias_known", "norm_known", "running_known")
COLUMNS = ("valid", *(f"kind_{kind}" for kind in KINDS), *_FACTS, *_FLAGS, *MATRIX, *KERNEL, *BIAS, *NORM)
"""What the columns of rows 1.. mean; those of row 0 are `network_summary.SUMMARY`, behind the same `valid`."""

_LIMIT = 8.0
_COLUMN = {name: i for i, name in enumerate(COLUMNS)}

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class WeightsReading:
    """A weights view and what it cost.

    Attributes:
        view (`np.ndarray`): float32 `WEIGHTS_SHAPE`.
        bytes_read (`int`): bytes of weights, headers apart.
        skipped (`tuple[tuple[str, str], ...]`): (tensor, reason) of tensors that were not read, and of those that
            hold values that are no numbers.
    """

    view: np.ndarray
    bytes_read: int
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LayerStatistics:
    """A layer of the network and its statistics by name."""

    layer: Layer
    found: dict[str, float]

    def __getitem__(self, name: str) -> float | None:
        return self.found.get(name)


def weights_view(
    files: WeightFiles,
    *,
    budget: int = DEFAULT_BUDGET,
    part: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> WeightsReading:
    """The weights view of one model.

    Args:
        files: its weights, local or of the Hub.
        budget (`int`, defaults to 8 MiB): bytes to read.
        part (`tuple[int, int]`, defaults to `(0, 1)`): the i-th of k samples that share no byte.
        progress: called `(step, done, total)` with bytes.

    Raises:
        ValueError: the model has no weights whose numbers mean anything.
    """
    plan = plan_blocks(files.numeric, key=files.revision, budget=budget, part=part)
    reading = _Reading(plan)
    done = 0
    for piece in files.read(plan.blocks):
        reading.take(piece)
        done += len(piece.data)
        if progress is not None:
            progress("weights", done, plan.bytes)
    statistics = reading.statistics()
    if not any(one.found for one in statistics):
        raise ValueError("no tensor holds weights that mean anything")
    if 2 * reading.bad > reading.size:
        raise ValueError(f"{reading.bad} of {reading.size} weights that were read are not finite")
    view = np.zeros(WEIGHTS_SHAPE, np.float32)
    view[0, : 1 + len(SUMMARY)] = 1.0, *summary(statistics)
    rows = _merge(statistics)
    view[1 : 1 + len(rows), : len(COLUMNS)] = rows
    return WeightsReading(np.clip(view, -_LIMIT, _LIMIT), done, (*files.skipped, *plan.skipped, *reading.not_finite))


class _Reading:
    """Collects the slices of each layer's tensors; a layer is summed up, and its bytes let go, once it is complete."""

    def __init__(self, plan: BytePlan) -> None:
        self._left: Counter[str] = Counter()
        for block in plan.blocks:
            self._left[block.tensor.name] += block.stop - block.start
        self._layers = layers_of({block.tensor.name: block.tensor for block in plan.blocks}.values())
        self._users: dict[str, list[int]] = defaultdict(list)
        for i, layer in enumerate(self._layers):
            for share in layer.parts.values():
                self._users[share.tensor.name].append(i)
        self._slices: dict[str, list[TensorSlice]] = defaultdict(list)
        self._found: dict[int, dict[str, float]] = {}
        self.not_finite: list[tuple[str, str]] = []
        self.bad = self.size = 0

    def take(self, piece: TensorSlice) -> None:
        name = piece.block.tensor.name
        if name not in self._users:
            return
        self._slices[name].append(TensorSlice(piece.block, bytes(piece.data)))  # lets the larger buffer go
        self._left[name] -= piece.block.stop - piece.block.start
        if not self._left[name]:
            for i in self._users[name]:
                self._finish(i)

    def _finish(self, index: int) -> None:
        """Sums a layer up if all of it is there; a tensor is kept while another layer waits for it."""
        layer = self._layers[index]
        names = [share.tensor.name for share in layer.parts.values()]
        if any(self._left[name] for name in names):
            return
        reads = {s.tensor.name: join_slices(s.tensor, self._slices[s.tensor.name]) for s in layer.parts.values()}
        self._found[index] = layer_statistics(layer, reads)
        for name, read in reads.items():
            if all(user in self._found for user in self._users[name]):
                self._slices.pop(name, None)
                self.bad, self.size = self.bad + read.not_finite, self.size + read.size
                if read.not_finite:
                    self.not_finite.append((name, f"{read.not_finite} of {read.size} values are not finite"))

    def statistics(self) -> list[LayerStatistics]:
        return [LayerStatistics(layer, self._found.get(i, {})) for i, layer in enumerate(self._layers)]


def layer_statistics(layer: Layer, reads: dict[str, TensorRead]) -> dict[str, float]:
    """All statistics of one layer, its facts and flags among them; empty if nothing of it was read."""
    found: dict[str, float] = {}
    shares = {role: share for role, share in layer.parts.items() if share.tensor.name in reads}
    norms, index = None, None
    if "matrix" in shares:
        share = shares["matrix"]
        sample = row_sample(share, reads[share.tensor.name])
        if sample is not None:
            rows, index = sample
            statistics = matrix_statistics(rows, integer=share.place.integer)
            found |= statistics | {"matrix_known": float(bool(statistics))}
            found["kernel_known"] = float("dc" in statistics)
            norms = np.sqrt(np.einsum("ij,ij->i", rows.values, rows.values, dtype=np.float64))
    vectors = {r: vector_sample(s, reads[s.tensor.name]) for r, s in shares.items() if r != "matrix"}
    if "bias" in vectors:
        bias, places = vectors.pop("bias")
        statistics = bias_statistics(bias, norms, same_rows=index is not None and np.array_equal(index, places))
        found |= statistics | {"bias_known": float(bool(statistics))}
    if vectors:
        statistics = norm_statistics(_same_places(vectors))
        found |= statistics | {"norm_known": float("gain_mean" in statistics)}
        found["running_known"] = float("running_var" in statistics)
    return found | _facts(layer, reads) if found else {}


def _same_places(vectors: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Vectors of (values, places) cut to the places that all of them have."""
    common = reduce(np.intersect1d, (places for _, places in vectors.values()))
    return {role: values[np.isin(places, common)] for role, (values, places) in vectors.items()}


def _facts(layer: Layer, reads: dict[str, TensorRead]) -> dict[str, float]:
    share = layer.parts.get("matrix") or next(iter(layer.parts.values()))
    shape = matrix_shape(share.place)
    read = [reads[one.tensor.name] for one in layer.parts.values() if one.tensor.name in reads]
    bad, size = sum(one.not_finite for one in read), sum(one.size for one in read)
    return {
        "rows": math.log2(max(shape[0], 1)) / 12 if shape else 0.0,
        "inputs": math.log2(max(shape[1], 1)) / 12 if len(shape) > 1 else 0.0,
        "kernel": math.log2(max(math.prod(shape[2:]), 1)) / 6,
        "numel": math.log2(max(math.prod(shape), 1)) / 24,
        "depth": layer.depth,
        "integer": float(share.place.integer),
        "not_finite": bad / max(size, 1),
    }


def _merge(statistics: Sequence[LayerStatistics]) -> list[np.ndarray]:
    """At most 64 rows in network order: layers, or averages over neighbours of one kind."""
    kinds: dict[str, list[np.ndarray]] = defaultdict(list)
    for one in statistics:
        if one.found:
            kinds[one.layer.kind].append(_row(one))
    most = WEIGHTS_SHAPE[0] - 1
    counts = _rows_a_kind({kind: len(rows) for kind, rows in kinds.items()}, most)
    merged = []
    for kind, rows in kinds.items():
        for run in np.array_split(np.stack(rows), counts[kind]):
            row = run.mean(axis=0)
            row[_COLUMN["merged"]] = math.log2(len(run)) / 6
            merged.append(row)
    return sorted(merged, key=lambda row: float(row[_COLUMN["depth"]]))


def _rows_a_kind(layers: dict[str, int], most: int) -> dict[str, int]:
    """Rows of each kind: one each, the rest one at a time to the kind with the longest runs."""
    if sum(layers.values()) <= most:
        return layers
    rows = dict.fromkeys(layers, 1)
    while sum(rows.values()) < most:
        longest = max(sorted(layers), key=lambda kind: layers[kind] / rows[kind])
        rows[longest] += 1
    return rows


def _row(one: LayerStatistics) -> np.ndarray:
    row = np.zeros(len(COLUMNS), np.float32)
    row[0] = row[_COLUMN[f"kind_{one.layer.kind}"]] = 1.0
    for name, value in one.found.items():
        row[_COLUMN[name]] = np.clip(value, -_LIMIT, _LIMIT)
    return row
