"""Views by name that are put together when they are first asked for.

A zoo may hold views that a ranker does not read, and those of a hundred thousand models are gigabytes: what nobody
asks for stays on the disk, and what is read in blocks is never copied whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Loader = Callable[[], np.ndarray]


class ViewRows:
    """Some models' rows of a view `[M, n, Dv]`, copied block by block as they are read.

    Args:
        views (`LazyViews`), name: where the view stands.
        rows: int64 `[K]`, the models.
    """

    def __init__(self, views: LazyViews, name: str, rows: np.ndarray) -> None:
        self._views, self._name, self._rows = views, name, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        """As of an array `[K, n, Dv]`; the first index is a number or a slice."""
        first, *others = key if isinstance(key, tuple) else (key,)
        return self._views[self._name][(self._rows[first], *others)]

    def __call__(self) -> np.ndarray:
        """The rows in one array, `[K, n, Dv]`."""
        return self._views[self._name][self._rows]

    def take(self, rows: np.ndarray) -> ViewRows:
        """The rows at these places of these rows."""
        return ViewRows(self._views, self._name, self._rows[rows])


class LazyViews(Mapping[str, np.ndarray]):
    """View name → float16 `[M, n, Dv]`.

    Args:
        views (mapping): arrays, or functions that give one, called once.
    """

    def __init__(self, views: Mapping[str, np.ndarray | Loader]) -> None:
        self._views = dict(views)

    def __getitem__(self, name: str) -> np.ndarray:
        found = self._views[name]
        if callable(found):
            found = self._views[name] = found()
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def only(self, names: Sequence[str]) -> LazyViews:
        """Those of these names, none of them loaded for it."""
        return LazyViews({name: self._views[name] for name in names})

    def in_blocks(self, name: str) -> np.ndarray | ViewRows:
        """A view to be sliced along its models, not copied for it."""
        found = self._views[name]
        return found if isinstance(found, ViewRows) else self[name]

    def take(self, rows: np.ndarray) -> LazyViews:
        """The models of these rows; a view is read when it is asked for."""
        found: dict[str, np.ndarray | Loader] = {}
        for name, view in self._views.items():
            found[name] = view.take(rows) if isinstance(view, ViewRows) else ViewRows(self, name, rows)
        return LazyViews(found)


def stacked(parts: Sequence[tuple[np.ndarray | None, int]], shape: tuple[int, int], kept: np.ndarray | None) -> Loader:
    """A view of several shards in one array.

    Args:
        parts: (view `[m, *shape]` or `None` where a shard lacks it, m) of each shard.
        shape: rows and columns of the view.
        kept (int `[M]`, *optional*): the rows to keep; all by default.
    """

    def load() -> np.ndarray:
        if len(parts) == 1 and kept is None and parts[0][0] is not None:
            return parts[0][0]
        whole = np.zeros((sum(count for _, count in parts), *shape), np.float16)
        start = 0
        for view, count in parts:
            if view is not None:
                whole[start : start + count] = view
            start += count
        return whole if kept is None else whole[kept]

    return load
