"""Spans of remote files as one stream in the order asked for, fetched by up to sixteen requests at once.

Whatever the files' sizes, no more than `MOST_HELD` bytes have been asked for and not yet been given on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from .coalescing import LARGEST_REQUEST, coalesce, windows
from .mapped_files import Span
from .ranges import RangesIgnoredError

IN_FLIGHT = 16
MOST_HELD = 20 << 20
LARGEST_PIECE = LARGEST_REQUEST


class PartReader(Protocol):
    """Reads one file, see `RangeReader`."""

    def read_part(self, start: int, stop: int) -> bytes | bytearray: ...
    def read(self, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes | bytearray]: ...


OpenReader = Callable[[str, Callable[[], bool]], PartReader]
"""(file, whether to stop) → its reader."""


def stream_spans(spans: Iterable[Span], open_reader: OpenReader) -> Iterator[memoryview]:
    """The bytes of each span, in order; each at most `LARGEST_PIECE` long.

    Raises:
        UserError, HubError: as `RangeReader.read`.
    """
    stream = _Stream(open_reader)
    try:
        yield from stream.run(windows(spans))
    finally:
        stream.stop()


class _Request:
    """Bytes of a file that are fetched together, for a number of spans of one window."""

    def __init__(self, span: Span, window: list[_Request]) -> None:
        self.span, self.window = span, window
        self.users = 0
        self.future: Future[Sequence[bytes | bytearray]] | None = None
        self.index = 0

    @property
    def size(self) -> int:
        return self.span.stop - self.span.start


class _Stream:
    """The state of one `stream_spans`: what is planned, what has been asked for, what is held."""

    def __init__(self, open_reader: OpenReader) -> None:
        self._open_reader = open_reader
        self._readers: dict[str, PartReader] = {}
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="weights")
        self._plan: deque[tuple[Span, _Request | None]] = deque()
        self._unsent: deque[_Request] = deque()
        self._without_ranges: set[str] = set()
        self._held = 0

    def run(self, lists: Iterator[list[Span]]) -> Iterator[memoryview]:
        while True:
            while len(self._unsent) < IN_FLIGHT and (window := next(lists, None)) is not None:
                self._plan_window(window)
            self._send()
            if not self._plan:
                return
            span, request = self._plan.popleft()
            if request is None:
                yield memoryview(b"")
                continue
            data = memoryview(self._result(request)).toreadonly()
            yield data[span.start - request.span.start : span.stop - request.span.start]
            self._release(request)

    def stop(self) -> None:
        """Let nothing new begin and what is under way end soon."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _plan_window(self, window: list[Span]) -> None:
        requests: list[_Request] = []
        requests += (_Request(span, requests) for span in coalesce(window))
        by_place = sorted(requests, key=lambda request: request.span)
        for span in window:
            request = _covering(by_place, span) if span.stop > span.start else None
            if request is not None:
                if request.users == 0:  # sent in the order of first use
                    self._unsent.append(request)
                request.users += 1
            self._plan.append((span, request))

    def _send(self) -> None:
        """Ask for what comes next, as far as memory goes.

        What is held while the next request does not fit is of its own window or an earlier one and will be released
        before it is waited for, since a window and a request are less than `MOST_HELD`.
        """
        while self._unsent:
            request = self._unsent[0]
            if request.future is None:
                if self._held and self._held + request.size > MOST_HELD:
                    return
                if request.span.file in self._without_ranges:
                    self._send_in_one_pass(request)
                else:
                    self._held += request.size
                    request.future = self._pool.submit(self._read_part, request.span)
            self._unsent.popleft()

    def _result(self, request: _Request) -> bytes | bytearray:
        assert request.future is not None
        try:
            return request.future.result()[request.index]
        except RangesIgnoredError:
            self._without_ranges.add(request.span.file)
            self._send_in_one_pass(request)
            return request.future.result()[request.index]

    def _send_in_one_pass(self, request: _Request) -> None:
        """Read all that the request's window still needs of its file in one go, since every go starts at byte 0."""
        file = request.span.file
        needed = [one for one in request.window if one.span.file == file and one.users and not _arrived(one)]
        self._held += sum(one.size for one in needed if one.future is None)
        ranges = [(one.span.start, one.span.stop) for one in needed]
        future = self._pool.submit(self._reader(file).read, ranges)
        for index, one in enumerate(needed):
            one.future, one.index = future, index

    def _release(self, request: _Request) -> None:
        request.users -= 1
        if request.users == 0:
            self._held -= request.size
            request.future = None

    def _read_part(self, span: Span) -> Sequence[bytes | bytearray]:
        return [self._reader(span.file).read_part(span.start, span.stop)]

    def _reader(self, file: str) -> PartReader:
        reader = self._readers.get(file)
        if reader is None:
            reader = self._readers[file] = self._open_reader(file, self._stopped.is_set)
        return reader


def _covering(requests: list[_Request], span: Span) -> _Request:
    """The last request, of those in order of place, that begins at or before the span: the one that covers it."""
    from bisect import bisect_right

    index = bisect_right(requests, (span.file, span.start), key=lambda one: (one.span.file, one.span.start)) - 1
    while requests[index].span.stop < span.stop:
        index -= 1
    return requests[index]


def _arrived(request: _Request) -> bool:
    future = request.future
    return future is not None and future.done() and not future.cancelled() and future.exception() is None
