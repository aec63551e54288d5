"""Weights from Hubs, networks and strangers that misbehave: a stated reason in good time, or the right bytes."""

import json
import os
import struct
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hf_crosssight.errors import CrossSightError, HubError, UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.hub.ranges import RangeReader
from hf_crosssight.hub.remote_file import RemoteFile
from hf_crosssight.hub.safetensors import SafetensorsError
from hf_crosssight.hub.weight_files import TensorBlock, folder_weights, repo_weights
from tests.hub import Fault

ALWAYS = 10_000
WEIGHTS = "*.safetensors"


@pytest.fixture
def folder(hub):
    """A model of six tensors of 400 kB each, on the Hub as `acme/tiny-resnet`."""
    place = hub.folder.root / "models" / "acme" / "tiny-resnet"
    rng = np.random.default_rng(0)
    tensors = {f"layers.{i}.weight": torch.from_numpy(rng.normal(size=(100, 1000)).astype("f4")) for i in range(6)}
    save_file(tensors, place / "model.safetensors")
    return place


@pytest.fixture
def client(folder):
    return HubClient()


@pytest.fixture
def files(client):
    return repo_weights(client, client.resolve("acme/tiny-resnet"))


FEW, ALL = (10, 20), (0, 100)
"""Rows of each tensor that are read: requests of 40 kB, and one of 2.4 MB, which goes another way at first."""


def read(files, rows=FEW):
    blocks = [TensorBlock(tensor, rows[0] * 1000, rows[1] * 1000) for tensor in files.tensors]
    return [piece.values() for piece in files.read(blocks)]


def expected(folder, rows=FEW):
    return read(folder_weights(folder), rows)


# -- what strangers write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (struct.pack("<Q", 1 << 62) + b"{}", "claims a header of"),
        (struct.pack("<Q", 200_000_000) + b"{", "claims a header of 200000000 bytes"),
        (struct.pack("<Q", 5000) + b"{}" * 100, "truncated inside its header"),
        (b"", "0 bytes only"),
        (b"GGUF", "4 bytes only"),
    ],
)
def test_a_file_that_is_none_costs_next_to_nothing(hub, folder, content, reason):
    (folder / "model.safetensors").write_bytes(content)
    client = HubClient()
    for weights in (lambda: repo_weights(client, client.resolve("acme/tiny-resnet")), lambda: folder_weights(folder)):
        with pytest.raises(SafetensorsError) as caught:
            weights()
        assert reason in caught.value.reason
    assert client.bytes_read <= 1 << 15


def test_an_index_may_not_lead_out_of_the_repository(hub, folder):
    (folder / "model.safetensors").rename(folder.parent / "secret.safetensors")
    for shard in ("../secret.safetensors", str(folder.parent / "secret.safetensors"), "a/../../secret.safetensors"):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
        client = HubClient()
        with pytest.raises(SafetensorsError, match="outside the repository"):
            folder_weights(folder)
        with pytest.raises(SafetensorsError, match="outside the repository"):
            repo_weights(client, client.resolve("acme/tiny-resnet"))
    assert not any("secret" in request.path for request in hub.requests)


def test_a_model_without_safetensors_is_told_as_such(hub, folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    client = HubClient()
    with pytest.raises(UserError, match=r"has no model\.safetensors"):
        repo_weights(client, client.resolve("acme/tiny-resnet"))


# -- answers that are errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [FEW, ALL], ids=["few", "all"])
@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (Fault(status=401), UserError, "does not exist, or is private"),
        (Fault(status=403), UserError, "is refused"),
        (Fault(status=404), UserError, "does not exist"),
        (Fault(status=416), UserError, "truncated or was replaced"),
        (Fault(status=418), HubError, "answered 418"),
        (Fault(status=429, headers={"Retry-After": "0"}), HubError, "rate limit"),
        (Fault(status=429, headers={"Retry-After": "86400"}), HubError, "asks to wait 86400 seconds"),
        (Fault(status=503, headers={"Retry-After": "3600"}), HubError, "asks to wait 3600 seconds"),
        (Fault(status=429, headers={"ratelimit": '"api";r=0;t=900'}), HubError, "asks to wait 901 seconds"),
        (Fault(status=500), HubError, "answered 500"),
        (Fault(status=504), HubError, "answered 504"),
        (Fault(cut_after=0), HubError, "cut 5 times|Cannot reach"),
        (Fault(told={"Content-Range": "bytes 0-9/*"}), HubError, "asked for bytes"),
        (Fault(told={"Content-Range": "bytes 0-9/" + "9" * 5000}), HubError, "asked for bytes"),
        (Fault(told={"Content-Encoding": "gzip"}), HubError, "compressed a byte range"),
    ],
)
def test_errors_have_reasons_for_headers_and_weights_alike(hub, folder, no_pause, fault, kind, reason, rows):
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    hub.faults.add(WEIGHTS, fault, times=ALWAYS)
    with pytest.raises(kind, match=reason):
        repo_weights(client, repo)
    hub.faults.clear()
    files = repo_weights(client, repo)
    hub.faults.add(WEIGHTS, fault, times=ALWAYS)
    with pytest.raises(kind, match=reason):
        read(files, rows)


@pytest.mark.parametrize("rows", [FEW, ALL], ids=["few", "all"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"Retry-After": "1"}),
        Fault(status=503),
        Fault(cut_after=3),
        Fault(cut_after=30_000),
        Fault(wrong_length=-7),
        Fault(wrong_length=7),
        Fault(wrong_length=-40_000),
    ],
)
def test_what_passes_by_itself_is_not_noticed(hub, folder, files, no_pause, fault, rows):
    hub.faults.add(WEIGHTS, fault, times=4)
    for found, wanted in zip(read(files, rows), expected(folder, rows), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("rows", [FEW, ALL], ids=["few", "all"])
@pytest.mark.parametrize("fault", [Fault(delay=1.0), Fault(stall_after=100, stall=1.0)])
def test_a_hub_that_stalls_is_given_up(hub, files, no_pause_in_the_client, monkeypatch, fault, rows):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.05)
    hub.faults.add(WEIGHTS, fault, times=ALWAYS)
    started = time.monotonic()
    with pytest.raises(HubError, match=r"did not answer in time|was cut 5 times"):
        read(files, rows)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("rows", [FEW, ALL], ids=["few", "all"])
def test_a_hub_that_sends_a_byte_now_and_then_is_given_up(hub, files, monkeypatch, rows):
    monkeypatch.setattr("hf_crosssight.hub.ranges._PATIENCE", 0.3)
    hub.faults.add(WEIGHTS, Fault(stall_after=1, stall=0.05), times=ALWAYS)
    with pytest.raises(HubError, match="too slowly"):
        read(files, rows)


@pytest.fixture
def no_pause_in_the_client(monkeypatch):
    """Pauses between attempts are short; the Hub's own are not."""
    for module in ("hf_crosssight.hub.ranges", "hf_crosssight.hub.busy"):
        monkeypatch.setattr(f"{module}.time", _Quick)


class _Quick:
    monotonic = time.monotonic

    @staticmethod
    def sleep(seconds):
        return None


# -- repositories that change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1000, 100_000])
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"ETag": '"another"'}, "its ETag is another one"),
        ({"X-Repo-Commit": "f" * 40}, "commit ffffffff instead of"),
        ({"Content-Range": None}, "bytes instead of"),
    ],
)
def test_a_file_that_changes_between_two_requests_is_not_mixed(hub, folder, files, told, reason, number):
    size = (folder / "model.safetensors").stat().st_size
    first = files.tensors[0].start
    span = f"bytes {first}-{first + 4 * number - 1}/{size + 5}"
    hub.faults.add(WEIGHTS, Fault(told={key: value or span for key, value in told.items()}), times=ALWAYS)
    with pytest.raises(HubError, match=f"changed while it was read: .*{reason}"):
        list(files.read([TensorBlock(files.tensors[0], 0, number)]))


def test_a_commit_that_is_gone_is_told_as_such(hub, folder, files):
    (folder / "model.safetensors").write_bytes(b"new")
    with pytest.raises(UserError, match="no such revision"):
        read(files)


# -- signed addresses -------------------------------------------------------------------------------------------------


@pytest.fixture
def cdn(hub_factory):
    """A Hub whose weights are served elsewhere, to `anna` only; gives it and the opened model."""
    hub = hub_factory(cdn=True, tokens={"good": "anna"}, gated={"acme/sharded": {"anna"}})
    client = HubClient(token="good")
    return hub, repo_weights(client, client.resolve("acme/sharded"))


def paths(hub, beginning):
    return [
        request for request in hub.requests if request.path.startswith(beginning) and "safetensors" in request.path
    ]


def test_a_signed_address_serves_all_ranges_of_its_file(cdn):
    hub, files = cdn
    for _ in range(3):
        whole = [TensorBlock(tensor, 0, tensor.numel) for tensor in files.tensors]
        assert sum(len(piece.data) for piece in files.read(whole)) == files.total_bytes
    on_hub = [request for request in paths(hub, "/acme/sharded/resolve/") if "index" not in request.path]
    assert len(on_hub) == files.num_shards
    assert len(paths(hub, "/cdn/")) >= 4 * files.num_shards
    assert {request.user for request in paths(hub, "/cdn/")} == {None}
    assert {request.user for request in on_hub} == {"anna"}


def test_an_expired_address_is_renewed_and_a_refused_one_is_an_error(cdn):
    hub, files = cdn
    whole = [TensorBlock(tensor, 0, tensor.numel) for tensor in files.tensors]
    before = len(paths(hub, "/acme/sharded/resolve/"))
    hub.faults.add("/cdn/*", Fault(status=403), times=1)
    assert sum(len(piece.data) for piece in files.read(whole)) == files.total_bytes
    assert len(paths(hub, "/acme/sharded/resolve/")) == before + 1
    hub.faults.add("/cdn/*", Fault(status=403), times=ALWAYS)
    with pytest.raises(UserError, match="is refused"):
        list(files.read(whole))


# -- servers without ranges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [FEW, ALL], ids=["few", "all"])
def test_a_server_that_ignores_ranges_is_read_in_one_pass(hub, folder, client, files, rows):
    hub.faults.add(WEIGHTS, Fault(ignore_range=True), times=ALWAYS)
    before, bytes_before = len(hub.requests), client.bytes_read
    for found, wanted in zip(read(files, rows), expected(folder, rows), strict=True):
        np.testing.assert_array_equal(found, wanted)
    # What is wanted of the last tensor ends at 2.08 MB. The client's bytes are counted: how much the Hub sends of an
    # answer that is given up is a race.
    assert 2_000_000 < client.bytes_read - bytes_before < 2_600_000
    assert len(hub.requests) - before <= len(files.tensors) + 1


def test_a_pass_that_would_be_too_long_is_refused(hub, files, monkeypatch):
    monkeypatch.setattr("hf_crosssight.hub.ranges.LARGEST_PASS", 1 << 20)
    hub.faults.add(WEIGHTS, Fault(ignore_range=True), times=ALWAYS)
    with pytest.raises(HubError, match="ignores byte ranges"):
        read(files)


# -- one client for all threads ---------------------------------------------------------------------------------------


def test_a_dead_hub_leaves_the_requests_to_others_alone(hub, files, no_pause):
    """huggingface_hub's back-off closes the client that all threads share where it finds nobody."""
    from huggingface_hub.utils import get_session

    shared = get_session()
    with pytest.raises(HubError, match="Cannot reach"):
        RangeReader(RemoteFile("http://127.0.0.1:9/x", {}, "x"), lambda size: None).read([(0, 9)])
    assert get_session() is shared
    assert not shared.is_closed
    assert len(read(files)) == 6


def test_a_client_that_was_closed_meanwhile_is_replaced(hub, folder, files, no_pause, monkeypatch):
    """A download of huggingface_hub's own closes it, between taking the client and asking."""
    from huggingface_hub import close_session, utils

    taken, get_session = [], utils.get_session

    def closed_at_first():
        session = get_session()
        taken.append(session)
        if len(taken) in (1, 3):  # once while the model is looked up, once while readers of its weights are at work
            close_session()
        return session

    monkeypatch.setattr(utils, "get_session", closed_at_first)
    assert HubClient().resolve("acme/tiny-resnet").id == "acme/tiny-resnet"
    for found, wanted in zip(read(files), expected(folder), strict=True):
        np.testing.assert_array_equal(found, wanted)


# -- leaving early ----------------------------------------------------------------------------------------------------


def test_who_stops_reading_stops_the_requests(hub, folder):
    save_file({f"w{i}": torch.zeros(1 << 20) for i in range(20)}, folder / "model.safetensors")
    client = HubClient()
    files = repo_weights(client, client.resolve("acme/tiny-resnet"))
    stream = files.read([TensorBlock(tensor, 0, tensor.numel) for tensor in files.tensors])
    next(stream)
    stream.close()
    time.sleep(0.3)
    assert client.bytes_read < 40 << 20
    seen = client.bytes_read
    time.sleep(0.2)
    assert client.bytes_read == seen


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(cut_after=0)])
def test_who_is_told_to_stop_asks_no_more(hub, files, no_pause, fault):
    """Readers of a stream that has failed must not go on trying in the background."""
    hub.faults.add(WEIGHTS, fault, times=ALWAYS)
    client, before = HubClient(), len(hub.requests)
    reader = client.reader(
        client.resolve("acme/tiny-resnet"), "model.safetensors", lambda: len(hub.requests) > before + 1
    )
    with pytest.raises(CancelledError):
        reader.read_part(0, 100)
    assert [request.path.endswith("safetensors") for request in hub.requests[before:]] == [False, True]


@pytest.mark.parametrize("values", [[float("nan")], [float("inf"), 1.0], []])
def test_weights_that_are_no_numbers_break_nothing(hub, folder, values):
    save_file({"w": torch.tensor(values), "v": torch.ones(3)}, folder / "model.safetensors")
    client = HubClient()
    files = repo_weights(client, client.resolve("acme/tiny-resnet"))
    found = {p.name: p.values() for p in files.read([TensorBlock(t, 0, t.numel) for t in files.tensors])}
    np.testing.assert_array_equal(found["w"], np.array(values, np.float32))
    assert ("w", "it is empty") in files.skipped or values


@pytest.mark.parametrize("rows", [FEW, ALL], ids=["few", "all"])
def test_random_faults_end_in_the_right_bytes_or_a_reason(hub, folder, files, no_pause, rows):
    rng = np.random.default_rng(int(os.environ.get("FAULT_SEED", "0")))
    kinds = [
        Fault(status=503), Fault(status=403), Fault(cut_after=100), Fault(cut_after=20_000), Fault(wrong_length=-9),
        Fault(ignore_range=True), Fault(ignore_range=True, cut_after=900_000), Fault(told={"ETag": '"x"'}), Fault(),
    ]  # fmt: skip
    wanted = expected(folder, rows)
    ended = set()
    for _ in range(25):
        hub.faults.clear()
        for kind in rng.choice(len(kinds), 6):
            hub.faults.add(WEIGHTS, kinds[kind])
        try:
            found = read(files, rows)
        except CrossSightError as error:
            ended.add(type(error))
        else:
            ended.add(None)
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one, other)
    assert {None, UserError} <= ended
