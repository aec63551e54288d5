"""Results as a dataset repository: cards, configurations, figures; of `collect` and of a user's own files."""

from __future__ import annotations

import csv
import dataclasses

import pandas as pd
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.table_card import table_card
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.hardware.measure import Measurement
from hf_crosssight.publishing.ground_truth import ground_truth_repository
from hf_crosssight.publishing.repository import write_folder
from tests.publishing.cards import checked_dataset_card

MODELS, DATASETS = [f"org/m{i}" for i in range(6)], ("a", "b", "c|d")


def write_csv(path, rows, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *more])
        writer.writeheader()
        writer.writerows(row | more for row in rows)
    return path


def results(seeds=2):
    return [
        {"model_id": model, "dataset_id": dataset, "seed": seed,
         "accuracy": 0.5 + 0.05 * i + 0.04 * ((3 * i + 5 * place) % 4) + 0.06 * seed * (i % 2)}
        for i, model in enumerate(MODELS)
        for place, dataset in enumerate(DATASETS)
        for seed in range(seeds)
    ]  # fmt: skip


def test_a_users_csv_becomes_a_dataset_with_figures(tmp_path, caplog):
    table = write_csv(tmp_path / "mine.csv", results())
    repository = ground_truth_repository(table, "me/results", license="cc-by-4.0")
    assert set(repository.files) == {"README.md", "data/results.parquet"}
    assert repository.files == ground_truth_repository(table, "me/results", license="cc-by-4.0").files
    card = checked_dataset_card(repository.files["README.md"].decode(), caplog)
    assert card.data.license == "cc-by-4.0"
    assert card.data.configs == [
        {"config_name": "results", "default": True, "data_files": [{"split": "train", "path": "data/results.parquet"}]}
    ]
    text = str(card)
    figures = next(line for line in text.splitlines() if line.startswith("| results | 0."))
    static, interaction, noise = (float(cell) for cell in figures.split("|")[2:5])
    assert static > interaction > noise > 0.01
    assert static + interaction + noise == pytest.approx(1, abs=0.02)
    for said in ("36 rows, 6 models", "3 datasets", "c\\|d", 'load_dataset("me/results", "results", split="train")'):
        assert said in text
    assert "collect" not in text.split("## How to use it")[0]


def test_each_recipe_is_a_configuration_and_hostile_names_stay_names(tmp_path, caplog):
    write_csv(tmp_path / "t" / "one.csv", results(1), recipe="full", protocol="p|q", status="ok")
    write_csv(tmp_path / "t" / "two.csv", results(1), recipe="knn")
    repository = ground_truth_repository(tmp_path / "t", "me/results")
    card = checked_dataset_card(repository.files["README.md"].decode(), caplog)
    assert [config["config_name"] for config in card.data.configs] == ["full", "knn"]
    assert card.data.license is None
    assert "p\\|q" in str(card)
    (tmp_path / "got.parquet").write_bytes(repository.files["data/full.parquet"])
    assert pq.read_table(tmp_path / "got.parquet").num_rows == 18
    write_csv(tmp_path / "evil.csv", results(1), recipe="../../x")
    with pytest.raises(UserError, match="cannot name a file"):
        ground_truth_repository(tmp_path / "evil.csv", "me/results")


def test_tables_without_results_are_refused(tmp_path):
    with pytest.raises(UserError, match="no table"):
        ground_truth_repository(tmp_path / "gone", "me/results")
    without = write_csv(tmp_path / "t.csv", [{"model_id": "m", "dataset_id": "d", "seed": 0}])
    with pytest.raises(UserError, match="no column 'accuracy'"):
        ground_truth_repository(without, "me/results")


def test_the_card_of_a_collected_table(caplog):
    row = {"model_id": "m", "dataset_id": "d", "seed": 0, "accuracy": 0.5, "recipe": "head", "protocol": "p",
           "status": "ok", "seconds": 1800.0, "device": "cpu"}  # fmt: skip
    failed = row | {"seed": 1, "status": "failed", "accuracy": None}
    subset = row | {"recipe": "knn-subsets", "of_dataset": "d", "dataset_id": "d[0,1]"}
    files = {"knn-subsets": "data/knn-subsets.parquet", "head": "data/head.parquet"}
    card = checked_dataset_card(table_card([row, failed, subset], files, "./table"), caplog)
    assert [config["config_name"] for config in card.data.configs] == ["head", "knn-subsets"]
    for said in ("| head | logistic regression on pooled features | p | 1 | 1 | 2 | 2 | 1 |", "1.5 h on cpu",
                 "Datasets: d.", "ground-truth ceiling"):  # fmt: skip
        assert said in str(card)


def measured(model, **more):
    """A row of the table of `hardware measure --out`."""
    row = {one.name: None for one in dataclasses.fields(Measurement)}
    return row | {
        "model_id": model, "device": "a|cpu", "phase": "infer", "batch_size": 1, "input_size": 224,
        "precision": "fp32", "threads": 1, "latency_ms": 3.0, "latency_low_ms": 2.0, "latency_high_ms": 4.0,
        "forward_ms": 3.0, "throughput": 333.0, "weights_mb": 1.0, "activations_mb": 2.0, "params": 9, "gmacs": 0.1,
        "macts": 0.2, "reasons": '{"energy_j": "no sensor"}', "source": "/home/me/models/m",
    } | more  # fmt: skip


def test_what_the_models_cost_is_a_configuration_of_its_own(tmp_path, caplog):
    write_csv(tmp_path / "t" / "data" / "full.csv", results(1), recipe="full")
    (tmp_path / "costs").mkdir()
    pd.DataFrame([measured(MODELS[0], latency_ms=5.0), measured("org/other")]).to_parquet(tmp_path / "costs/a.parquet")
    pd.DataFrame([measured(MODELS[1], phase="train", memory_mb=7.5, threads=None)]).to_parquet(
        tmp_path / "costs/b.parquet"
    )
    repository = ground_truth_repository(tmp_path / "t", "me/results", hardware=tmp_path / "costs")
    card = checked_dataset_card(repository.files["README.md"].decode(), caplog)
    assert [config["config_name"] for config in card.data.configs] == ["full", "hardware"]
    for said in ("3 measurements of 3 models, 2 of which have results here", "infer, batch 1; train, batch 1",
                 "on: a\\|cpu.", "`energy_j`, `power_w`", '"me/results", "hardware"'):  # fmt: skip
        assert said in str(card)
    write_folder(repository, tmp_path / "out")
    found = load_dataset(str(tmp_path / "out"), "hardware", split="train", cache_dir=str(tmp_path / "cache"))
    assert found["model_id"] == [MODELS[0], MODELS[1], "org/other"]
    assert found["rank_latency_ms"] == [2, 1, 1]
    assert found["memory_mb"] == [None, 7.5, None]
    assert found.features["energy_j"].dtype == "float64"
    assert "source" not in found.column_names  # a path of the machine
    assert list(load_tidy(tmp_path / "out")) == ["full"]  # results and nothing else
    again = ground_truth_repository(tmp_path / "out", "me/results")
    assert again.files["hardware/metrics.parquet"] == repository.files["hardware/metrics.parquet"]


def test_costs_that_are_none_are_refused(tmp_path):
    table = write_csv(tmp_path / "t.csv", results(1))
    with pytest.raises(UserError, match="no table of measurements"):
        ground_truth_repository(table, "me/results", hardware=tmp_path / "gone")
    pd.DataFrame([{"model_id": "m"}]).to_parquet(tmp_path / "costs.parquet")
    with pytest.raises(UserError, match=r"costs.parquet is no table of measurements"):
        ground_truth_repository(table, "me/results", hardware=tmp_path / "costs.parquet")
    (tmp_path / "text.parquet").write_text("no Parquet")
    with pytest.raises(UserError, match="no table of measurements"):
        ground_truth_repository(table, "me/results", hardware=tmp_path / "text.parquet")
    pd.DataFrame([measured("m")]).to_parquet(tmp_path / "costs.parquet")
    named = write_csv(tmp_path / "n.csv", results(1), recipe="hardware")
    with pytest.raises(UserError, match="called 'hardware'"):
        ground_truth_repository(named, "me/results", hardware=tmp_path / "costs.parquet")
