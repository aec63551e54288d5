"""Upgrading an index: only what a new specification changed, or what is missing and asked for, is made again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo.build import build_zoo
from hf_crosssight.zoo.grow import add_models
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import read_skipped
from hf_crosssight.zoo.model_source import FolderSource, HubSource
from hf_crosssight.zoo.upgrade import upgrade_zoo
from tests.hub import LoopbackHub
from tests.zoo.small_zoo import content, write_model, write_models

VIEWS_BUILT = ("structure", "weights", "lineage")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index of five models of a folder, two of them added later."""
    write_models(tmp_path / "models", 3)
    build_zoo(FolderSource(tmp_path / "models"), tmp_path / "index", views=VIEWS_BUILT)
    write_models(tmp_path / "models", 5)
    add_models(tmp_path / "index", FolderSource(tmp_path / "models"))
    return tmp_path / "index"


def of_folder(tmp_path: Path):
    return lambda names: FolderSource(tmp_path / "models", tuple(names))


def pretend_built_to(index: Path, **specs: str) -> None:
    path = index / "index.json"
    description = json.loads(path.read_text())
    description["specs"] |= specs
    path.write_text(json.dumps(description))


def test_only_the_outdated_view_is_made_again(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = content(index)
    whole = ZooIndex.open(index)
    pretend_built_to(index, structure="structure/0")
    assert "structure" not in ZooIndex.open(index).views
    with pytest.raises(UserError, match="structure/0"):
        add_models(index, FolderSource(tmp_path / "models"))
    monkeypatch.setattr("hf_crosssight.tokens.weights.weights_view", lambda *_, **__: pytest.fail("not asked for"))
    report = upgrade_zoo(index, of_folder(tmp_path))
    assert (report.read, report.skipped) == (5, {})
    assert content(index) == before, "the same specification gives the same bytes"
    upgraded = ZooIndex.open(index)
    assert upgraded.notes == ()
    np.testing.assert_array_equal(upgraded.views["structure"], whole.views["structure"])


def test_an_index_of_this_release_needs_nothing(index: Path, tmp_path: Path):
    before = content(index)
    report = upgrade_zoo(index, lambda _: FolderSource(tmp_path / "nowhere"))
    assert (report.read, report.num_models, content(index)) == (0, 5, before)


def test_a_view_is_added_and_nothing_else_touched(index: Path, tmp_path: Path):
    before = content(index)
    report = upgrade_zoo(index, of_folder(tmp_path), views=("card",))
    assert report.views["card"] == 5
    zoo = ZooIndex.open(index)
    assert tuple(zoo.views) == ("structure", "card", "weights", "lineage")
    kept = {name: data for name, data in before.items() if name.startswith(("records", "structure", "weights"))}
    assert {name: content(index)[name] for name in kept} == kept


def test_models_that_lack_a_view_get_it(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from hf_crosssight.tokens import weights

    monkeypatch.setattr(weights, "weights_view", lambda *_, **__: (_ for _ in ()).throw(ValueError("out of order")))
    write_model(tmp_path / "models" / "acme" / "late", seed=9)
    report = add_models(index, FolderSource(tmp_path / "models"))
    assert report.missing_views == {"acme/late": {"weights": "out of order"}}
    monkeypatch.undo()
    assert upgrade_zoo(index, of_folder(tmp_path)).read == 0, "what is not asked for stays away"
    upgraded = upgrade_zoo(index, of_folder(tmp_path), views=("weights",))
    assert (upgraded.read, upgraded.views["weights"]) == (1, 6)
    assert read_skipped(index) == ({}, {})


def test_another_byte_budget_makes_the_weights_again(tmp_path: Path):
    write_model(tmp_path / "models" / "acme" / "wide", width=128)
    build_zoo(FolderSource(tmp_path / "models"), tmp_path / "index", views=VIEWS_BUILT)
    report = upgrade_zoo(tmp_path / "index", of_folder(tmp_path), byte_budget=1 << 16)
    assert report.bytes_read <= 1.05 * (1 << 16)
    zoo = ZooIndex.open(tmp_path / "index")
    assert zoo.description is not None
    assert zoo.description.byte_budget == 1 << 16
    assert zoo.view_mask["weights"].all()


def test_a_model_that_is_gone_keeps_its_row_and_loses_the_view(index: Path, tmp_path: Path):
    pretend_built_to(index, weights="weights/0")
    (tmp_path / "models/acme/net01/config.json").unlink()
    report = upgrade_zoo(index, of_folder(tmp_path))
    assert report.skipped.keys() == {"acme/net01"}
    zoo = ZooIndex.open(index)
    assert len(zoo) == 5
    assert zoo.view_mask["weights"].tolist() == [True, False, True, True, True]
    assert "config.json" in read_skipped(index)[1]["acme/net01"]["weights"]


def test_models_of_the_hub_are_read_at_the_commit_of_the_index(hub: LoopbackHub, tmp_path: Path):
    ids = write_models(tmp_path / "hub" / "models", 2)
    build_zoo(HubSource(HubClient(), tuple(ids)), tmp_path / "index", views=("structure",))
    asked = []

    def source_of(names):
        asked.extend(names)
        return HubSource(HubClient(), tuple(names))

    upgrade_zoo(tmp_path / "index", source_of, views=("weights",))
    revisions = ZooIndex.open(tmp_path / "index").table.column("revision").to_pylist()
    assert asked == [f"{name}@{revision}" for name, revision in zip(ids, revisions, strict=True)]
    build_zoo(HubSource(HubClient(), tuple(ids)), tmp_path / "whole", views=("structure", "weights"))
    assert content(tmp_path / "index") == content(tmp_path / "whole")


class Signs:
    """A weight encoder of the tests: signs of the summary row."""

    def __init__(self, salt: str) -> None:
        self.id = f"signs@{hashlib.sha256(salt.encode()).hexdigest()[:6]}"

    def codes(self, views: np.ndarray) -> np.ndarray:
        rows, columns = VIEWS["arch2vec"].shape
        found = np.zeros((len(views), rows, columns), np.float32)
        found[:, 0, 0] = 1
        found[:, 0, 1 : 1 + min(views.shape[2], columns - 1)] = np.sign(views[:, 0, : columns - 1])
        return found


@pytest.mark.skipif("arch2vec" not in VIEWS, reason="this release has no arch2vec view")
def test_codes_are_kept_with_the_encoder_that_made_them(index: Path, tmp_path: Path):
    report = upgrade_zoo(index, of_folder(tmp_path), encoder=Signs("a"))
    assert (report.read, report.views["arch2vec"]) == (0, 5)
    zoo = ZooIndex.open(index)
    assert zoo.description is not None
    assert zoo.description.encoders == {"arch2vec": Signs("a").id}
    np.testing.assert_array_equal(zoo.views["arch2vec"], Signs("a").codes(zoo.views["weights"]))
    write_model(tmp_path / "models" / "acme" / "late", seed=9)
    for encoder in (None, Signs("b")):
        with pytest.raises(UserError, match="arch2vec codes"):
            add_models(index, FolderSource(tmp_path / "models"), encoder=encoder)
    assert add_models(index, FolderSource(tmp_path / "models"), encoder=Signs("a")).views["arch2vec"] == 6
    build_zoo(FolderSource(tmp_path / "models"), tmp_path / "whole", views=VIEWS_BUILT, encoder=Signs("a"))
    whole, grown = ZooIndex.open(tmp_path / "whole"), ZooIndex.open(index)
    row = [whole.model_ids.index(name) for name in grown.model_ids]
    np.testing.assert_array_equal(whole.views["arch2vec"][row], grown.views["arch2vec"])
