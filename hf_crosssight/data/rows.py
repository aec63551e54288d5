"""What a dataset looks like to the sampler: `Origin` says where it comes from, `Rows` gives its rows by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .labels import Labels


@dataclass(frozen=True)
class Origin:
    """Where a split comes from: see the attributes of the same names of `DatasetSample`."""

    id: str
    split: str
    revision: str | None = None
    description: str = ""


@dataclass(frozen=True)
class Rows:
    """A split whose rows can be fetched in any order.

    Attributes:
        num_rows: rows that can be fetched, N.
        labels: their classes; None if the split is unlabelled.
        read: fetches the rows of these numbers (sorted): yields (row, what `images.decode` takes) in any order.
        name: how to call a row when its image is broken.
        groups: int64 `[N]`, the group each row is fetched with; None if rows are fetched one by one.
        costs: bytes of each group, `[G]`.
        total_rows: rows of the whole split, if known.
        warnings: what the user should know of how the rows were found.
    """

    num_rows: int
    labels: Labels | None
    read: Callable[[np.ndarray], Iterator[tuple[int, Any]]]
    name: Callable[[int], str]
    groups: np.ndarray | None = None
    costs: np.ndarray | None = None
    total_rows: int | None = None
    warnings: tuple[str, ...] = ()
