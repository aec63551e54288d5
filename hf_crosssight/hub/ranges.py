"""Bytes of a remote file by range, exact whatever the server does.

A server may ignore `Range` (a CDN that compresses does), cut the connection half-way, answer another range than the
one asked for, or send a byte now and then. The first is read as a stream and cut, the second resumed where it stopped,
the others refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

from hf_crosssight.errors import HubError, UserError

from .direct import FAILURES, DirectAnswer
from .failures import hub_failures
from .remote_file import RemoteFile

RESUMES = 4
"""How often one range is taken up again after its connection was cut."""

LARGEST_PASS = 2 << 30
"""Bytes; how far into a file a server without ranges is read to get at what is wanted."""

_SLOWEST = 1 << 10  # bytes a second, on average, once a body has taken
_PATIENCE = 30.0  # seconds
_LARGEST_READ = 1 << 18


class RangesIgnoredError(Exception):
    """A server that answered the whole file to a request for a part of it."""


class RangeReader:
    """Reads byte ranges of one remote file.

    Args:
        file (`RemoteFile`): the file.
        count (`Callable`): told the number of payload bytes of every chunk that arrives.
        stopped (`Callable`, *optional*): asked between chunks; where it says so, reading ends in `CancelledError`.
    """

    def __init__(
        self, file: RemoteFile, count: Callable[[int], None], stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._file = file
        self._count = count
        self._stopped = stopped

    def read(self, ranges: Sequence[tuple[int, int]]) -> list[bytearray]:
        """The bytes of each half-open range `[start, stop)`, in the order asked for.

        Where the server sends the whole file, it is read once for all ranges, and no more of it is held.

        Raises:
            UserError, HubError: as `failures` tells them; a range beyond the end of the file is a `UserError`.
        """
        if any(not 0 <= start <= stop for start, stop in ranges):
            raise ValueError(f"ranges must be half-open [start, stop) with 0 <= start <= stop, got {ranges!r}")
        pieces = [_Piece(start, stop) for start, stop in ranges]
        in_order = sorted(pieces, key=lambda piece: (piece.start, piece.stop))
        with hub_failures(self._file.subject):
            for index, piece in enumerate(in_order):
                self._fill(piece, in_order[index:])
        return [piece.data for piece in pieces]

    def read_part(self, start: int, stop: int) -> bytearray:
        """The bytes `[start, stop)`, errors as for `read`.

        Raises:
            RangesIgnoredError: the server sends the whole file; `read` copes with that.
        """
        piece = _Piece(start, stop)
        with hub_failures(self._file.subject):
            self._fill(piece, None)
        return piece.data

    def _fill(self, piece: _Piece, later: Sequence[_Piece] | None) -> None:
        """Read what `piece` lacks; where the server sends the whole file, all `later` pieces as well."""
        failure: Exception | None = None
        for attempt in range(RESUMES + 1):
            if piece.missing == 0:
                return
            if attempt:
                time.sleep(0.2 * 2 ** (attempt - 1))
            if self._stopped():
                raise CancelledError
            failure = self._request(piece, later)
        if piece.missing:
            raise HubError(
                f"{self._file.subject}: the connection was cut {RESUMES + 1} times ({failure}).", "Try again later."
            ) from failure

    def _request(self, piece: _Piece, later: Sequence[_Piece] | None) -> Exception | None:
        """One request; returns what cut it short, if anything did."""
        from huggingface_hub.utils import httpx

        first = piece.start + piece.filled
        with self._file.open(first, piece.stop, self._stopped) as response:
            try:
                if isinstance(response, DirectAnswer):
                    self._take_directly(response, piece)
                elif response.status_code == 206:
                    self._take(response, first, [piece])
                elif later is None:
                    raise RangesIgnoredError
                else:
                    self._take(response, 0, later)
            except (httpx.TransportError, httpx.StreamError, *FAILURES) as error:
                return error
        return None

    def _take(self, response: Any, position: int, wanted: Sequence[_Piece]) -> None:
        """Cut `wanted` out of a body that begins at `position`, and stop reading behind them."""
        end = max(piece.stop for piece in wanted)
        if end - position > LARGEST_PASS:
            raise HubError(
                f"{self._file.subject}: the server ignores byte ranges, and what is wanted ends {end >> 20} MB on.",
                "A proxy between here and the Hub may be at fault.",
            )
        pace = self._pace()
        plain = response.headers.get("Content-Encoding", "identity") == "identity"
        for chunk in response.iter_raw() if plain else response.iter_bytes():
            for piece in wanted:
                piece.take(chunk, position)
            position += len(chunk)
            pace.arrived(len(chunk))
            if position >= end:
                return
        if response.status_code == 200 and "Content-Length" in response.headers:
            raise UserError(f"{self._file.subject} ends before byte {end}.", "The file is truncated or was replaced.")

    def _take_directly(self, answer: DirectAnswer, piece: _Piece) -> None:
        """Read the body of a partial answer into its piece."""
        pace = self._pace()
        view = memoryview(piece.data)
        while piece.missing and (arrived := answer.readinto(view[piece.filled : piece.filled + _LARGEST_READ])):
            piece.filled += arrived
            pace.arrived(arrived)

    def _pace(self) -> _Pace:
        return _Pace(self._file.subject, self._count, self._stopped)


class _Pace:
    """Counts what arrives of one body, and ends the reading of one that comes too slowly or is not wanted any more."""

    def __init__(self, subject: str, count: Callable[[int], None], stopped: Callable[[], bool]) -> None:
        self._subject, self._count, self._stopped = subject, count, stopped
        self._began, self._total = time.monotonic(), 0

    def arrived(self, size: int) -> None:
        """So many bytes more."""
        self._count(size)
        self._total += size
        if self._stopped():
            raise CancelledError
        passed = time.monotonic() - self._began
        if passed > _PATIENCE and self._total < _SLOWEST * passed:
            raise HubError(f"{self._subject}: the server sends too slowly to wait for.", "Try again later.")


class _Piece:
    """A range and how much of it has arrived."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self.data = bytearray(stop - start)
        self.filled = 0

    @property
    def missing(self) -> int:
        return self.stop - self.start - self.filled

    def take(self, chunk: bytes, position: int) -> None:
        """Copy what of the next missing bytes is in a chunk that begins at `position` of the file."""
        at = self.start + self.filled - position
        if 0 <= at < len(chunk):
            part = memoryview(chunk)[at : at + self.missing]
            self.data[self.filled : self.filled + len(part)] = part
            self.filled += len(part)
