"""Many models measured into a table: it goes on where it stopped, places are by metric, and failures end no other."""

import os
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
import pytest
import transformers

from hf_crosssight.errors import UserError
from hf_crosssight.hardware import metric_table
from hf_crosssight.hardware.measure import measure_model
from hf_crosssight.hardware.metric_table import RANKED, measure_many, ranked


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Two networks, the first of them the smaller, and a folder that holds none."""
    place = tmp_path_factory.mktemp("zoo")
    for name, width in (("small", 8), ("wide", 32)):
        config = transformers.ResNetConfig(
            hidden_sizes=[width] * 4, embedding_size=width, depths=[1, 1, 1, 1], num_labels=4
        )
        transformers.AutoModelForImageClassification.from_config(config).save_pretrained(place / name)
        transformers.ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(place / name)
    (place / "empty").mkdir()
    return place


@pytest.fixture
def measured_here(monkeypatch):
    """Measures in this process and notes what: the processes of their own have a test of their own."""
    asked = []

    def alone(model, options, threads):
        asked.append((model, options["batch_sizes"][0]))
        return measure_model(model, repeats=3, **options)

    monkeypatch.setattr(metric_table, "_alone", alone)
    return asked


def test_models_are_measured_in_processes_of_their_own(zoo, tmp_path):
    out = tmp_path / "metrics.parquet"
    table, failed = measure_many([str(zoo / "small"), str(zoo / "empty")], out, threads=1, offline=True)
    assert table.source.tolist() == [str(zoo / "small")]
    assert table.threads.tolist() == [1]
    assert list(failed) == [str(zoo / "empty")]
    assert "cannot be run" in failed[str(zoo / "empty")]
    pd.testing.assert_frame_equal(pd.read_parquet(out), table, check_dtype=False)


def test_a_table_goes_on_where_it_stopped(zoo, tmp_path, measured_here):
    out, small, wide = tmp_path / "metrics.parquet", str(zoo / "small"), str(zoo / "wide")
    first, _ = measure_many([small], out, batch_sizes=(1, 2), offline=True)
    both, failed = measure_many([small, wide], out, batch_sizes=(1, 2), offline=True)
    assert measured_here == [(small, 1), (small, 2), (wide, 1), (wide, 2)]
    assert not failed
    assert both[both.source == small].latency_ms.tolist() == first.latency_ms.tolist()
    assert both.rank_params.tolist() == [1, 1, 2, 2]
    assert both.rank_gmacs.tolist() == [1, 1, 2, 2]
    assert both.rank_energy_j.isna().equals(both.energy_j.isna())
    measure_many([small], out, phase="train", offline=True)
    assert measured_here[4:] == [(small, 1)]  # another phase is another row


def test_a_model_that_the_system_kills_ends_no_other(zoo, tmp_path, monkeypatch, measured_here):
    here, small, wide = metric_table._alone, str(zoo / "small"), str(zoo / "wide")

    def killed(model, options, threads):
        if model != wide:
            return here(model, options, threads)
        with ProcessPoolExecutor(1) as pool:
            return pool.submit(os._exit, 9).result()

    monkeypatch.setattr(metric_table, "_alone", killed)
    table, failed = measure_many([wide, small], tmp_path / "metrics.parquet", batch_sizes=(4,), offline=True)
    assert table.source.tolist() == [small]
    assert failed == {wide: "the system ended the process at batches of 4: too little memory, it seems"}


def test_places_are_among_the_same_device_phase_and_batch():
    row = dict.fromkeys(RANKED) | {"device": "a", "phase": "infer", "batch_size": 1, "params": 1, "gmacs": 1.0}
    rows = [
        row | {"model_id": name, "batch_size": batch, "latency_ms": latency, "memory_mb": memory}
        for name, batch, latency, memory in (
            ("x", 1, 3.0, None),
            ("y", 1, 2.0, 5.0),
            ("z", 1, 3.0, 4.0),
            ("x", 8, 9.0, 1),
        )
    ]
    table = ranked(rows)
    assert table.model_id.tolist() == ["x", "x", "y", "z"]
    assert table.rank_latency_ms.tolist() == [2, 1, 1, 2]
    assert table.rank_memory_mb.fillna(0).tolist() == [0, 1, 2, 1]  # what was not measured has no place
    assert table.rank_energy_j.isna().all()
    assert ranked([]).empty


def test_files_that_are_no_such_table_are_left_alone(zoo, tmp_path, measured_here):
    other = tmp_path / "other.parquet"
    pd.DataFrame([{"model_id": "m"}]).to_parquet(other)
    text = tmp_path / "text.parquet"
    text.write_text("mine")
    for path in (other, text, tmp_path):
        with pytest.raises(UserError, match="no table of measurements"):
            measure_many([str(zoo / "small")], path, offline=True)
    assert text.read_text() == "mine"
    with pytest.raises(UserError, match="cannot be written"):
        measure_many([str(zoo / "small")], text / "metrics.parquet", offline=True)
    assert measured_here in ([], [(str(zoo / "small"), 1)])
