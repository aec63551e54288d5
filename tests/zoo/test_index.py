"""The index: what goes in comes out, also from disk; damage and other versions are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo.index import ZooIndex, is_index
from hf_crosssight.zoo.record import ModelRecord

MEASURED = [{"device": "rtx4090", "precision": "amp", "compiler": "eager", "batch_size": 256, "throughput": 1000.0}]


def record(number: int) -> ModelRecord:
    return ModelRecord(
        model_id=f"acme/m{number}",
        revision=None if number % 2 else f"{number:040x}",
        task="image-classification",
        tags=("vision", f"t{number}") if number else (),
        pretrain_data=("imagenet-22k", "imagenet-1k")[: number % 3],
        params=1000 * number or None,
        gmacs=0.5,
        input_size=224,
        sources=("test",),
    )


HELD = ("structure", "card")


def zoo_of(count: int, *, shared: bool = False) -> ZooIndex:
    """A zoo of random views; `shared` rows are the same for all models but one number."""
    rng = np.random.default_rng(0)
    entries = []
    for number in range(count):
        views = {name: rng.normal(size=VIEWS[name].shape).astype(np.float32) for name in HELD}
        if shared:
            views = {name: np.ones(VIEWS[name].shape, np.float32) * (number % 2) for name in HELD}
        if number == 1:
            views.pop("card")
        entries.append((record(number), views))
    return ZooIndex.from_entries(entries, id="test", hardware=[MEASURED, *[None] * (count - 1)], skipped=(("x", "y"),))


@pytest.mark.parametrize("shared", [False, True], ids=["distinct", "shared rows"])
def test_saved_index_opens_as_it_was(tmp_path: Path, shared: bool):
    zoo = zoo_of(7, shared=shared)
    zoo.save(tmp_path / "index")
    opened = ZooIndex.open(tmp_path / "index")
    assert opened.id == str(tmp_path / "index")
    assert opened.model_ids == [f"acme/m{number}" for number in range(7)]
    assert [opened.record(i) for i in range(7)] == [record(i) for i in range(7)]
    for name in HELD:
        np.testing.assert_array_equal(opened.views[name], zoo.views[name])
        np.testing.assert_array_equal(opened.view_mask[name], zoo.view_mask[name])
    assert opened.view_mask["card"].tolist() == [True, False, True, True, True, True, True]
    assert opened.hardware(0) == {"rtx4090": {k: v for k, v in MEASURED[0].items() if k != "device"}}
    assert opened.hardware(1) is None


def test_distinct_views_are_mapped_and_shared_rows_are_kept_once(tmp_path: Path):
    zoo_of(40).save(tmp_path / "distinct")
    zoo_of(40, shared=True).save(tmp_path / "shared")
    assert isinstance(ZooIndex.open(tmp_path / "distinct").views["structure"], np.memmap)
    sizes = {n: sum(f.stat().st_size for f in (tmp_path / n).glob("structure*")) for n in ("distinct", "shared")}
    assert sizes["shared"] * 10 < sizes["distinct"]


def test_take_and_join_keep_rows_together():
    zoo = zoo_of(6)
    some = zoo.take([4, 0])
    assert some.model_ids == ["acme/m4", "acme/m0"]
    np.testing.assert_array_equal(some.views["structure"][0], zoo.views["structure"][4])
    assert some.hardware(1) is not None
    both = some.joined(zoo.take([1]))
    assert both.model_ids == ["acme/m4", "acme/m0", "acme/m1"]
    assert both.view_mask["card"].tolist() == [True, True, False]
    assert both.record(2) == record(1)


def test_rows_of_rows_are_those_of_the_zoo_and_are_copied_only_as_they_are_read():
    zoo = zoo_of(9)
    some = zoo.take([8, 1, 5, 3, 0]).take([4, 1, 2]).with_views(["structure"])
    assert (len(some), some.model_ids) == (3, ["acme/m0", "acme/m1", "acme/m5"])
    assert some.column("params").to_pylist() == [None, 1000, 5000]
    assert some.table.column("params").to_pylist() == [None, 1000, 5000]
    assert [some.record(row) for row in range(3)] == [record(0), record(1), record(5)]
    assert (some.hardware(0) is not None, some.hardware(1)) == (True, None)
    blocks = some.views.in_blocks("structure")
    assert not isinstance(blocks, np.ndarray)
    whole = zoo.views["structure"][[0, 1, 5]]
    np.testing.assert_array_equal(blocks[1:], whole[1:])
    np.testing.assert_array_equal(blocks[:2, 0, -3:], whole[:2, 0, -3:])
    np.testing.assert_array_equal(some.views_of(2)["structure"], whole[2])
    np.testing.assert_array_equal(some.views["structure"], whole)
    assert isinstance(some.views.in_blocks("structure"), np.ndarray)  # once it was asked for whole


def test_take_reads_masks_and_refuses_models_that_are_not_there():
    zoo = zoo_of(4)
    assert zoo.take(np.array([False, True, False, True])).model_ids == ["acme/m1", "acme/m3"]
    assert len(zoo.take(np.zeros(4, bool))) == len(zoo.take([])) == 0
    for wrong in ([-1], [4], [0, 9]):
        with pytest.raises(IndexError, match="of a zoo of 4"):
            zoo.take(wrong)


def test_saving_again_replaces_the_index_and_leaves_nothing_behind(tmp_path: Path):
    zoo_of(7).save(tmp_path)
    zoo_of(3).save(tmp_path)
    assert len(ZooIndex.open(tmp_path)) == 3
    assert len(list(tmp_path.iterdir())) == 4


def test_an_interrupted_save_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    zoo_of(5).save(tmp_path)
    import os

    real = os.replace

    def fail_on_description(source, target):
        if Path(target).name == "index.json":
            raise OSError("disk full")
        real(source, target)

    monkeypatch.setattr(os, "replace", fail_on_description)
    with pytest.raises(OSError, match="disk full"):
        zoo_of(2).save(tmp_path)
    assert len(ZooIndex.open(tmp_path)) == 5
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_view_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        ZooIndex.from_entries([(record(1), {"structure": np.zeros((3, 3))})])
    with pytest.raises(ValueError, match="does not fit"):
        ZooIndex.from_entries([(record(1), {"dreams": np.zeros((3, 3))})])


def test_a_folder_that_is_no_index(tmp_path: Path):
    with pytest.raises(UserError, match="is not a zoo index"):
        ZooIndex.open(tmp_path)
    assert not is_index(tmp_path)
    (tmp_path / "index.json").write_text("[1, 2]")
    with pytest.raises(UserError, match="is not a zoo index"):
        ZooIndex.open(tmp_path)


def change_specs(folder: Path, **specs: str) -> None:
    """Makes an index one that was built to other specifications."""
    path = folder / "index.json"
    description = json.loads(path.read_text())
    description["specs"] |= specs
    path.write_text(json.dumps(description))


@pytest.mark.parametrize(("key", "value"), [("structure", "structure/99"), ("card", "card/0")])
def test_a_view_of_another_version_is_left_out_and_told(tmp_path: Path, key: str, value: str):
    zoo_of(2).save(tmp_path)
    assert is_index(tmp_path)
    assert ZooIndex.open(tmp_path).notes == ()
    change_specs(tmp_path, **{key: value})
    opened = ZooIndex.open(tmp_path)
    assert set(opened.views) == set(opened.view_mask) == {*HELD} - {key}
    assert len(opened.notes) == 1
    assert value in opened.notes[0]
    assert VIEWS[key].spec in opened.notes[0]


def test_an_index_of_which_nothing_can_be_read_names_both_versions(tmp_path: Path):
    zoo_of(2).save(tmp_path)
    change_specs(tmp_path, structure="structure/99", card="card/0")
    with pytest.raises(UserError) as caught:
        ZooIndex.open(tmp_path)
    for said in ("structure/99", VIEWS["structure"].spec, "card/0", VIEWS["card"].spec):
        assert said in caught.value.what
    assert "zoo upgrade" in caught.value.hint


def test_a_view_that_this_release_does_not_know_is_left_out(tmp_path: Path):
    zoo_of(2).save(tmp_path)
    change_specs(tmp_path, dreams="dreams/1")
    opened = ZooIndex.open(tmp_path)
    assert tuple(opened.views) == HELD
    assert "no such view" in opened.notes[0]


def test_any_subset_of_views_is_kept_and_joined(tmp_path: Path):
    zoo = zoo_of(5)
    zoo.with_views(["card"]).save(tmp_path / "cards")
    cards = ZooIndex.open(tmp_path / "cards")
    assert tuple(cards.views) == ("card",)
    both = cards.joined(zoo.with_views(["structure"]))
    assert tuple(both.views) == HELD
    assert both.view_mask["card"].tolist() == [True, False, True, True, True] + [False] * 5
    assert both.view_mask["structure"].tolist() == [False] * 5 + [True] * 5
    np.testing.assert_array_equal(both.views["structure"][5:], zoo.views["structure"])
    assert both.views_of(1).keys() == set()
    assert both.views_of(0).keys() == {"card"}


def test_what_nobody_asks_for_is_not_read(tmp_path: Path):
    zoo_of(5).save(tmp_path)
    some = ZooIndex.open(tmp_path).take([3, 1])
    unread = next(tmp_path.glob("structure-*.safetensors"))
    np.testing.assert_array_equal(some.views["card"][0], zoo_of(5).views["card"][3])
    assert callable(some.views._views["structure"]), unread.name
    np.testing.assert_array_equal(some.views["structure"][1], zoo_of(5).views["structure"][1])


@pytest.mark.parametrize("pattern", ["structure-*.safetensors", "records-*.parquet"])
@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_damage_is_a_user_error(tmp_path: Path, pattern: str, damage: str):
    zoo_of(9).save(tmp_path)
    path = next(tmp_path.glob(pattern))
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="damaged"):
        ZooIndex.open(tmp_path)


def test_an_index_must_not_name_files_elsewhere(tmp_path: Path):
    zoo_of(2).save(tmp_path / "a")
    path = tmp_path / "a" / "index.json"
    description = json.loads(path.read_text())
    description["shards"][0]["records"] = "../secret.parquet"
    path.write_text(json.dumps(description))
    with pytest.raises(UserError, match="not a file name"):
        ZooIndex.open(tmp_path / "a")
