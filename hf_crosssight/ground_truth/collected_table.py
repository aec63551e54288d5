"""The collected results as a Hub dataset repository: one Parquet file and configuration a recipe, and a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..hub.places import atomic_file, write_text
from .record_store import Record, RecordStore

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
_RECIPES = {
    "full": "all weights trained from the released ones under a new head",
    "head": "logistic regression on pooled features",
    "knn": "five nearest neighbours by cosine on pooled features",
    "knn-subsets": "as knn, on some classes of a dataset",
    "ridge-subsets": "closed-form ridge regression on pooled features, on some classes of a dataset",
}
_SUBSET_COLUMNS = ("model_id", "dataset_id", "seed", "accuracy", "of_dataset", "classes", "train_images",
                   "test_images", "self_transfer", "recipe", "split_hash")  # fmt: skip


def results_of(store: Iterable[Record], sources: Mapping[str, Iterable[str]] | None = None) -> list[Record]:
    """Results in the order of their keys, each with its model's forward cost and whether it is self-transfer.

    Args:
        sources: datasets that each model was trained on; `None` leaves `self_transfer` unknown.
    """
    records = list(store)
    costs = {record["model_id"]: record for record in records if record["kind"] == "cost"}
    results = []
    for record in records:
        if record["kind"] != "result":
            continue
        cost = costs.get(record["model_id"], {})
        row = {name: record.get(name) for name in COLUMNS} | {name: cost.get(name) for name in _COST_FIELDS}
        if sources is not None and record["model_id"] in sources:
            row["self_transfer"] = record["dataset_id"] in sources[record["model_id"]]
        results.append(row)
    return results


def write_table(store: RecordStore, folder: Path, sources: Mapping[str, Iterable[str]]) -> list[Record]:
    """Writes `data/<recipe>.parquet` and `README.md`, each whole or not at all; returns the results."""
    import pyarrow.parquet as pq

    results = results_of(store, sources)
    subsets = subset_rows(store, sources)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for rows, to_table in ((results, arrow_table), (subsets, _subset_table)):
        for recipe in sorted({row["recipe"] for row in rows}):
            path = folder / "data" / f"{recipe}.parquet"
            table = to_table([row for row in rows if row["recipe"] == recipe])
            with atomic_file(path) as temporary:
                pq.write_table(table, temporary, compression="zstd")
    write_text(folder / "README.md", card([*results, *subsets]))
    return results


def subset_rows(store: Iterable[Record], sources: Mapping[str, Iterable[str]]) -> list[Record]:
    """One row for each model, class-subset task and recipe; `dataset_id` is the task's id."""
    rows = []
    for record in store:
        if record["kind"] != "subsets" or record["status"] != "ok":
            continue
        shared = {
            "model_id": record["model_id"], "of_dataset": record["dataset_id"], "seed": 0,
            "split_hash": record["split_hash"], "status": "ok", "protocol": record["protocol"],
            "self_transfer": record["dataset_id"] in sources.get(record["model_id"], ()),
        }  # fmt: skip
        for recipe, accuracies in record["accuracies"].items():
            for position, accuracy in enumerate(accuracies):
                task = {
                    "dataset_id": record["tasks"][position], "classes": record["classes"][position],
                    "train_images": record["train_images"][position], "test_images": record["test_images"][position],
                }  # fmt: skip
                rows.append(shared | task | {"recipe": recipe, "accuracy": accuracy})
    return rows


def _subset_table(rows: list[Record]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist([{name: row[name] for name in _SUBSET_COLUMNS} for row in rows])


def arrow_table(rows: list[Record]) -> pa.Table:
    """Rows with the columns of `COLUMNS`."""
    import pyarrow as pa

    types = {"bool": pa.bool_(), "string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    return pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in rows], schema=schema)


def card(results: list[Record]) -> str:
    """The dataset card: configurations for `datasets`, and what was done."""
    recipes = sorted({row["recipe"] for row in results}, key=list(_RECIPES).index)
    configs = [
        line
        for position, recipe in enumerate(recipes)
        for line in (
            f"- config_name: {recipe}",
            *(["  default: true"] if position == 0 else []),
            "  data_files:",
            "  - split: train",
            f"    path: data/{recipe}.parquet",
        )
    ]
    lines = [
        "---",
        "license: apache-2.0",
        "tags: [model-selection, transferability, fine-tuning]",
        "configs:" if configs else "configs: []",
        *configs,
        "---",
        "# Fine-tuning results",
        "",
        "Measured with `hf-crosssight ground-truth collect`. A row is one model on one dataset with one seed;",
        "scores of two recipes are not comparable. `self_transfer` marks models that were trained on the dataset.",
        "",
        "| recipe | what | protocol | models | datasets | seeds | rows | failed |",
        "|---|---|---|---|---|---|---|---|",
        *(_summary(recipe, [row for row in results if row["recipe"] == recipe]) for recipe in recipes),
        "",
        "`accuracy` is on all images outside training and validation (2,000 at most), `accuracy_first_400` on the",
        "first 400 test images. Precision, recall and F1 are macro means. Hardware columns are of one forward pass of",
        "one image; null is what the machine could not tell.",
        "",
    ]
    return "\n".join(lines)


def _summary(recipe: str, rows: list[Record]) -> str:
    def count(column: str) -> int:
        return len({row[column] for row in rows})

    failed = sum(row["status"] == "failed" for row in rows)
    protocols = "; ".join(sorted({str(row["protocol"]) for row in rows}))
    cells: list[Any] = [recipe, _RECIPES[recipe], protocols, count("model_id"), count("dataset_id"), count("seed"),
                        len(rows), failed]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"
