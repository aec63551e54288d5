"""Building an index over HTTP, from a Hub whose models and answers may be hostile."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.zoo.build import build_zoo
from hf_crosssight.zoo.grow import add_models
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import read_skipped
from hf_crosssight.zoo.model_source import FolderSource, HubSource
from tests.hub import Fault, LoopbackHub
from tests.zoo.small_zoo import content, write_model, write_models
from tests.zoo.test_build import hostile_models

VIEWS = ("structure", "weights", "lineage")


def source(*ids: str, client: HubClient | None = None) -> HubSource:
    return HubSource(client or HubClient(), ids)


@pytest.fixture
def models(hub: LoopbackHub, tmp_path: Path) -> list[str]:
    return write_models(tmp_path / "hub" / "models", 4)


def test_the_hub_and_a_folder_give_the_same_views(models: list[str], tmp_path: Path):
    report = build_zoo(source(*models), tmp_path / "hubs", views=VIEWS)
    build_zoo(FolderSource(tmp_path / "hub" / "models"), tmp_path / "folders", views=VIEWS)
    hubs, folders = ZooIndex.open(tmp_path / "hubs"), ZooIndex.open(tmp_path / "folders")
    assert hubs.model_ids == folders.model_ids == models
    for name in VIEWS:
        np.testing.assert_array_equal(hubs.views[name], folders.views[name])
    assert hubs.record(0).sources == ("hub",)
    assert report.bytes_read > 0


def test_weights_are_read_by_range_and_small_files_once(hub: LoopbackHub, tmp_path: Path):
    write_model(tmp_path / "hub" / "models" / "acme" / "wide", width=256)
    from hf_crosssight.zoo.model_views import ViewPlan

    budget = 1 << 18
    build_zoo(source("acme/wide"), tmp_path / "index", views=VIEWS, plan=ViewPlan((), budget))
    assert hub.bytes_sent("model.safetensors") < 1.05 * budget + (1 << 15)
    before = len(hub.requests)
    assert build_zoo(source("acme/wide"), tmp_path / "index", views=VIEWS, plan=ViewPlan((), budget)).read == 0
    assert len(hub.requests) == before + 1, "to ask for the commit"


def test_a_build_that_is_interrupted_goes_on(models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from hf_crosssight.zoo.stages import Stages

    index, put, staged = tmp_path / "index", Stages.put, []

    def only_two(self: Stages, key: str, made) -> None:
        if len(staged) == 2:
            raise KeyboardInterrupt
        put(self, key, made)
        staged.append(key)

    monkeypatch.setattr(Stages, "put", only_two)
    with pytest.raises(KeyboardInterrupt):
        build_zoo(source(*models), index, views=VIEWS, workers=1)
    assert not (index / "index.json").exists()
    monkeypatch.setattr(Stages, "put", put)
    assert build_zoo(source(*models), index, views=VIEWS).read == 2
    build_zoo(source(*models), tmp_path / "whole", views=VIEWS)
    assert content(index) == content(tmp_path / "whole")


FAULTS = {
    "unauthorised": Fault(status=401),
    "forbidden": Fault(status=403),
    "missing": Fault(status=404),
    "range": Fault(status=416),
    "busy": Fault(status=503),
    "cut": Fault(cut_after=1000),
    "short": Fault(wrong_length=-64),
}


def test_every_fault_of_the_hub_costs_one_model(
    hub: LoopbackHub, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    for name, fault in FAULTS.items():
        write_model(tmp_path / "hub" / "models" / "bad" / name)
        hub.faults.add(f"*/bad/{name}/resolve/*/model.safetensors", fault, times=1000)
    names = [f"bad/{name}" for name in FAULTS]
    report = build_zoo(source(*models[:2], *names, "no/such-model", "acme/closed", *models[2:]), tmp_path / "index",
                       views=VIEWS, workers=4)  # fmt: skip
    assert ZooIndex.open(tmp_path / "index").model_ids == models
    assert set(report.skipped) == {*names, "no/such-model", "acme/closed"}
    assert all(reason and "Traceback" not in reason for reason in report.skipped.values())
    assert read_skipped(tmp_path / "index")[0] == report.skipped
    hub.faults.clear()
    healed = build_zoo(source(*models, *names), tmp_path / "index", views=VIEWS)
    assert (healed.num_models, healed.read, healed.skipped) == (4 + len(names), len(names), {})


def test_a_server_that_asks_to_wait_is_waited_for(hub: LoopbackHub, models: list[str], tmp_path: Path):
    hub.faults.add(f"*/{models[1]}/resolve/*", Fault(status=429, headers={"Retry-After": "0"}), times=2)
    assert build_zoo(source(*models), tmp_path / "index", views=VIEWS).skipped == {}


def test_a_server_that_ignores_ranges_is_read_all_the_same(hub: LoopbackHub, models: list[str], tmp_path: Path):
    build_zoo(source(*models), tmp_path / "plain", views=VIEWS)
    (tmp_path / "hf_home").rename(tmp_path / "used_home")
    hub.faults.add("*/model.safetensors", Fault(ignore_range=True), times=1000)
    build_zoo(source(*models), tmp_path / "index", views=VIEWS)
    assert content(tmp_path / "index") == content(tmp_path / "plain")


def test_hostile_repositories_of_the_hub_are_told(hub: LoopbackHub, models: list[str], tmp_path: Path):
    expected = hostile_models(tmp_path / "hub" / "models")
    expected.pop("bad/linked")
    report = build_zoo(source(*models, *expected), tmp_path / "index", views=VIEWS)
    assert report.num_models == 4
    assert report.skipped.keys() == expected.keys()
    for name, words in expected.items():
        assert words in report.skipped[name], name


def test_a_hub_that_is_down_for_all_is_the_hubs_fault(hub: LoopbackHub, models: list[str], tmp_path: Path):
    for name in models:
        hub.faults.add(f"*{name}*", Fault(status=500), times=1000)
    with pytest.raises(HubError) as caught:
        build_zoo(source(*models), tmp_path / "index", views=VIEWS, workers=4)
    assert caught.value.exit_code == 3
    assert models[0] in caught.value.what
    with pytest.raises(UserError):
        build_zoo(source("no/such-model", "none/either"), tmp_path / "index", views=VIEWS)


def test_one_repository_under_two_names_stands_once(hub: LoopbackHub, models: list[str], tmp_path: Path):
    hub.redirects["old-name"] = models[2]
    report = build_zoo(source(*models, "old-name", models[0]), tmp_path / "index", views=VIEWS)
    assert report.num_models == 4
    assert models[2] in report.skipped["old-name"]


def test_a_model_is_added_stays_and_is_replaced_by_a_newer_commit(models: list[str], tmp_path: Path):
    index, hub_models = tmp_path / "index", tmp_path / "hub" / "models"
    build_zoo(source(*models[:3]), index, views=VIEWS)
    first = content(index)
    added = add_models(index, source(*models[1:]))
    assert (added.num_models, added.read) == (4, 1)
    shards = {name for name in first if name.startswith(("records", "structure", "weights"))}
    assert all(content(index)[name] == first[name] for name in shards), "shards are never rewritten"
    assert add_models(index, source(*models)).read == 0
    old = ZooIndex.open(index)
    write_model(hub_models / models[1], seed=77, license="gpl-3.0")
    assert add_models(index, source(*models)).read == 1
    new = ZooIndex.open(index)
    assert sorted(new.model_ids) == models
    row, before = new.model_ids.index(models[1]), old.model_ids.index(models[1])
    assert new.record(row).license == "gpl-3.0"
    assert new.record(row).revision != old.record(before).revision
    assert not np.array_equal(new.views["weights"][row], old.views["weights"][before])
    for view in new.views.values():
        assert view.shape[0] == 4
    assert new.description is not None
    assert len(new.description.shards) == 3


def test_an_index_built_at_once_ranks_as_one_that_grew(models: list[str], tmp_path: Path):
    build_zoo(source(*models), tmp_path / "whole", views=VIEWS)
    build_zoo(source(*models[:2]), tmp_path / "grown", views=VIEWS)
    add_models(tmp_path / "grown", source(*models[2:]))
    whole, grown = ZooIndex.open(tmp_path / "whole"), ZooIndex.open(tmp_path / "grown")
    assert whole.table.equals(grown.table)
    for name in VIEWS:
        np.testing.assert_array_equal(whole.views[name], grown.views[name])


def test_a_pinned_revision_is_read_at_that_commit(hub: LoopbackHub, models: list[str], tmp_path: Path):
    write_model(tmp_path / "hub" / "models" / f"{models[0]}@old", seed=50)
    report = build_zoo(source(f"{models[0]}@old", models[1]), tmp_path / "index", views=VIEWS)
    assert report.num_models == 2
    zoo = ZooIndex.open(tmp_path / "index")
    assert zoo.record(0).revision == hub.folder.at("models", models[0], "old").sha()
    assert zoo.record(0).revision != hub.folder.at("models", models[0]).sha()


def test_adding_to_what_is_no_index_says_so(models: list[str], tmp_path: Path):
    with pytest.raises(UserError, match="is not a zoo index"):
        add_models(tmp_path / "nothing", source(*models))
    assert not (tmp_path / "nothing").exists()
