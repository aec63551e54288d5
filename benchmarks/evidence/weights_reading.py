"""What a weights view tells in few numbers: its summary row, and how far training moved the offsets.

Offsets of normalisations and biases begin at zero in every family, so their size is the distance that training took
them: an update energy that needs no initial weights. A view tells it relative to gains and rows; here it is put
together again. On one table this ranks unseen models much better, on a second one it does not (RESULTS.md, "What was
tried for the weights view"), so no ranker reads views so.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.tokens.network_summary import SUMMARY
from hf_crosssight.tokens.weights import COLUMNS

MOVEMENT = ("offsets", "early_offsets", "middle_offsets", "late_offsets")
_COLUMN = {name: i for i, name in enumerate(COLUMNS)}
_USED = ("gain_mean", "offset_mean", "offset_spread", "bias_scale", "log_gain", "norm_known", "bias_known")
_FLOOR = 1e-3


def weights_reading(view: np.ndarray, known: np.ndarray | None = None) -> tuple[ViewFeatures, ViewFeatures]:
    """The summary `[M, len(SUMMARY)]` and `MOVEMENT` `[M, 4]` of weights views `[M, n, Dv]`, as two blocks.

    Args:
        view: weights views; padding rows have 0 in column 0.
        known (*optional*): bool `[M]`, which models have one; by default those whose row 0 is valid.
    """
    values = np.asarray(view, np.float64)
    have = values[:, 0, 0] > 0 if known is None else known
    summary, movement = values[:, 0, 1 : 1 + len(SUMMARY)], np.array([offset_movement(own[1:]) for own in values])
    summary, movement = (np.where(have[:, None], block, 0.0) for block in (summary, movement))
    return ViewFeatures(summary, have), ViewFeatures(movement, have)


def offset_movement(layers: np.ndarray) -> np.ndarray:
    """`MOVEMENT` of the layers `[n, Dv]` of a view: log mean size of their offsets, in all and by thirds of the depth.

    Layers without an offset count nowhere; a network without any has the floor, log 0.001.
    """
    rows = layers[layers[:, 0] > 0]
    rows = rows[np.argsort(rows[:, _COLUMN["depth"]], kind="stable")]
    offsets = _offset_sizes(rows)
    count = len(offsets)
    thirds = [offsets[count * i // 3 : max(-(-count * (i + 1) // 3), count * i // 3 + 1)] for i in range(3)]
    return np.array([np.log((part.mean() if len(part) else 0.0) + _FLOOR) for part in (offsets, *thirds)])


def _offset_sizes(rows: np.ndarray) -> np.ndarray:
    """Root mean square of the offset or bias of each layer that has one, in the order of `rows`."""
    column = {name: rows[:, _COLUMN[name]] for name in _USED}
    of_norm = np.exp(column["gain_mean"]) * np.hypot(column["offset_mean"], column["offset_spread"])
    of_bias = np.exp(column["bias_scale"] + column["log_gain"])  # bias over row norm, times row norm
    has_offset = (column["norm_known"] > 0) & (of_norm > 0)
    has_bias = (column["bias_known"] > 0) & (column["bias_scale"] != 0)
    return np.where(has_offset, of_norm, of_bias)[has_offset | has_bias]
