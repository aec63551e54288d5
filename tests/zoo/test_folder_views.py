"""`folder_zoo`: weights and probe of a folder's models, made once, kept, and remade when a model changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.zoo import folder_views, open_zoo
from tests.zoo.networks import TimmResNet, raw_cnn, write_repo

WEIGHTS = ("structure", "card", "weights")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_views, "crosssight_folder", lambda: tmp_path / "cache")
    write_repo(tmp_path / "repos" / "cnn", raw_cnn())
    write_repo(tmp_path / "repos" / "acme" / "resnet", TimmResNet())
    return tmp_path / "repos"


def test_only_those_who_ask_for_more_than_headers_have_the_weights_read(folder: Path, tmp_path: Path):
    assert set(open_zoo(folder).views) == {"structure", "card"}
    assert not (tmp_path / "cache").exists()
    zoo = open_zoo(folder, views=("card", "weights"))
    assert set(zoo.views) == set(WEIGHTS)
    assert zoo.view_mask["weights"].all()
    assert zoo.id == str(folder)


def test_headers_say_the_same_either_way(folder: Path):
    plain, whole = open_zoo(folder), open_zoo(folder, views=WEIGHTS)
    assert plain.model_ids == whole.model_ids
    for name in ("structure", "card"):
        assert np.allclose(plain.views[name], whole.views[name], atol=2e-3)


def test_a_second_look_reads_what_changed_alone(folder: Path, monkeypatch: pytest.MonkeyPatch):
    reports = []
    build = folder_views.build_zoo
    monkeypatch.setattr(folder_views, "build_zoo", lambda *a, **k: reports.append(build(*a, **k)) or reports[-1])
    first = open_zoo(folder, views=WEIGHTS)
    again = open_zoo(folder, views=WEIGHTS)
    shutil.rmtree(folder / "cnn")
    write_repo(folder / "cnn", raw_cnn())  # other random weights
    changed = open_zoo(folder, views=WEIGHTS)
    assert [report.read for report in reports] == [2, 0, 1]
    assert np.array_equal(first.views["weights"], again.views["weights"])
    row = changed.model_ids.index("cnn")
    assert not np.array_equal(first.views["weights"][row], changed.views["weights"][row])


def test_a_model_that_cannot_be_run_stays_and_is_told(folder: Path):
    zoo = open_zoo(folder, views=("structure", "card", "probe"))
    assert not zoo.view_mask["probe"][zoo.model_ids.index("cnn")]
    assert any("no probe view" in note for note in zoo.notes)


def test_a_cache_that_cannot_be_written_costs_time_alone(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folder_views, "_can_be_written", lambda place: False)
    zoo = open_zoo(folder, views=WEIGHTS)
    assert zoo.view_mask["weights"].all()
    assert float(np.abs(zoo.views["weights"]).sum()) > 0
