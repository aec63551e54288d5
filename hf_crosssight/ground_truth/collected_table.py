"""The collected results as a Hub dataset repository: one Parquet file and configuration a recipe, and a card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..hub.card_templates import CARD
from ..hub.places import atomic_file, write_text
from .record_store import Record, RecordStore
from .table_card import pictures_in, table_card
from .training_data import StatedOrigin, is_among, trained_on

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: dict[str, str] = {
    "model_id": "string", "dataset_id": "string", "seed": "int64", "accuracy": "float64", "precision": "float64",
    "recall": "float64", "f1": "float64", "accuracy_first_400": "float64", "validation_accuracy": "float64",
    "self_transfer": "bool", "recipe": "string", "protocol": "string", "status": "string", "cause": "string",
    "learning_rate": "float64", "regularisation": "float64", "batch_size": "int64", "steps": "int64",
    "trials": "int64", "image_size": "int64", "classes": "int64", "train_images": "int64",
    "validation_images": "int64", "test_images": "int64", "split_hash": "string", "model_revision": "string",
    "dataset_revision": "string", "train_seconds": "float64", "step_seconds": "float64", "seconds": "float64",
    "params": "int64", "forward_ms": "float64", "memory_mb": "float64", "power_w": "float64",
    "cpu_temperature_c": "float64", "carbon_g": "float64", "device": "string", "mixed_precision": "string",
    "versions": "string", "finished_at": "string",
}  # fmt: skip
"""Name -> Arrow type; the first four are what every reader of ground-truth tables needs."""

TIMED = ("train_seconds", "step_seconds", "seconds", "finished_at", "forward_ms", "memory_mb", "power_w",
         "cpu_temperature_c", "carbon_g")  # fmt: skip
"""Columns that depend on the machine and the moment; all others are the same however often a run was interrupted."""

_COST_FIELDS = ("params", "forward_ms", "memory_mb", "power_w", "cpu_temperature_c", "carbon_g")
_SUBSET_COLUMNS = ("model_id", "dataset_id", "seed", "accuracy", "of_dataset", "classes", "train_images",
                   "test_images", "self_transfer", "recipe", "protocol", "split_hash")  # fmt: skip


def results_of(store: Iterable[Record]) -> list[Record]:
    """Results in the order of their keys, each with its model's forward cost and whether it is self-transfer."""
    records = list(store)
    costs = {record["model_id"]: record for record in records if record["kind"] == "cost"}
    sources = _sources(records)
    results = []
    for record in records:
        if record["kind"] == "result":
            cost = costs.get(record["model_id"], {})
            row = {name: record.get(name) for name in COLUMNS} | {name: cost.get(name) for name in _COST_FIELDS}
            results.append(row | {"self_transfer": is_among(record["dataset_id"], sources[record["model_id"]])})
    return results


def _sources(records: Iterable[Record]) -> dict[str, frozenset[str]]:
    """Datasets that each model of the table was trained on, as far as cards tell."""
    origins = {record["model_id"]: StatedOrigin() for record in records}
    for record in records:
        if record["kind"] == "origin":
            origin = StatedOrigin(tuple(record["datasets"]), tuple(record["base_models"]))
            origins[record["model_id"]] = origin
    return trained_on(origins)


def write_table(store: RecordStore, folder: Path) -> list[Record]:
    """Writes `data/<recipe>.parquet` and `README.md`, each whole or not at all; returns the results.

    Raises:
        UserError: the disk is full or cannot be written.
    """
    results, subsets = results_of(store), subset_rows(store)
    try:
        _write(folder, results, subsets)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error}", "Free space, then run the same command: no record is lost."
        ) from error
    return results


def _write(folder: Path, results: list[Record], subsets: list[Record]) -> None:
    import pyarrow.parquet as pq

    (folder / "data").mkdir(parents=True, exist_ok=True)
    files = {}
    for rows, to_table in ((results, arrow_table), (subsets, _subset_table)):
        for recipe in sorted({row["recipe"] for row in rows}):
            files[recipe] = f"data/{recipe}.parquet"
            table = to_table([row for row in rows if row["recipe"] == recipe])
            with atomic_file(folder / files[recipe]) as temporary:
                pq.write_table(table, temporary, compression="zstd")
    write_text(folder / CARD, table_card([*results, *subsets], files, str(folder), pictures=pictures_in(folder)))


def subset_rows(store: Iterable[Record]) -> list[Record]:
    """One row for each model, class-subset task and recipe; `dataset_id` is the task's id.

    Of two runs with different numbers of tasks the larger one counts: it begins with the tasks of the smaller.
    """
    records = list(store)
    sources = _sources(records)
    chosen: dict[tuple[str, str], Record] = {}
    for record in records:
        if record["kind"] == "subsets" and record["status"] == "ok":
            pair = record["model_id"], record["dataset_id"]
            chosen[pair] = max(record, chosen.get(pair, record), key=lambda one: len(one["tasks"]))
    return [row for record in chosen.values() for row in _rows_of(record, sources[record["model_id"]])]


def _rows_of(record: Record, sources: frozenset[str]) -> Iterator[Record]:
    shared = {
        "model_id": record["model_id"], "of_dataset": record["dataset_id"], "seed": 0,
        "split_hash": record["split_hash"], "status": "ok", "protocol": record["protocol"],
        "self_transfer": is_among(record["dataset_id"], sources),
    }  # fmt: skip
    for recipe, accuracies in record["accuracies"].items():
        for position, accuracy in enumerate(accuracies):
            task = {
                "dataset_id": record["tasks"][position], "classes": record["classes"][position],
                "train_images": record["train_images"][position], "test_images": record["test_images"][position],
            }  # fmt: skip
            yield shared | task | {"recipe": recipe, "accuracy": accuracy}


def _subset_table(rows: list[Record]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist([{name: row[name] for name in _SUBSET_COLUMNS} for row in rows])


def arrow_table(rows: list[Record]) -> pa.Table:
    """Rows with the columns of `COLUMNS`."""
    import pyarrow as pa

    types = {"bool": pa.bool_(), "string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    return pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in rows], schema=schema)
