"""Byte ranges of many remote files as one ordered stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from .mapped_files import Span

LARGEST_PIECE = 4 << 20


def stream_spans(
    spans: Iterable[Span], read: Callable[[str, Sequence[tuple[int, int]]], list[bytes]]
) -> Iterator[bytes | memoryview]:
    """The bytes of each span, in order."""
    for span in spans:
        yield read(span.file, [(span.start, span.stop)])[0]
