"""Few requests for many spans: those of one file that lie close together are fetched in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from .mapped_files import Span

LARGEST_REQUEST = 4 << 20
WINDOW = 8 << 20
"""Bytes of spans that are looked at together."""

_LARGEST_GAP = 32 << 10
"""Bytes; at 10 MB/s these take 3 ms, a request takes 50."""

_MOST_IN_GAPS = 0.02
_ALWAYS_IN_GAPS = 16 << 10
"""Share of all bytes, and bytes in any case, that may be fetched in vain: what is read is close to what is asked."""


def windows(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """The spans in their order, in lists of about `WINDOW` bytes."""
    window: list[Span] = []
    size = 0
    for span in spans:
        window.append(span)
        size += span.stop - span.start
        if size >= WINDOW:
            yield window
            window, size = [], 0
    if window:
        yield window


def coalesce(spans: Iterable[Span]) -> list[Span]:
    """Spans that cover the given ones, no empty ones among them, by file and place.

    Each of `spans` lies in one of them. The smallest gaps are bridged first.
    """
    ordered = sorted({span for span in spans if span.stop > span.start})
    gaps = sorted(
        (max(0, after.start - before.stop), before, after)
        for before, after in pairwise(ordered)
        if before.file == after.file and after.start - before.stop <= _LARGEST_GAP
    )
    left = max(_ALWAYS_IN_GAPS, _MOST_IN_GAPS * sum(span.stop - span.start for span in ordered))
    bridged = set()
    for gap, _, after in gaps:
        if gap > left:
            break
        left -= gap
        bridged.add(after)
    merged: list[Span] = []
    for span in ordered:
        end = max(span.stop, merged[-1].stop) if merged else 0
        if span in bridged and end - merged[-1].start <= LARGEST_REQUEST:
            merged[-1] = merged[-1]._replace(stop=end)
        else:
            merged.append(span)
    return merged
