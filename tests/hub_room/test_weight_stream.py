"""The stream of spans: every byte right and in order, few requests, little held, whatever is asked for."""

import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_crosssight.errors import HubError
from hf_crosssight.hub import coalescing, weight_stream
from hf_crosssight.hub.coalescing import coalesce
from hf_crosssight.hub.mapped_files import Span
from hf_crosssight.hub.ranges import RangesIgnoredError
from hf_crosssight.hub.weight_stream import IN_FLIGHT, MOST_HELD, stream_spans

CONTENT = {name: random.Random(name).randbytes(5000) for name in ("a", "b", "c")}


class Reader:
    """Reads `CONTENT`; counts calls, requests at once and bytes; may ignore ranges for a while."""

    def __init__(self, plain: bool = False, delay: float = 0.0) -> None:
        self.lock = threading.Lock()
        self.plain, self.delay = plain, delay
        self.calls: list[tuple[str, int]] = []
        self.now = self.most = 0

    def open(self, file, stopped):
        return _Part(self, file)


class _Part:
    def __init__(self, reader, file):
        self.reader, self.file = reader, file

    def read_part(self, start, stop):
        if self.reader.plain:
            raise RangesIgnoredError
        return self.read([(start, stop)])[0]

    def read(self, ranges):
        reader = self.reader
        with reader.lock:
            reader.calls.append((self.file, sum(stop - start for start, stop in ranges)))
            reader.now += 1
            reader.most = max(reader.most, reader.now)
        time.sleep(reader.delay)
        with reader.lock:
            reader.now -= 1
        return [CONTENT[self.file][start:stop] for start, stop in ranges]


SPANS = st.lists(
    st.builds(
        lambda file, start, size: Span(file, start, min(5000, start + size)),
        st.sampled_from("abc"),
        st.integers(0, 4999),
        st.integers(0, 700),
    ),
    max_size=40,
)


@pytest.fixture
def small(monkeypatch):
    """Sizes a thousandth of the real ones, so that small lists reach every limit."""
    monkeypatch.setattr(coalescing, "LARGEST_REQUEST", 1000)
    monkeypatch.setattr(coalescing, "WINDOW", 2000)
    monkeypatch.setattr(weight_stream, "MOST_HELD", 5000)


@pytest.mark.parametrize("plain", [False, True])
def test_any_spans_come_in_the_order_asked_for(small, plain):
    @settings(max_examples=150, deadline=None)
    @given(SPANS)
    def check(spans):
        found = [bytes(data) for data in stream_spans(iter(spans), Reader(plain).open)]
        assert found == [CONTENT[span.file][span.start : span.stop] for span in spans]

    check()


@settings(max_examples=200, deadline=None)
@given(SPANS)
def test_requests_cover_the_spans_and_little_else(spans):
    requests = coalesce(spans)
    for span in spans:
        inside = [
            one for one in requests if one.file == span.file and one.start <= span.start and span.stop <= one.stop
        ]
        assert inside or span.start == span.stop
    needed = {(span.file, byte) for span in spans for byte in range(span.start, span.stop)}
    fetched = sum(one.stop - one.start for one in requests)
    assert fetched <= (16 << 10) + sum(span.stop - span.start for span in set(spans))
    assert fetched >= len(needed)
    assert len(requests) <= len({span for span in spans if span.start < span.stop})


def test_neighbours_become_one_request_and_far_ones_do_not():
    near = [Span("a", index * 1000, index * 1000 + 990) for index in range(50)]
    assert coalesce(near) == [Span("a", 0, 49_990)]
    loose = [Span("a", index * 30_000, index * 30_000 + 10_000) for index in range(500)]
    assert sum(one.stop - one.start for one in coalesce(loose)) in range(5_080_000, 5_100_001)
    far = [Span("a", 0, 5_000_000), Span("a", 5_100_000, 6_000_000), Span("b", 0, 10)]
    assert coalesce(far) == far
    large = [Span("a", start << 20, (start + 1) << 20) for start in range(10)]
    assert {one.stop - one.start for one in coalesce(large)} == {4 << 20, 2 << 20}


def test_sixteen_requests_are_under_way_and_no_more(monkeypatch):
    reader = Reader(delay=0.02)
    monkeypatch.setitem(CONTENT, "spread", bytes(4_000_000))
    spans = [Span("spread", start, start + 1) for start in range(0, 4_000_000, 40_000)]
    list(stream_spans(iter(spans), reader.open))
    assert reader.most == IN_FLIGHT
    assert len(reader.calls) == len(spans)


def test_what_is_held_is_bounded_though_nobody_takes_it(monkeypatch):
    piece = 1 << 20
    monkeypatch.setitem(CONTENT, "large", bytes(200 * piece))
    reader = Reader()
    stream = stream_spans((Span("large", n * piece, (n + 1) * piece) for n in range(200)), reader.open)
    for taken in range(1, 60):
        assert len(next(stream)) == piece
        time.sleep(0.001)
        assert sum(size for _, size in reader.calls) <= taken * piece + MOST_HELD
    stream.close()


def test_a_failure_ends_the_stream_at_its_place():
    class Failing(Reader):
        def open(self, file, stopped):
            part = _Part(self, file)
            if file == "b":
                part.read = None
                part.read_part = lambda start, stop: (_ for _ in ()).throw(HubError("gone"))
            return part

    stream = stream_spans(iter([Span("a", 0, 9), Span("b", 0, 9), Span("c", 0, 9)]), Failing().open)
    assert bytes(next(stream)) == CONTENT["a"][:9]
    with pytest.raises(HubError, match="gone"):
        next(stream)
