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
_KNOWN, _LAYERS = 0, 1  # columns of the summary: whether the tensors are known, log2 of the weight layers / 8
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
        live_bytes (`np.ndarray`, *optional*): float64 `[M]`, the most bytes that tensors made in a pass of one image
            hold at one time, where it was counted.
    """

    params: np.ndarray
    gmacs: np.ndarray
    macts: np.ndarray
    input_size: np.ndarray
    summary: np.ndarray
    live_bytes: np.ndarray | None = None

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
        live = None if self.live_bytes is None else self.live_bytes[rows]
        costs = (self.params[rows], self.gmacs[rows], self.macts[rows], self.input_size[rows])
        return ModelShapes(*costs, self.summary[rows], live)

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
    """The shapes of a zoo's models, in order."""
    columns = {}
    for name in ("params", "gmacs", "macts", "input_size"):
        column = zoo.table.column(name)
        columns[name] = column.to_numpy().astype(np.float64) if not column.null_count else _with_nan(column)
    if "structure" in zoo.views:
        summary = np.ascontiguousarray(zoo.views["structure"][:, 0, SET_SUMMARY]).astype(np.float32)
        summary[~zoo.view_mask["structure"]] = 0.0
    else:
        summary = np.zeros((len(zoo), SUMMARY_DIM), np.float32)
    return ModelShapes(summary=summary, **columns)


def model_shapes(
    tensors: Sequence[Tensor] | None, *, params: int, gmacs: float, macts: float, input_size: int
) -> ModelShapes:
    """The shapes of one model whose costs were counted, `M = 1`."""
    view = structure_view(tensors, params=params, gmacs=gmacs, macts=macts, input_size=input_size)
    costs = [np.array([float(value)]) for value in (params, gmacs, macts, input_size)]
    return ModelShapes(
        costs[0], costs[1], costs[2], costs[3], view[:1, SET_SUMMARY].astype(np.float16).astype(np.float32)
    )


def _with_nan(column: object) -> np.ndarray:
    import pyarrow as pa

    values: np.ndarray = column.cast(pa.float64()).to_numpy()  # type: ignore[attr-defined]
    return np.where(np.isnan(values), np.nan, values)
