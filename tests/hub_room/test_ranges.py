"""Byte ranges: exact whatever the server does, and few."""

import random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub import HubClient, RangedFile
from tests.hub import Fault

SIZE = 300_000


@pytest.fixture
def blob(hub):
    """A file of random bytes on the Hub: `(its repository, its content, the client)`."""
    content = random.Random(0).randbytes(SIZE)
    (hub.folder.root / "models" / "acme" / "tiny-resnet" / "blob.bin").write_bytes(content)
    client = HubClient()
    return client.resolve("acme/tiny-resnet"), content, client


SPANS = [(200_000, 250_000), (5, 6), (0, 100), (50, 150), (SIZE - 7, SIZE), (9, 9)]


def expected(content):
    return [content[start:stop] for start, stop in SPANS]


def test_ranges_come_in_the_order_asked_for_and_cost_their_bytes(hub, blob):
    repo, content, client = blob
    assert client.read_ranges(repo, "blob.bin", SPANS) == expected(content)
    assert client.bytes_read == hub.bytes_sent("blob.bin") == sum(stop - start for start, stop in SPANS)


def test_a_server_that_ignores_ranges_is_read_once_and_cut(hub, blob):
    repo, content, client = blob
    hub.faults.add("*/blob.bin", Fault(ignore_range=True), times=100)
    assert client.read_ranges(repo, "blob.bin", SPANS) == expected(content)
    assert sum(request.path.endswith("blob.bin") for request in hub.requests) == 1
    assert client.read_ranges(repo, "blob.bin", [(10, 20)]) == [content[10:20]]
    assert client.bytes_read <= SIZE + (1 << 16)


@pytest.mark.parametrize("cut", [0, 1, 40, 30_000])
def test_a_cut_connection_is_taken_up_where_it_broke(hub, blob, cut, no_pause):
    repo, content, client = blob
    hub.faults.add("*/blob.bin", Fault(cut_after=cut), times=2)
    assert client.read_ranges(repo, "blob.bin", SPANS) == expected(content)
    assert hub.bytes_sent("blob.bin") <= sum(stop - start for start, stop in SPANS) + 2 * cut


def test_cut_connections_and_ignored_ranges_may_come_together(hub, blob, no_pause):
    repo, content, client = blob
    hub.faults.add("*/blob.bin", Fault(ignore_range=True, cut_after=100_000))
    hub.faults.add("*/blob.bin", Fault(ignore_range=True, cut_after=220_000))
    assert client.read_ranges(repo, "blob.bin", SPANS) == expected(content)


def test_a_connection_that_always_breaks_ends_in_a_hub_error(hub, blob, no_pause):
    repo, _, client = blob
    hub.faults.add("*/blob.bin", Fault(cut_after=0), times=100)
    with pytest.raises(HubError, match="was cut 5 times"):
        client.read_ranges(repo, "blob.bin", [(0, 10)])


def test_an_answer_that_is_too_short_is_taken_up_and_a_longer_one_cut(hub, blob, no_pause):
    repo, content, client = blob
    hub.faults.add("*/blob.bin", Fault(wrong_length=-10))
    hub.faults.add("*/blob.bin", Fault(wrong_length=10))
    assert client.read_ranges(repo, "blob.bin", [(100, 200)]) == [content[100:200]]


def test_a_busy_hub_is_asked_again(hub, blob, no_pause):
    repo, content, client = blob
    hub.faults.add("*/blob.bin", Fault(status=503))
    hub.faults.add("*/blob.bin", Fault(status=429, headers={"Retry-After": "0"}))
    assert client.read_ranges(repo, "blob.bin", [(3, 9)]) == [content[3:9]]


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("span", [(SIZE - 5, SIZE + 5), (SIZE + 5, SIZE + 6)])
def test_ranges_beyond_the_end_are_refused(hub, blob, span, ignored):
    repo, _, client = blob
    hub.faults.add("*/blob.bin", Fault(ignore_range=ignored), times=100)
    with pytest.raises(UserError, match="before byte"):
        client.read_ranges(repo, "blob.bin", [span])


@pytest.mark.parametrize("span", [(5, 3), (-1, 3)])
def test_backward_ranges_are_our_own_mistake(blob, span):
    repo, _, client = blob
    with pytest.raises(ValueError, match="half-open"):
        client.read_ranges(repo, "blob.bin", [(0, 1), span])


def test_another_range_than_the_one_asked_for_is_refused(hub, blob, monkeypatch):
    monkeypatch.setattr("tests.hub_routes.Routes._span", lambda self, size: (0, 10))
    repo, _, client = blob
    with pytest.raises(HubError, match="asked for bytes 20-29, the server answered 'bytes 0-9"):
        client.read_ranges(repo, "blob.bin", [(20, 30)])


def test_the_token_does_not_follow_to_another_origin(hub_factory):
    hub = hub_factory(cdn=True, tokens={"good": "anna"}, gated={"acme/tiny-resnet": {"anna"}})
    client = HubClient(token="good")
    repo = client.resolve("acme/tiny-resnet")
    place = hub.folder.root / "models" / repo.id / "model.safetensors"
    assert client.read_ranges(repo, place.name, [(3, 40)]) == [place.read_bytes()[3:40]]
    assert client.download(repo, place.name).read_bytes() == place.read_bytes()
    users = {request.user for request in hub.requests if request.path.startswith("/cdn/")}
    assert users == {None}


def test_parquet_columns_are_read_without_the_images(hub):
    client = HubClient()
    repo = client.resolve("acme/shapes", "dataset")
    with client.open(repo, "data/train-00000-of-00001.parquet", block_size=1024) as file:
        table = pq.ParquetFile(file).read(columns=["label"])
        assert table["label"].to_pylist() == [index % 3 for index in range(30)]
        assert file.size == repo.file("data/train-00000-of-00001.parquet").size
        assert file.bytes_read == client.bytes_read == hub.bytes_sent(".parquet")


def test_a_closed_file_is_not_read(blob):
    repo, _, client = blob
    file = client.open(repo, "blob.bin")
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


@settings(max_examples=60, deadline=None)
@given(
    reads=st.lists(st.tuples(st.integers(0, 1200), st.integers(-1, 300)), max_size=20),
    block=st.integers(1, 200),
    keep=st.sampled_from([0, 64, 10_000]),
)
def test_any_order_of_reads_gives_the_bytes_of_the_file(reads, block, keep):
    content = random.Random(1).randbytes(1000)
    file = RangedFile(lambda start, stop: content[start:stop], len(content), "x", block, keep)
    for position, size in reads:
        assert file.seek(position) == position
        assert file.read(size) == content[position:][: size if size >= 0 else None]
    assert file.seek(-10, 2) == 990
    assert file.read() == content[-10:]
