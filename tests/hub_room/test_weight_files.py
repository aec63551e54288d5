"""Weights of a folder and of the Hub through one interface: what is asked for, in order, as it was written."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.hub.weight_files import TensorBlock, TensorInfo, folder_weights, repo_weights

NAMES = ("tiny-resnet", "sharded")


def whole(files):
    """Every tensor of a model, read back and put in shape."""
    blocks = [TensorBlock(tensor, 0, tensor.numel) for tensor in files.tensors]
    found = {tensor.name: [] for tensor in files.tensors}
    for piece in files.read(blocks):
        found[piece.name].append(piece.values())
    return {tensor.name: np.concatenate(found[tensor.name]).reshape(tensor.shape) for tensor in files.tensors}


def original(folder):
    return {k: t.float().numpy() for path in folder.glob("*.safetensors") for k, t in load_file(path).items()}


@pytest.fixture(params=["folder", "hub"])
def opened(request, hub):
    """Opens a model by name, from the folder or over HTTP: `opened("tiny-resnet")`."""
    models = hub.folder.root / "models" / "acme"
    client = HubClient()

    def open_weights(name):
        return (
            folder_weights(models / name)
            if request.param == "folder"
            else repo_weights(client, client.resolve(f"acme/{name}"))
        )

    open_weights.models = models
    return open_weights


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_is_read_as_it_was_written(opened, name):
    files = opened(name)
    expected = original(opened.models / name)
    found = whole(files)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values)
    assert files.num_tensors == len(expected)
    assert files.total_bytes == sum(tensor.nbytes for tensor in files.tensors)
    assert files.num_shards == files.shards_read == len(list((opened.models / name).glob("*.safetensors")))
    assert len(files.revision) == len(files.fingerprint) == 40


def test_blocks_come_in_the_order_asked_for_whatever_the_order(opened):
    files = opened("sharded")
    expected = original(opened.models / "sharded")
    rng = np.random.default_rng(0)
    blocks = [TensorBlock(t, n // 3, n) for t in files.tensors for n in [t.numel]] * 2
    blocks = [blocks[index] for index in rng.permutation(len(blocks))]
    pieces = list(files.read(iter(blocks)))
    assert [piece.block for piece in pieces] == blocks
    for piece in pieces:
        flat = expected[piece.name].ravel()[piece.block.start : piece.block.stop]
        np.testing.assert_array_equal(piece.values(), flat)
        assert piece.shape == expected[piece.name].shape


def test_a_large_block_comes_in_pieces_and_progress_is_told(opened):
    values = torch.arange(3_000_000, dtype=torch.float32)
    save_file({"w": values}, opened.models / "tiny-resnet" / "model.safetensors")
    files = opened("tiny-resnet")
    told = []
    pieces = list(files.read([TensorBlock(files.tensors[0], 1, 3_000_000)], progress=lambda *step: told.append(step)))
    assert len(pieces) == 3
    assert max(len(piece.data) for piece in pieces) == 4 << 20
    np.testing.assert_array_equal(np.concatenate([piece.values() for piece in pieces]), values[1:].numpy())
    assert told[-1] == ("reading weights", 11_999_996, 11_999_996)


def test_elements_smaller_than_a_byte_are_cut_at_whole_bytes():
    tensor = TensorInfo("w", "F6_E2M3", (4, 1_000_000), "x", 100, 100 + 3_000_000)
    pieces = list(TensorBlock(tensor, 4, 4_000_000).pieces(1000))
    assert pieces[0].span == (103, 103 + 999)
    assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    assert all(piece.nbytes <= 1000 for piece in pieces)
    assert pieces[-1].span[1] == tensor.stop
    with pytest.raises(ValueError, match="no block of whole bytes"):
        _ = TensorBlock(tensor, 1, 8).span


@pytest.mark.parametrize(("start", "stop"), [(0, 49), (-1, 2), (5, 3)])
def test_blocks_outside_a_tensor_are_our_own_mistake(opened, start, stop):
    save_file({"a": torch.zeros(48), "b": torch.zeros(9)}, opened.models / "tiny-resnet" / "model.safetensors")
    files = opened("tiny-resnet")
    with pytest.raises(ValueError, match="no block of whole bytes"):
        list(files.read([TensorBlock(files.tensors[0], start, stop)]))
    foreign = TensorInfo("a", "F32", (4,), "../secret", 0, 16)
    with pytest.raises(ValueError, match="no tensor of this model"):
        list(files.read([TensorBlock(foreign, 0, 4)]))


def test_tensors_without_numbers_are_told_with_their_reason(opened):
    tensors = {"w": torch.ones(2, 2), "mask": torch.ones(3, dtype=torch.bool), "none": torch.zeros(0, 4)}
    save_file(tensors | {"steps": torch.tensor(7)}, opened.models / "tiny-resnet" / "model.safetensors")
    files = opened("tiny-resnet")
    assert {name for name, _ in files.skipped} == {"mask", "none", "steps"}
    assert dict(files.skipped)["mask"] == "a mask of booleans"
    assert [tensor.name for tensor in files.numeric] == ["w"]


def test_weights_that_are_not_finite_are_given_as_they_are(opened):
    values = torch.tensor([1.0, float("nan"), float("-inf")])
    save_file({"w": values}, opened.models / "tiny-resnet" / "model.safetensors")
    np.testing.assert_array_equal(whole(opened("tiny-resnet"))["w"], values.numpy())


def test_a_folder_has_the_revision_of_its_headers_and_the_fingerprint_of_its_content(tmp_path):
    torch.manual_seed(0)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        save_file({"w": torch.randn(300, 300)}, tmp_path / name / "model.safetensors")
    shutil.copy(tmp_path / "a" / "model.safetensors", tmp_path / "c")
    a, b, c = (folder_weights(tmp_path / name) for name in ("a", "b", "c"))
    assert a.revision == b.revision == c.revision
    assert a.fingerprint == c.fingerprint != b.fingerprint
    save_file({"v": torch.randn(300, 300)}, tmp_path / "c" / "model.safetensors")
    assert folder_weights(tmp_path / "c").revision != a.revision


def test_a_link_may_lead_into_the_hubs_cache_but_not_out_of_the_folder(hub, tmp_path):
    client = HubClient()
    snapshot = client.snapshot(client.resolve("acme/tiny-resnet"))
    assert (snapshot / "model.safetensors").is_symlink()
    assert folder_weights(snapshot).num_tensors > 5
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "model.safetensors").symlink_to((snapshot / "model.safetensors").resolve())
    with pytest.raises(UserError, match="leaves the folder"):
        folder_weights(tmp_path / "own")


def test_a_local_file_that_changes_while_it_is_read_is_told_as_such(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(1 << 20), "v": torch.zeros(9)}, path)
    files = folder_weights(tmp_path)
    blocks = [TensorBlock(tensor, 0, tensor.numel) for tensor in files.tensors]
    stream = files.read(blocks)
    next(stream)
    os.truncate(path, 1000)
    with pytest.raises(UserError, match="changed while it was read"):
        list(stream)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        list(files.read(blocks))


def test_a_model_of_many_shards_is_known_by_sixteen_of_them(hub):
    folder = hub.folder.root / "models" / "acme" / "many"
    folder.mkdir()
    weight_map = {}
    for shard in range(40):
        name = f"model-{shard + 1:05d}-of-00040.safetensors"
        tensors = {f"layers.{shard}.{k}": torch.full((50 + shard,), float(shard)) for k in range(3)}
        save_file(tensors, folder / name)
        weight_map |= dict.fromkeys(tensors, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    client = HubClient()
    repo = client.resolve("acme/many")
    files = repo_weights(client, repo)
    assert (files.num_shards, files.shards_read, files.num_tensors) == (40, 16, 120)
    read = sorted({tensor.file for tensor in files.tensors})
    assert (read[0][6:11], read[-1][6:11]) == ("00001", "00040")
    gaps = np.diff([int(name[6:11]) for name in read])
    assert gaps.max() <= 6
    assert len(files.tensors) + len(files.unread) == 120
    exact = folder_weights(folder)
    assert exact.shards_read == 40
    assert abs(files.total_bytes - exact.total_bytes) <= 0.05 * exact.total_bytes
    headers = {request.path for request in hub.requests if request.path.endswith(".safetensors")}
    assert len(headers) == 16
    assert {tensor.name for tensor in repo_weights(client, repo).tensors} == {t.name for t in files.tensors}


def test_a_folder_that_cannot_be_read_is_the_users_error(tmp_path, monkeypatch):
    save_file({"w": torch.zeros(9)}, tmp_path / "model.safetensors")

    def refuse(*args, **given):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hf_crosssight.hub.weight_files.read_header", refuse)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        folder_weights(tmp_path)
