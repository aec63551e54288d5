"""`open_zoo`: everything that may be named, and single models of the Hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hub.client import HubClient
from hf_crosssight.zoo import open_zoo
from hf_crosssight.zoo.folder import read_folder
from tests.hub import LoopbackHub
from tests.zoo.networks import TimmResNet, raw_cnn, write_repo

KNOWN = "timm/resnet50.a1_in1k"


def serve_model(tmp_path: Path, name: str, network=None) -> Path:
    folder = tmp_path / "hub" / "models" / "acme" / name
    return write_repo(folder, network or TimmResNet(), readme="---\nlicense: mit\n---")


def test_a_folder_an_index_and_the_bundled_zoo(tmp_path: Path):
    write_repo(tmp_path / "repos" / "cnn", raw_cnn())
    zoo = open_zoo(tmp_path / "repos")
    assert zoo.model_ids == ["cnn"]
    zoo.save(tmp_path / "index")
    assert open_zoo(str(tmp_path / "index")).model_ids == ["cnn"]
    assert KNOWN in open_zoo("starter").model_ids


@pytest.mark.parametrize("spec", ["./nowhere", "/nowhere/at/all", Path("nowhere")])
def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub(spec):
    with pytest.raises(UserError, match="no folder"):
        open_zoo(spec)


def test_named_models_come_from_the_zoo_or_the_hub_in_the_order_asked_for(tmp_path: Path, hub: LoopbackHub):
    serve_model(tmp_path, "new")
    zoo = open_zoo("starter", client=HubClient(), models=["acme/new", KNOWN, "acme/new"])
    assert zoo.model_ids == ["acme/new", KNOWN]
    new = zoo.record(0)
    assert new.license == "mit"
    assert new.params == sum(p.numel() for p in TimmResNet().parameters())
    assert new.revision
    assert len(new.revision) == 40
    assert zoo.id == "named models"
    assert zoo.sources == open_zoo("starter").sources
    pinned = open_zoo("starter", client=HubClient(), models=[f"acme/new@{new.revision}"])
    assert pinned.record(0) == new


def test_only_headers_of_the_weights_are_fetched(tmp_path: Path, hub: LoopbackHub):
    folder = serve_model(tmp_path, "wide", TimmResNet(widths=(64, 128, 256)))
    client = HubClient()
    open_zoo("starter", client=client, models=["acme/wide"])
    size = (folder / "model.safetensors").stat().st_size
    assert size > 4_000_000
    assert 0 < client.bytes_read < size / 10


def test_no_hub_is_asked_for_models_of_the_zoo():
    assert open_zoo("starter", client=HubClient(offline=True), models=[KNOWN]).model_ids == [KNOWN]
    assert open_zoo("starter", client=HubClient(offline=True), models=[KNOWN]).id == "starter"


@pytest.mark.parametrize("spec", ["nope", "acme/nope", "not a zoo"])
def test_a_misspelt_zoo_is_told_as_a_zoo(spec: str, hub: LoopbackHub):
    for client in (HubClient(), HubClient(offline=True)):
        with pytest.raises(UserError) as caught:
            open_zoo(spec, client=client)
        assert caught.value.what.startswith(f'There is no zoo "{spec}": ')
        assert "starter" in caught.value.hint


def test_a_model_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, hub: LoopbackHub):
    (serve_model(tmp_path, "broken") / "config.json").write_text("{")
    folder = serve_model(tmp_path, "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for name, reason in (("broken", "not valid JSON"), ("pickled", "pickled only"), ("missing", "acme/missing")):
        with pytest.raises(UserError) as caught:
            open_zoo("starter", client=HubClient(), models=[f"acme/{name}"])
        assert f"acme/{name}" in caught.value.what
        assert reason in caught.value.what


def test_an_index_of_the_hub(tmp_path: Path, hub: LoopbackHub):
    write_repo(tmp_path / "repos" / "cnn", raw_cnn())
    read_folder(tmp_path / "repos").save(tmp_path / "hub" / "datasets" / "acme" / "zoo")
    zoo = open_zoo("acme/zoo", client=HubClient())
    assert (zoo.id, zoo.model_ids) == ("acme/zoo", ["cnn"])
    shutil.copytree(tmp_path / "repos" / "cnn", tmp_path / "hub" / "datasets" / "acme" / "other")
    with pytest.raises(UserError, match="not a zoo index"):
        open_zoo("acme/other", client=HubClient())
