"""`ModelShapes`: what a latency can be read from, for M models at once: costs of a pass and the structure's summary.

Everything comes from columns of a zoo index, so that a hundred thousand models take milliseconds; weights are never
looked at. What the index does not know is NaN, and a model whose multiply-accumulates are unknown has no prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.tokens.structure import SET_SUMMARY, structure_view
from hf_crosssight.tokens.tensor_kinds import Tensor

if TYPE_CHECKING:
    from hf_crosssight.zoo.index import ZooIndex

SUMMARY_DIM = SET_SUMMARY.stop - SET_SUMMARY.start
FEATURE_DIM = 7 + SUMMARY_DIM
COSTS = ("params", "gmacs", "macts", "input_size")
_KNOWN, _LAYERS = 0, 1  # columns of the summary: whether the tensors are known, log2 of the weight layers / 8
_BLOCK = 4096  # models compared at a time: what they take fits the processor's caches
_NEARLY_ALL = 0.9
_USUAL_LAYERS = 60.0  # where the tensors are not known: the median of the networks that timm measured


@dataclass(frozen=True)
class ModelShapes:
    """Costs of one forward pass of M models, and how their structure is made up.

    Attributes:
        params (`np.ndarray`): float64 `[M]`, number of parameters.
        gmacs, macts (`np.ndarray`): float64 `[M]`, 1e9 multiply-accumulates, 1e6 activations of one image.
        input_size (`np.ndarray`): float64 `[M]`, pixels a side.
        summary (`np.ndarray`): float32 `[M, SUMMARY_DIM]`, row 0 of the structure view from `SET_SUMMARY` on; zeros
            where the tensors are not known.
        transformers (`np.ndarray`, *optional*): bool `[M]`, whether the network is one of `transformers`, whose
            modules keep more tensors at one time than timm's.
        live_bytes (`np.ndarray`, *optional*): float64 `[M]`, the most bytes that tensors made in a pass of one image
            hold at one time, where it was counted.
    """

    params: np.ndarray
    gmacs: np.ndarray
    macts: np.ndarray
    input_size: np.ndarray
    summary: np.ndarray
    live_bytes: np.ndarray | None = None
    transformers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.params)

    @cached_property
    def known(self) -> np.ndarray:
        """bool `[M]`: whether a model's costs are known, so that it can be predicted."""
        costs = np.stack([self.params, self.gmacs, self.macts, self.input_size])
        with np.errstate(invalid="ignore"):
            return (np.isfinite(costs) & (costs > 0)).all(axis=0)

    @cached_property
    def layers(self) -> np.ndarray:
        """float64 `[M]`: number of weight layers."""
        return np.where(self.summary[:, _KNOWN] > 0, np.exp2(8.0 * self.summary[:, _LAYERS]), _USUAL_LAYERS)

    def take(self, rows: np.ndarray | slice) -> ModelShapes:
        """The models at these rows."""
        extra = (None if column is None else column[rows] for column in (self.live_bytes, self.transformers))
        costs = (self.params[rows], self.gmacs[rows], self.macts[rows], self.input_size[rows])
        return ModelShapes(*costs, self.summary[rows], *extra)

    def features(self) -> np.ndarray:
        """float32 `[M, FEATURE_DIM]`: logarithms of the costs and of their ratios, and the summary."""
        logs = np.log(np.stack([self.params / 1e6, self.gmacs, self.macts, self.input_size]).astype(np.float32))
        params, gmacs, macts, _ = logs
        known = self.summary[:, _KNOWN] > 0
        columns = np.empty((len(self), FEATURE_DIM), np.float32)
        columns[:, :4] = logs.T
        columns[:, 4], columns[:, 5], columns[:, 6] = gmacs - params, macts - gmacs, known
        columns[:, 7:] = self.summary
        return columns


def zoo_shapes(zoo: ZooIndex) -> ModelShapes:
    """The shapes of a zoo's M models, in order."""
    return _shapes_at(zoo, np.arange(len(zoo)), zoo_costs(zoo), _of_transformers(zoo))


def zoo_costs(zoo: ZooIndex) -> dict[str, np.ndarray]:
    """`params`, `gmacs`, `macts` and `input_size` of a zoo's models, float64 `[M]` each; NaN where not known."""
    found = {}
    for name in COSTS:
        column = zoo.column(name)
        found[name] = column.to_numpy().astype(np.float64) if not column.null_count else _with_nan(column)
    return found


def shared_shapes(zoo: ZooIndex) -> tuple[ModelShapes, np.ndarray]:
    """The U different shapes of a zoo's M models, and which of them each has, int64 `[M]`.

    A Hub holds thousands of fine-tuned copies of a few architectures, so that most of what follows from the structure
    is to be computed once for many models.
    """
    costs, own = zoo_costs(zoo), _of_transformers(zoo)
    some = costs["params"][:: max(1, len(zoo) // _BLOCK)]
    if len(np.unique(some)) >= _NEARLY_ALL * len(some):  # nothing to be saved, and to look for it costs time
        return _shapes_at(zoo, np.arange(len(zoo)), costs, own), np.arange(len(zoo))
    code, first = _codes([*costs.values(), own.astype(np.float64)])
    other = np.flatnonzero(~_same_structure(zoo, code, first))
    if len(other):  # alike in all costs and made up otherwise: rare, so each on its own
        code[other] = len(first) + np.arange(len(other))
        first = np.concatenate([first, other])
    return _shapes_at(zoo, first, {name: values[first] for name, values in costs.items()}, own[first]), code


def _of_transformers(zoo: ZooIndex) -> np.ndarray:
    """Whether each model is a network of `transformers`, bool `[M]`."""
    import pyarrow.compute as pc

    found: np.ndarray = pc.equal(zoo.column("library"), "transformers").fill_null(False).to_numpy()
    return found


def _codes(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A number of each model that is the same for equal columns, int64 `[M]`, and the first model of each number."""
    import pyarrow as pa

    count = len(columns[0])
    code = np.zeros(count, np.int64)
    for values in columns:
        column = pa.array(values).dictionary_encode()
        code = code * len(column.dictionary) + column.indices.to_numpy()
        code = pa.array(code).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.empty(int(code.max(initial=-1)) + 1, np.int64)
    first[code[::-1]] = np.arange(count)[::-1]
    return code, first


def _same_structure(zoo: ZooIndex, code: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Whether the summary of each model's structure is that of the first of its number, bool `[M]`."""
    if "structure" not in zoo.views:
        return np.ones(len(code), bool)
    known = zoo.view_mask["structure"]
    same: np.ndarray = known == known[first][code]
    bits = _summaries(zoo).view(np.uint16)
    differs = np.zeros(len(code), bool)
    for start in range(0, len(code), _BLOCK):
        rows = slice(start, start + _BLOCK)
        differs[rows] = (bits[rows] != bits[first[code[rows]]]).any(axis=1)
    return same & ~(differs & known)


def _summaries(zoo: ZooIndex) -> np.ndarray:
    """float16 `[M, SUMMARY_DIM]`."""
    return np.asarray(zoo.views["structure"])[:, 0, SET_SUMMARY]


def _shapes_at(zoo: ZooIndex, rows: np.ndarray, costs: dict[str, np.ndarray], transformers: np.ndarray) -> ModelShapes:
    """The shapes of some models, whose costs are given."""
    if "structure" in zoo.views:
        summary = _summaries(zoo)[rows].astype(np.float32)
        summary[~zoo.view_mask["structure"][rows]] = 0.0
    else:
        summary = np.zeros((len(rows), SUMMARY_DIM), np.float32)
    return ModelShapes(summary=summary, transformers=transformers, **costs)


def model_shapes(
    tensors: Sequence[Tensor] | None,
    *,
    params: int,
    gmacs: float,
    macts: float,
    input_size: int,
    transformers: bool = False,
) -> ModelShapes:
    """The shapes of one model whose costs were counted, `M = 1`."""
    view = structure_view(tensors, params=params, gmacs=gmacs, macts=macts, input_size=input_size)
    costs = [np.array([float(value)]) for value in (params, gmacs, macts, input_size)]
    return ModelShapes(
        costs[0], costs[1], costs[2], costs[3], view[:1, SET_SUMMARY].astype(np.float16).astype(np.float32),
        transformers=np.array([transformers]),
    )  # fmt: skip


def _with_nan(column: object) -> np.ndarray:
    import pyarrow as pa

    values: np.ndarray = column.cast(pa.float64()).to_numpy()  # type: ignore[attr-defined]
    return np.where(np.isnan(values), np.nan, values)
