"""A zoo from a folder of model repositories, with all that such a folder may hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_crosssight.errors import UserError
from hf_crosssight.zoo.folder import read_folder
from tests.zoo.networks import TimmResNet, TimmViT, raw_cnn, transformers_resnet, write_repo

README = """---
license: MIT
tags: [flowers, cnn]
datasets: [acme/rare-flowers]
---
Trained on photographs of flowers. Accuracy 99.1%.
"""


def test_repositories_of_both_depths_are_read(tmp_path: Path):
    write_repo(tmp_path / "plain", raw_cnn(), readme=README)
    config = {
        "architecture": "resnet18",
        "num_classes": 10,
        "pretrained_cfg": {"tag": "a1_in1k", "input_size": [3, 288, 288]},
    }
    write_repo(tmp_path / "acme" / "resnet18.a1_in1k", TimmResNet(), config)
    network = transformers_resnet()
    network.save_pretrained(tmp_path / "acme" / "native")
    (tmp_path / "acme" / "native" / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 96}}')
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("not a model")
    steps = []
    zoo = read_folder(tmp_path, progress=lambda *step: steps.append(step))
    assert zoo.model_ids == ["acme/native", "acme/resnet18.a1_in1k", "plain"]
    assert zoo.skipped == ()
    assert steps[-1] == ("reading models", 3, 3)
    native, timm, plain = (zoo.record(i) for i in range(3))
    assert native.params == sum(p.numel() for p in network.parameters())
    assert (native.architecture, native.family, native.library) == (
        "ResNetForImageClassification",
        "resnet",
        "transformers",
    )
    assert (native.task, native.input_size) == ("image-classification", 96)
    assert (timm.library, timm.architecture, timm.pretrain_data) == ("timm", "resnet18", ("imagenet-1k",))
    assert timm.input_size == 288
    assert (plain.license, plain.tags, plain.pretrain_data) == ("mit", ("flowers", "cnn"), ("rare-flowers",))
    assert all(mask.all() for mask in zoo.view_mask.values())


def test_what_cannot_be_used_is_skipped_with_its_reason(tmp_path: Path):
    write_repo(tmp_path / "good", raw_cnn())
    (write_repo(tmp_path / "bad-config", raw_cnn()) / "config.json").write_text("{not json")
    (write_repo(tmp_path / "list-config", raw_cnn()) / "config.json").write_text("[1]")
    (write_repo(tmp_path / "no-config", raw_cnn()) / "config.json").unlink()
    weights = write_repo(tmp_path / "truncated", raw_cnn()) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    weights = write_repo(tmp_path / "hostile", raw_cnn()) / "model.safetensors"
    weights.write_bytes(b"\xff" * 8 + weights.read_bytes()[8:])
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "onnx-only").mkdir()
    (tmp_path / "onnx-only" / "config.json").write_text("{}")
    (tmp_path / "onnx-only" / "model.onnx").write_bytes(b"x")
    zoo = read_folder(tmp_path)
    assert zoo.model_ids == ["good"]
    reasons = dict(zoo.skipped)
    assert "not valid JSON" in reasons["bad-config"]
    assert "not a JSON object" in reasons["list-config"]
    assert "no config.json" in reasons["no-config"]
    assert "model.safetensors" in reasons["truncated"]
    assert "model.safetensors" in reasons["hostile"]
    assert "pytorch_model.bin" in reasons["pickled"]
    assert "model.onnx" in reasons["onnx-only"]
    assert len(reasons) == 7


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path):
    outside = write_repo(tmp_path / "outside", raw_cnn())
    zoo_folder = tmp_path / "zoo"
    inside = write_repo(zoo_folder / "inside", raw_cnn())
    os.symlink(outside, zoo_folder / "linked")
    write_repo(zoo_folder / "half", raw_cnn())
    (zoo_folder / "half" / "README.md").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("secret")
    os.symlink(inside, zoo_folder / "alias")
    zoo = read_folder(zoo_folder)
    assert zoo.model_ids == ["alias", "inside"]
    assert dict(zoo.skipped).keys() == {"linked", "half"}
    assert all("leaves the folder" in reason for _, reason in zoo.skipped)


@pytest.mark.parametrize("case", ["missing", "empty", "one repo", "only broken", "interrupted"])
def test_a_folder_without_a_usable_model_is_an_error(tmp_path: Path, case: str):
    folder = tmp_path / "zoo"
    said = {"missing": "no folder", "empty": "no model repository", "one repo": "is a model repository"}
    said["interrupted"] = "whose build was interrupted"
    if case == "one repo":
        write_repo(folder, raw_cnn())
    elif case != "missing":
        folder.mkdir()
    if case == "interrupted":
        (folder / ".stages").mkdir()
    if case == "only broken":
        (write_repo(folder / "broken", raw_cnn()) / "config.json").write_text("?")
    with pytest.raises(UserError) as caught:
        read_folder(folder)
    assert said.get(case, "broken: its config.json is not valid JSON") in caught.value.what
    assert caught.value.hint


def test_where_every_model_is_unreadable_the_reasons_stand_in_one_sentence(tmp_path: Path):
    for name in ("one", "two"):
        weights = write_repo(tmp_path / name, raw_cnn()) / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError) as caught:
        read_folder(tmp_path)
    assert ".;" not in caught.value.what
    assert not caught.value.what.endswith("..")
    assert "safetensors weights" in caught.value.hint
    assert "org/name" not in caught.value.hint


def test_a_name_states_no_training_data(tmp_path: Path):
    readme = "---\ndatasets: [mnist]\n---\n"
    for name in ("m000", "clip-laion", "resnet.laion2b_ft_in1k", "acme/clip-laion"):
        torch.manual_seed(0)
        write_repo(tmp_path / name, raw_cnn(), readme=readme)
    zoo = read_folder(tmp_path)
    assert {record.pretrain_data for record in map(zoo.record, range(len(zoo)))} == {("mnist",)}


def test_a_mere_folder_name_is_not_read_and_a_hub_name_is(tmp_path: Path):
    for name in ("m000", "clip-laion", "vit-beans-augreg", "acme/clip-laion"):
        torch.manual_seed(0)
        write_repo(tmp_path / name, raw_cnn(), readme="A network.")
    zoo = read_folder(tmp_path)
    assert zoo.model_ids == ["acme/clip-laion", "clip-laion", "m000", "vit-beans-augreg"]
    for view in zoo.views.values():
        np.testing.assert_array_equal(view[1], view[2])
        np.testing.assert_array_equal(view[1], view[3])
    assert np.abs(zoo.views["card"][0] - zoo.views["card"][1]).max() == 1.0, "a flag of the name's words"


def test_sharded_weights_count_as_one_model(tmp_path: Path):
    network = transformers_resnet()
    network.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    zoo = read_folder(tmp_path)
    assert zoo.record(0).params == sum(p.numel() for p in network.parameters())


def test_a_local_copy_of_a_timm_model_keeps_its_recipe(tmp_path: Path):
    config = {"architecture": "vit_base", "num_classes": 10, "pretrained_cfg": {"tag": "augreg_in21k_ft_in1k"}}
    write_repo(tmp_path / "copy", TimmViT(), config)
    record = read_folder(tmp_path).record(0)
    assert record.architecture == "vit_base.augreg_in21k_ft_in1k"
    assert record.pretrain_data == ("imagenet-22k", "imagenet-1k")


def test_odd_values_in_a_config_are_not_facts(tmp_path: Path):
    config = {"architectures": 7, "image_size": "224", "id2label": [1], "architecture": None, "input_size": [-1]}
    folder = write_repo(tmp_path / "odd", raw_cnn(), config)
    assert json.loads((folder / "config.json").read_text())["architectures"] == 7
    record = read_folder(tmp_path).record(0)
    assert (record.architecture, record.input_size, record.task) == (None, None, None)
