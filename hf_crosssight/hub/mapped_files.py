"""Bytes of local weight files, memory-mapped, safe against files that change or shrink while they are read."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hf_crosssight.errors import UserError

_RELEASE_AFTER = 16 << 20
"""Bytes; mapped pages count as this process's memory until they are given back."""


class Span(NamedTuple):
    """Bytes `[start, stop)` of a file."""

    file: str
    start: int
    stop: int


@dataclass(frozen=True)
class LocalFile:
    """A file on the disk as it was when its header was read."""

    path: Path
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> LocalFile:
        """The file at `path` as it is now."""
        stat = path.stat()
        return cls(path, stat.st_size, stat.st_mtime_ns)


class MappedFile:
    """One mapped file.

    Args:
        file (`LocalFile`): what it must still be.

    Raises:
        UserError: it is gone or another one.
    """

    def __init__(self, file: LocalFile) -> None:
        self._file = file
        self._touched = 0
        try:
            with file.path.open("rb") as opened:
                self._descriptor = os.dup(opened.fileno())
        except OSError as error:
            raise UserError(f"{file.path.name} cannot be read: {error.strerror}.", f"Check {file.path}.") from error
        self._check()
        self._map = mmap.mmap(self._descriptor, file.size, access=mmap.ACCESS_READ)

    def read(self, start: int, stop: int) -> bytes:
        """Bytes `[start, stop)`, copied: to touch a mapped page behind the end of a file that shrank would kill us."""
        self._check()
        data = self._map[start:stop]
        self._touched += stop - start
        if self._touched >= _RELEASE_AFTER and hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
        return data

    def close(self) -> None:
        """Give the map and the descriptor back."""
        if hasattr(self, "_map"):
            self._map.close()
        os.close(self._descriptor)

    def _check(self) -> None:
        stat = os.fstat(self._descriptor)
        if (stat.st_size, stat.st_mtime_ns) != (self._file.size, self._file.changed):
            raise UserError(f"{self._file.path.name} changed while it was read.", "Try again once it is complete.")


def read_mapped(spans: Iterable[Span], local: Callable[[str], LocalFile]) -> Iterator[bytes]:
    """The bytes of each span, in order; files stay open until the last one.

    Args:
        local (`Callable`): a span's file on the disk.
    """
    with ExitStack() as opened:
        maps: dict[str, MappedFile] = {}
        for file, start, stop in spans:
            if file not in maps:
                maps[file] = MappedFile(local(file))
                opened.callback(maps[file].close)
            yield maps[file].read(start, stop)
