"""Rows of an Arrow table of which a column is copied when it is first asked for.

A limit that turns away a few of a hundred thousand models leaves all others to be copied, tags and measurements among
them, and a ranking then looks at their ids and at the facts of ten.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa


class LazyTable:
    """Some rows of a table, K of them.

    Args:
        table (`pyarrow.Table`): the whole.
        rows (int64 `[K]`, *optional*): which of its rows; all by default.
    """

    def __init__(self, table: pa.Table, rows: np.ndarray | None = None) -> None:
        self._table, self._rows = table, rows
        self._columns: dict[str, pa.ChunkedArray] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows) if self._rows is None else len(self._rows)

    @cached_property
    def whole(self) -> pa.Table:
        """All columns of the rows."""
        return self._table if self._rows is None else self._table.take(pa.array(self._rows))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the rows."""
        if self._rows is None or "whole" in self.__dict__:
            return self.whole.column(name)
        if name not in self._columns:
            self._columns[name] = self._table.column(name).take(pa.array(self._rows))
        return self._columns[name]

    def row(self, index: int) -> dict[str, Any]:
        """One row as Python values, by column."""
        at = index if self._rows is None else int(self._rows[index])
        found: dict[str, Any] = self._table.slice(at, 1).to_pylist()[0]
        return found

    def take(self, rows: np.ndarray) -> LazyTable:
        """The rows at these places of these rows."""
        return LazyTable(self._table, rows if self._rows is None else self._rows[rows])
