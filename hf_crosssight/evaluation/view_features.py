"""Views of models as plain feature vectors, for learners that read no sets: what a view says, without an encoder.

A view is `[M, n, Dv]`: row 0 a summary, the others an unordered set, column 0 tells which rows are there. Its features
are the summary and the mean and spread of the set, so they do not depend on the order of its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..errors import UserError

IDS = "ids"


@dataclass(frozen=True)
class ViewFeatures:
    """One view of M models as vectors.

    Attributes:
        values (`np.ndarray`): float64 `[M, F]`, zero where the model has no such view.
        known (`np.ndarray`): bool `[M]`.
    """

    values: np.ndarray
    known: np.ndarray

    def take(self, index: np.ndarray) -> ViewFeatures:
        """Some of the models, in the order asked for."""
        return ViewFeatures(self.values[index], self.known[index])


def pooled_view(view: np.ndarray, known: np.ndarray | None = None) -> ViewFeatures:
    """Features of a view `[M, n, Dv]`, or of vectors `[M, D]`, which are taken as they are.

    Args:
        view: a view with its validity in column 0, or plain vectors.
        known (*optional*): bool `[M]`, which models have it; by default those whose row 0 is valid.

    Raises:
        ValueError: the array has another number of axes, or holds a value that is not finite.
    """
    values = np.asarray(view, np.float64)
    if values.ndim not in (2, 3) or not np.isfinite(values).all():
        raise ValueError(f"a view is a finite array [M, n, Dv] or [M, D], not one of shape {values.shape}")
    if values.ndim == 2:
        have = np.ones(len(values), bool) if known is None else known
        return ViewFeatures(np.where(have[:, None], values, 0.0), have)
    have = values[:, 0, 0] > 0 if known is None else known
    parts = [values[:, 0, 1:]]
    if values.shape[1] > 1:
        there = (values[:, 1:, :1] > 0).astype(np.float64)
        count = np.maximum(there.sum(1), 1.0)
        mean = (values[:, 1:, 1:] * there).sum(1) / count
        spread = np.sqrt((((values[:, 1:, 1:] - mean[:, None]) * there) ** 2).sum(1) / count)
        parts += [mean, spread]
    return ViewFeatures(np.where(have[:, None], np.hstack(parts), 0.0), have)


def views_of_file(path: Path | str, model_ids: Sequence[str]) -> dict[str, ViewFeatures]:
    """The views of an `.npz` file (`ids` `[M]` and one array a view), in the order of `model_ids`.

    Raises:
        UserError: the file cannot be read, has no `ids`, or an array does not fit them.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, BadZipFile) as error:  # an .npy file is no context
        raise UserError(f"{path} cannot be read as an .npz file: {error}", "Write one with numpy.savez.") from error
    if IDS not in arrays:
        raise UserError(f"{path} has no array `ids`", "Name the models of its rows in an array of strings `ids`.")
    row_of = {str(name): row for row, name in enumerate(arrays.pop(IDS))}
    found = {}
    for name, values in arrays.items():
        if len(values) != len(row_of):
            raise UserError(f"{path}: {name} has {len(values)} rows for {len(row_of)} ids", "Write one row an id.")
        found[name] = _aligned(values, row_of, model_ids)
    return found


def _aligned(values: np.ndarray, row_of: Mapping[str, int], model_ids: Sequence[str]) -> ViewFeatures:
    at = np.array([row_of.get(model, -1) for model in model_ids])
    chosen = np.where((at >= 0).reshape(-1, *([1] * (values.ndim - 1))), values[np.maximum(at, 0)], 0.0)
    known = at >= 0
    if values.ndim == 3:
        known = known & (chosen[:, 0, 0] > 0)
    return pooled_view(chosen, known)
