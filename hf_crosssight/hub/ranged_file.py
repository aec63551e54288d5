"""`RangedFile`: a seekable file object that fetches only what is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class RangedFile(io.RawIOBase):
    """A read-only, seekable binary file that fetches only what is read: what `pyarrow.parquet.ParquetFile` takes.

    Args:
        fetch (`Callable`): `(start, stop) -> bytes` of the half-open range.
        size (`int`): bytes of the file.
        name (`str`): for error messages.
        block_size (`int`): smallest amount fetched at once, so that many small reads cost few requests.
        keep (`int`): bytes of the blocks that are held for being read again.

    Attributes:
        size (`int`): bytes of the file.
        bytes_read (`int`): bytes fetched so far.
    """

    def __init__(
        self, fetch: Callable[[int, int], bytes], size: int, name: str, block_size: int = 1 << 13, keep: int = 1 << 22
    ) -> None:
        super().__init__()
        self._fetch = fetch
        self.size = size
        self.name = name
        self.bytes_read = 0
        self._block_size = block_size
        self._keep = keep
        self._blocks: list[tuple[int, bytes]] = []
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to byte {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes from the current position; all the rest for a negative `size`."""
        self._require_open()
        stop = self.size if size is None or size < 0 else min(self.size, self._position + size)
        if stop <= self._position:
            return b""
        data = self._span(self._position, stop)
        self._position = stop
        return data

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError(f"{self.name} is closed")

    def _span(self, start: int, stop: int) -> bytes:
        """Bytes `[start, stop)`, as far as possible from a block that is held; the latest blocks are held."""
        head = b""
        for index, (first, block) in enumerate(self._blocks):
            if first <= start < first + len(block):
                self._blocks.append(self._blocks.pop(index))
                head = block[start - first : stop - first]
                break
        if len(head) == stop - start:
            return head
        start += len(head)
        block = self._fetch(start, min(self.size, max(stop, start + self._block_size)))
        self.bytes_read += len(block)
        if len(block) <= self._keep:
            self._blocks.append((start, block))
        while sum(len(held) for _, held in self._blocks) > self._keep:
            self._blocks.pop(0)
        return head + block[: stop - start]
