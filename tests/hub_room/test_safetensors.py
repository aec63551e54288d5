"""Headers: what the real library writes is read, what a stranger may write is refused with its reason."""

import io
import json
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.hub.safetensors import MAX_HEADER, SafetensorsError, read_header
from hf_crosssight.hub.weight_files import folder_tensors, repo_tensors


def written(header, data=b"", length=None):
    """Bytes of a file with this header (text, bytes or an object)."""
    content = header if isinstance(header, bytes) else header.encode() if isinstance(header, str) else None
    content = json.dumps(header).encode() if content is None else content
    return struct.pack("<Q", len(content) if length is None else length) + content + data


def entry(shape=(2,), start=0, stop=8, dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def reason(content):
    with pytest.raises(SafetensorsError) as caught:
        read_header(io.BytesIO(content), "x.safetensors")
    assert caught.value.exit_code == 2
    assert "x.safetensors" in caught.value.what
    return caught.value.reason


def test_what_the_library_writes_is_read_as_it_was(tmp_path):
    tensors = {
        "a.weight": torch.zeros(4, 3, 2, 2),
        "b": torch.zeros(5, dtype=torch.bfloat16),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 7, dtype=torch.float16),
        "mask": torch.ones(3, dtype=torch.bool),
        "small": torch.zeros(9, dtype=torch.float8_e4m3fn),
        "wide": torch.zeros(2, dtype=torch.complex64),
    }
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = {tensor.name: tensor for tensor in read_header(tmp_path / "model.safetensors")}
    assert {name: tensor.shape for name, tensor in found.items()} == {n: tuple(t.shape) for n, t in tensors.items()}
    with safe_open(tmp_path / "model.safetensors", "pt") as opened:
        assert {n: t.dtype for n, t in found.items()} == {n: opened.get_slice(n).get_dtype() for n in tensors}
    content = (tmp_path / "model.safetensors").read_bytes()
    scalar = found["scalar"]
    assert struct.unpack("<q", content[scalar.start : scalar.stop]) == (3,)
    assert found["a.weight"].numel == 48


def test_a_sound_file_of_our_own_hand_passes():
    assert read_header(io.BytesIO(written({"a": entry()}, bytes(8))))[0].shape == (2,)
    assert read_header(io.BytesIO(written({}))) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"abc", "3 bytes only"),
        (written("{}", length=MAX_HEADER + 1), "claims a header"),
        (written("{}", length=2**64 - 1), "claims a header"),
        (written("{}", length=100), "truncated inside its header"),
        (written(b'{"\xff": 1}'), "not UTF-8"),
        (written("{"), "broken"),
        (written('{"a": NaN}'), "broken"),
        (written('{"a": ' + "1" * 5000 + "}"), "broken"),
        (written("[]"), "not an object"),
        (written("[" * 100_000), "nested too deeply"),
        (written('{"a": ' * 50_000), "nested too deeply"),
        (written('{"a": {}, "a": {}}'), "twice"),
        (written({"a": 3}), "not an object"),
        (written({"a": entry(dtype="F33")}, bytes(8)), "unknown dtype"),
        (written({"a": entry(dtype=["F32"])}, bytes(8)), "unknown dtype"),
        (written({"a": entry(shape=(-2,))}, bytes(8)), "malformed shape"),
        (written({"a": entry(shape=(2.0,))}, bytes(8)), "malformed shape"),
        (written({"a": entry(shape=(True, 2))}, bytes(8)), "malformed shape"),
        (written({"a": entry(shape=(1,) * 33)}, bytes(8)), "malformed shape"),
        (written({"a": entry(shape=(2**64,))}, bytes(8)), "malformed shape"),
        (written({"a": {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}}, bytes(8)), "malformed shape"),
        (written({"a": entry(start=8, stop=0)}, bytes(8)), "malformed offsets"),
        (written({"a": entry(start=-8, stop=0)}, bytes(8)), "malformed offsets"),
        (written({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 9]}}, bytes(8)), "malformed offsets"),
        (written({"a": entry(shape=(3,))}, bytes(8)), "cannot fill 8 bytes"),
        (written({"a": entry(shape=(2**62, 2**62))}, bytes(8)), "cannot fill 8 bytes"),
        (written({"a": entry(), "b": entry(start=4, stop=12)}, bytes(12)), "overlaps"),
        (written({"a": entry(), "b": entry()}, bytes(8)), "overlaps"),
        (written({"a": entry(), "b": entry(start=12, stop=20)}, bytes(20)), "gap"),
        (written({"a": entry()}, bytes(7)), "is truncated"),
        (written({"a": entry()}, bytes(9)), "goes on"),
    ],
)
def test_hostile_headers_are_refused_with_their_reason(content, expected):
    assert expected in reason(content)


def test_no_byte_of_a_sound_file_can_be_missing(tmp_path):
    save_file({"a": torch.zeros(3), "b": torch.zeros(2, 2)}, tmp_path / "x.safetensors")
    content = (tmp_path / "x.safetensors").read_bytes()
    assert len(read_header(io.BytesIO(content))) == 2
    for length in range(len(content)):
        reason(content[:length])


def test_shards_are_joined(hub_repos):
    models = hub_repos / "models" / "acme"
    assert len(list((models / "sharded").glob("*.safetensors"))) > 1
    single = {(tensor.name, tensor.shape, tensor.dtype) for tensor in folder_tensors(models / "tiny-resnet")}
    assert {(tensor.name, tensor.shape, tensor.dtype) for tensor in folder_tensors(models / "sharded")} == single


@pytest.mark.parametrize(
    "shard", ["../other.safetensors", "/etc/passwd", "a\\..\\b.safetensors", "gone.safetensors", "config.json", 7]
)
def test_an_index_may_name_the_repositorys_own_shards_only(tmp_path, shard):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(SafetensorsError, match="names a shard"):
        folder_tensors(tmp_path)


@pytest.mark.parametrize(
    ("weight_map", "expected"),
    [
        ({"a": "1.safetensors", "b": "1.safetensors"}, "does not hold 'b'"),
        ({"a": "1.safetensors", "c": "2.safetensors"}, "two shards"),
        ({}, "no weight_map"),
    ],
)
def test_shards_must_hold_what_their_index_promises(tmp_path, weight_map, expected):
    save_file({"a": torch.zeros(1)}, tmp_path / "1.safetensors")
    save_file({"a": torch.zeros(1), "c": torch.zeros(1)}, tmp_path / "2.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(SafetensorsError, match=expected):
        folder_tensors(tmp_path)


def test_a_folder_without_safetensors_is_refused_by_name(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        folder_tensors(tmp_path)
    for name in ("a", "b"):
        save_file({"a": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(UserError, match="several safetensors files"):
        folder_tensors(tmp_path)


def test_headers_of_the_hub_cost_no_weights(hub):
    path = hub.folder.root / "models" / "acme" / "tiny-resnet" / "model.safetensors"
    large = {"w": torch.zeros(1 << 20), **{f"layer.{i}": torch.zeros(2) for i in range(1000)}}
    save_file(large, path)
    client = HubClient()
    for name in ("tiny-resnet", "sharded"):
        there = repo_tensors(client, client.resolve(f"acme/{name}"))
        assert there == folder_tensors(path.parent.parent / name)
    assert client.bytes_read < 200_000 < path.stat().st_size
    headers = [request for request in hub.requests if request.path.endswith("tiny-resnet/" + path.name)]
    assert all(request.status == 206 for request in headers)


def test_a_truncated_file_of_the_hub_is_told_as_such(hub):
    path = hub.folder.root / "models" / "acme" / "tiny-resnet" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    client = HubClient()
    with pytest.raises(SafetensorsError, match="is truncated"):
        repo_tensors(client, client.resolve("acme/tiny-resnet"))


def test_headers_that_were_read_once_are_there_without_network(hub):
    client, without = HubClient(), HubClient(offline=True)
    for name in ("acme/tiny-resnet", "acme/sharded"):
        repo = client.resolve(name)
        client.download(repo, "config.json")
        online = repo_tensors(client, repo)
        number = len(hub.requests)
        cached = without.resolve(name)
        assert repo_tensors(without, cached) == online == repo_tensors(client, repo)
        assert len(hub.requests) == number
        weights = {file for file in repo.files if file.path.endswith(".safetensors")}
        assert {file for file in cached.files if file.path.endswith(".safetensors")} == weights
        with pytest.raises(UserError, match="this run is offline"):
            without.read_ranges(cached, weights.pop().path, [(0, 8)])


def test_a_broken_header_cache_is_as_good_as_none(hub, hub_home):
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    expected = repo_tensors(client, repo)
    (kept,) = (hub_home / "crosssight" / "headers").rglob("*.json")
    for content in ("", "[]", '{"tensors": [[1]]}', '{"size": 1, "tensors": 3}'):
        kept.write_text(content)
        assert repo_tensors(client, repo) == expected
