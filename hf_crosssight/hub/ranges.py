"""Bytes of a remote file by range, checked: `fetch_ranges`, and `RangedFile`, a seekable file object above it.

A server may ignore `Range` (a CDN that compresses does), cut the connection half-way or answer another range than the
one asked for. The first is read as a stream and cut, the second resumed where it stopped, the third refused.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from hf_crosssight.errors import HubError, UserError

from .failures import hub_failures

RESUMES = 4
"""How often one range is taken up again after its connection was cut."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class RangeReader:
    """Reads byte ranges of one remote file.

    Args:
        url (`str`): its resolve URL at a commit.
        headers (`dict`): headers of the request, authorization included.
        subject (`str`): how error messages call the file.
        count (`Callable`): told the number of payload bytes of every chunk that arrives.
    """

    def __init__(self, url: str, headers: dict[str, str], subject: str, count: Callable[[int], None]) -> None:
        self._url = url
        self._headers = headers
        self._subject = subject
        self._count = count

    def read(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each half-open range `[start, stop)`, in the order asked for.

        Raises:
            UserError, HubError: as `failures` tells them; a range beyond the end of the file is a `UserError`.
        """
        pieces = [bytearray() for _ in ranges]
        todo = [index for index, (start, stop) in enumerate(ranges) if stop > start >= 0]
        if len(todo) < sum(1 for start, stop in ranges if (start, stop) != (start, start)):
            raise ValueError(f"ranges must be half-open [start, stop) with 0 <= start <= stop, got {ranges!r}")
        with hub_failures(self._subject):
            for index in sorted(todo, key=lambda i: ranges[i]):
                self._fill(index, ranges, pieces)
        return [bytes(piece) for piece in pieces]

    def _fill(self, index: int, ranges: Sequence[tuple[int, int]], pieces: list[bytearray]) -> None:
        """Read what `pieces[index]` lacks; where the server sends the whole file, all the later pieces as well."""
        start, stop = ranges[index]
        failure: Exception | None = None
        for attempt in range(RESUMES + 1):
            if len(pieces[index]) == stop - start:
                return
            if attempt:
                time.sleep(0.2 * 2 ** (attempt - 1))
            failure = self._request(index, ranges, pieces)
        if len(pieces[index]) < stop - start:
            raise HubError(
                f"{self._subject}: the connection was cut {RESUMES + 1} times ({failure}).", "Try again later."
            ) from failure

    def _request(self, index: int, ranges: Sequence[tuple[int, int]], pieces: list[bytearray]) -> Exception | None:
        """One request; returns what cut it short, if anything did."""
        from huggingface_hub import constants
        from huggingface_hub.utils import hf_raise_for_status, http_stream_backoff, httpx

        start, stop = ranges[index]
        first = start + len(pieces[index])
        headers = {**self._headers, "Range": f"bytes={first}-{stop - 1}", "Accept-Encoding": "identity"}
        with http_stream_backoff(
            "GET", self._url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, base_wait_time=0.5
        ) as response:
            if response.status_code == 416:
                raise UserError(f"{self._subject} ends before byte {stop}.", "The file is truncated or was replaced.")
            hf_raise_for_status(response)
            # What breaks while the body is read must not reach the back-off's generator: it would yield twice.
            try:
                if response.status_code == 206:
                    self._check(response, first, stop)
                    self._take(response, first, [(index, start, stop)], pieces)
                else:
                    rest = [(i, *ranges[i]) for i in range(len(ranges)) if ranges[i] >= ranges[index]]
                    self._take(response, 0, rest, pieces)
            except (httpx.TransportError, httpx.StreamError) as error:
                return error
        return None

    def _check(self, response: Any, first: int, stop: int) -> None:
        """A partial answer must be the part that was asked for, and not compressed."""
        stated = response.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(stated.strip())
        if found and found.group(3) != "*" and int(found.group(3)) < stop:
            raise UserError(
                f"{self._subject} ends at byte {found.group(3)}, before byte {stop}.",
                "The file is truncated or was replaced.",
            )
        if not found or (int(found.group(1)), int(found.group(2))) != (first, stop - 1):
            raise HubError(
                f"{self._subject}: asked for bytes {first}-{stop - 1}, the server answered {stated or 'no range'!r}.",
                "A proxy between here and the Hub may be at fault.",
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise HubError(f"{self._subject}: the server compressed a byte range.", "A proxy may be at fault.")

    def _take(self, response: Any, position: int, wanted: list[tuple[int, int, int]], pieces: list[bytearray]) -> None:
        """Cut `wanted` (index, start, stop) out of a body that begins at `position`, and stop reading behind them."""
        end = max(stop for _, _, stop in wanted)
        for chunk in response.iter_bytes(1 << 16):
            self._count(len(chunk))
            for index, start, stop in wanted:
                at = start + len(pieces[index]) - position
                if 0 <= at < len(chunk):
                    pieces[index] += chunk[at : stop - position]
            position += len(chunk)
            if position >= end:
                return
        if response.status_code == 200 and "Content-Length" in response.headers:
            raise UserError(f"{self._subject} ends before byte {end}.", "The file is truncated or was replaced.")


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
