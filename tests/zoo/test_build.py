"""Building an index from a folder: what it holds, what is left out and why, and what is not read twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo import build as build_module
from hf_crosssight.zoo.build import BuildReport, build_zoo
from hf_crosssight.zoo.folder import read_folder
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import read_skipped
from hf_crosssight.zoo.model_source import FolderSource
from hf_crosssight.zoo.model_views import ViewPlan
from tests.zoo.small_zoo import content, write_model, write_models

NUMPY_VIEWS = ("structure", "weights", "lineage")


def built(folder: Path, out: Path, views=NUMPY_VIEWS, only: tuple[str, ...] | None = None, **options) -> BuildReport:
    return build_zoo(FolderSource(folder, only), out, views=views, **options)


def test_an_index_holds_the_views_that_were_asked_for(tmp_path: Path):
    ids = write_models(tmp_path / "models", 5)
    report = built(tmp_path / "models", tmp_path / "index")
    assert (report.num_models, report.read, report.skipped, report.missing_views) == (5, 5, {}, {})
    assert report.views == {"structure": 5, "weights": 5, "lineage": 5}
    assert report.bytes_read == sum(
        path.stat().st_size - 8 - int.from_bytes(path.read_bytes()[:8], "little")
        for path in (tmp_path / "models").rglob("*.safetensors")
    )
    zoo = ZooIndex.open(tmp_path / "index")
    assert zoo.model_ids == ids
    assert tuple(zoo.views) == NUMPY_VIEWS
    for name in NUMPY_VIEWS:
        assert zoo.views[name].shape == (5, *VIEWS[name].shape)
        assert np.isfinite(zoo.views[name]).all()
        assert (zoo.views[name][:, 0, 0] == 1).all()
    assert zoo.record(1).license == "apache-2.0"
    assert zoo.record(0).sources == ("folder",)
    assert len(zoo.record(0).revision or "") == 40
    assert zoo.description is not None
    assert zoo.description.byte_budget == 8 << 20


def test_a_model_is_the_same_built_or_read(tmp_path: Path):
    write_models(tmp_path / "models", 3)
    built(tmp_path / "models", tmp_path / "index", views=("structure", "card"))
    index, read = ZooIndex.open(tmp_path / "index"), read_folder(tmp_path / "models")
    for row in range(3):
        assert {**vars(index.record(row)), "revision": None} == vars(read.record(row))
    np.testing.assert_array_equal(index.views["structure"], read.views["structure"])
    np.testing.assert_allclose(index.views["card"], read.views["card"], atol=2e-3)


def test_the_order_is_that_of_the_names(tmp_path: Path):
    ids = write_models(tmp_path / "models", 6)
    wanted = tuple(reversed(ids))
    built(tmp_path / "models", tmp_path / "index", only=wanted, workers=4)
    assert ZooIndex.open(tmp_path / "index").model_ids == list(wanted)


def test_what_stands_in_the_index_is_not_read_again(tmp_path: Path):
    ids = write_models(tmp_path / "models", 4)
    built(tmp_path / "models", tmp_path / "index")
    before = content(tmp_path / "index")
    assert built(tmp_path / "models", tmp_path / "index").read == 0
    assert content(tmp_path / "index") == before
    write_model(tmp_path / "models" / ids[2], 99)
    write_model(tmp_path / "models" / "acme/one-more", 100)
    assert built(tmp_path / "models", tmp_path / "index").read == 2
    built(tmp_path / "models", tmp_path / "fresh")
    assert content(tmp_path / "index") == content(tmp_path / "fresh")


def test_what_an_older_index_held_and_this_one_does_not_is_told(tmp_path: Path):
    ids = write_models(tmp_path / "models", 3)
    assert built(tmp_path / "models", tmp_path / "index").removed == ()
    report = built(tmp_path / "models", tmp_path / "index", only=(ids[0],), views=("structure",))
    assert set(report.removed) == set(ids[1:])
    assert "weights" in report.removed_views
    assert report.to_dict()["removed"] == list(report.removed)


def test_a_view_that_is_asked_for_later_does_not_cost_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_models(tmp_path / "models", 3)
    built(tmp_path / "models", tmp_path / "index", views=("weights",))
    from hf_crosssight.tokens import weights

    monkeypatch.setattr(weights, "weights_view", lambda *_, **__: pytest.fail("the weights were read again"))
    report = built(tmp_path / "models", tmp_path / "index", views=("structure", "weights"))
    assert (report.read, report.bytes_read) == (3, 0)
    assert report.views == {"structure": 3, "weights": 3}


def test_another_byte_budget_reads_the_weights_again(tmp_path: Path):
    write_model(tmp_path / "models" / "acme/wide", width=128)
    small = built(tmp_path / "models", tmp_path / "index", plan=ViewPlan((), 1 << 16))
    assert small.bytes_read <= 1.05 * (1 << 16)
    report = built(tmp_path / "models", tmp_path / "index")
    assert report.read == 1
    assert report.bytes_read > 4 * small.bytes_read


def hostile_models(root: Path) -> dict[str, str]:
    """Models that cannot be used, each with words of the reason that is wanted."""
    write_model(root / "bad/config").joinpath("config.json").write_text("{")
    write_model(root / "bad/deep").joinpath("config.json").write_text("[" * 100_000)
    write_model(root / "bad/none").joinpath("config.json").unlink()
    weights = write_model(root / "bad/truncated") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    (write_model(root / "bad/length") / "model.safetensors").write_bytes(b"\xff" * 100)
    (write_model(root / "bad/utf8") / "model.safetensors").write_bytes((9).to_bytes(8, "little") + b"\xff" * 9)
    header = json.dumps({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}).encode()
    (write_model(root / "bad/shape") / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + b"\0" * 4
    )
    pickled = write_model(root / "bad/pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    sharded = write_model(root / "bad/sharded")
    (sharded / "model.safetensors").rename(sharded / "model-00001-of-00001.safetensors")
    escaping = {"weight_map": {"w": "../../config/model.safetensors"}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(escaping))
    os.symlink("/etc/hostname", write_model(root / "bad/linked") / "secret.txt")
    return {
        "bad/config": "not valid JSON",
        "bad/deep": "not valid JSON",
        "bad/none": "no config.json",
        "bad/truncated": "truncated",
        "bad/length": "header",
        "bad/utf8": "UTF-8",
        "bad/shape": "malformed shape",
        "bad/pickled": "pickled only",
        "bad/sharded": "outside the repository",
        "bad/linked": "leaves the folder",
    }


def test_every_kind_of_bad_model_gives_a_reason_and_the_build_goes_on(tmp_path: Path):
    ids = write_models(tmp_path / "models", 3)
    expected = hostile_models(tmp_path / "models")
    report = built(tmp_path / "models", tmp_path / "index")
    assert ZooIndex.open(tmp_path / "index").model_ids == ids
    assert report.skipped.keys() == expected.keys()
    for name, words in expected.items():
        assert words in report.skipped[name], name
    assert read_skipped(tmp_path / "index")[0] == report.skipped
    assert [entry["model_id"] for entry in report.to_dict()["skipped"]] == sorted(expected)


def test_weights_without_meaning_cost_the_view_not_the_model(tmp_path: Path):
    write_models(tmp_path / "models", 2)
    odd = write_model(tmp_path / "models" / "acme/masks")
    save_file({"conv1.weight": np.zeros((4, 4), bool)}, odd / "model.safetensors")
    broken = write_model(tmp_path / "models" / "acme/nan")
    save_file({"conv1.weight": np.full((8, 3, 3, 3), np.nan, np.float32)}, broken / "model.safetensors")
    report = built(tmp_path / "models", tmp_path / "index")
    assert report.num_models == 4
    assert "acme/masks" in report.missing_views
    assert "weights" in report.missing_views["acme/masks"]
    assert report.missing_views["acme/nan"]["weights"] == "216 of 216 weights that were read are not finite"
    zoo = ZooIndex.open(tmp_path / "index")
    assert not zoo.view_mask["weights"][zoo.model_ids.index("acme/masks")]
    for name in NUMPY_VIEWS:
        assert np.isfinite(zoo.views[name]).all()
    again = built(tmp_path / "models", tmp_path / "index")
    assert again.read == 0, "a view that cannot be is not tried again"
    assert again.missing_views == report.missing_views


def test_a_defect_in_one_model_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ids = write_models(tmp_path / "models", 3)
    real = build_module.make_views

    def odd(found, *given, **named):
        if found.model_id == ids[1]:
            raise ZeroDivisionError("what a stranger's file can do")
        return real(found, *given, **named)

    monkeypatch.setattr(build_module, "make_views", odd)
    report = built(tmp_path / "models", tmp_path / "index")
    assert report.num_models == 2
    assert "ZeroDivisionError" in report.skipped[ids[1]]


def test_nothing_usable_is_an_error_that_names_reasons_and_leaves_the_old_index(tmp_path: Path):
    write_models(tmp_path / "models", 2)
    built(tmp_path / "models", tmp_path / "index")
    before = content(tmp_path / "index")
    hostile_models(tmp_path / "bad")
    with pytest.raises(UserError) as caught:
        built(tmp_path / "bad", tmp_path / "index")
    assert "bad/config: its config.json is not valid JSON" in caught.value.what
    assert "and 5 more" in caught.value.what
    assert content(tmp_path / "index") == before
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no model"):
        built(tmp_path / "empty", tmp_path / "other")


def test_views_are_checked(tmp_path: Path):
    write_models(tmp_path / "models", 1)
    for views, words in (
        (("dreams",), "dreams"),
        ((), "nothing"),
        (("lineage",), "lineage alone"),
    ):
        with pytest.raises(UserError, match=words):
            built(tmp_path / "models", tmp_path / "index", views=views)
    assert not (tmp_path / "index").exists()


def test_many_models_make_several_shards_of_equal_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ids = write_models(tmp_path / "models", 7)
    built(tmp_path / "models", tmp_path / "one")
    monkeypatch.setattr("hf_crosssight.zoo.assemble.MODELS_A_SHARD", 3)
    built(tmp_path / "models", tmp_path / "three")
    one, three = ZooIndex.open(tmp_path / "one"), ZooIndex.open(tmp_path / "three")
    assert three.description is not None
    assert [shard["models"] for shard in three.description.shards] == [3, 3, 1]
    assert three.model_ids == ids
    for name in NUMPY_VIEWS:
        np.testing.assert_array_equal(one.views[name], three.views[name])


def test_a_hanging_stage_or_leftover_is_swept(tmp_path: Path):
    write_models(tmp_path / "models", 2)
    index = tmp_path / "index"
    (index / ".stages").mkdir(parents=True)
    (index / ".stages" / ("a" * 40 + ".safetensors")).write_bytes(b"half")
    (index / f".index.json.{'b' * 32}").write_bytes(b"half")
    (index / "weights-0badf00d.safetensors").write_bytes(b"of an index that never was")
    built(tmp_path / "models", index)
    built(tmp_path / "models", tmp_path / "fresh")
    assert content(index) == content(tmp_path / "fresh")


def test_progress_and_speed_are_told(tmp_path: Path):
    write_models(tmp_path / "models", 3)
    steps, meters = [], []
    built(tmp_path / "models", tmp_path / "index", progress=lambda *step: steps.append(step), told=meters.append)
    assert steps[0] == ("reading models", 0, 3)
    assert ("reading models", 3, 3) in steps
    assert meters[0].models == 3
    assert meters[0].told().count("/s") == 2
