"""The published fine-tuning tables of a folder, as `GroundTruthTable`s with their licence and their traps handled.

What each reader leaves out, and why, stands in its docstring. Columns that were measured by the fine-tuning run itself
(times, losses, validation accuracy) are never read: they leak the answer.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from hf_crosssight.errors import UserError

from .datasets import dataset_key
from .model_names import (
    emms_vit_id,
    medical_id,
    model_spider_id,
    parc_id,
    ssl_id,
    torchvision_id,
    transfergraph_id,
    vtab_id,
)
from .table_location import table_location
from .tables import GroundTruthTable, table_from_rows

Row = dict[str, object]
Rows = Iterator[Row]

_LICENCE_AND_SOURCE = {
    "transfergraph": ("none", "zLizy/transferability_graph, doc/records.csv and doc/ftrecords_img.csv"),
    "model_spider": ("mit", "zhangyikaii/Model-Spider, learnware/learnware_info.py"),
    "parc": ("none", "dbolya/parc, oracles/all.csv"),
    "emms": ("none", "OpenGVLab/Multitask-Model-Selector, evaluate_metric_cls_cpu_{CNN,ViT}.py"),
    "sfda": ("none", "TencentARC/SFDA, tw_group2.py; BUserName/NCTI, tw_group2.py"),
    "tllib": ("mit", "thuml/Transfer-Learning-Library, examples/model_selection/README.md"),
    "medical": ("mit", "DovileDo/transferability-in-medical-imaging, results/*.csv"),
    "vtab": ("apache-2.0", "google-research/task_adaptation, docs/data/results.csv"),
    "timm": ("apache-2.0", "huggingface/pytorch-image-models, results/results-*.csv"),
    "small_zoo": ("apache-2.0", "this project: fine-tuning of small networks on small image sets"),
}


def _read(folder: Path, name: str) -> Rows:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _flag(row: Row, column: str) -> bool:
    return str(row.get(column) or "0").strip() in {"1", "1.0", "True", "true"}


def _table(id: str, origin: str, unit: str, rows: Rows, *, auxiliary: bool = False) -> GroundTruthTable:
    licence, source = _LICENCE_AND_SOURCE[origin]
    made = table_from_rows(rows, id=id, licence=licence, source=source, unit=unit, auxiliary=auxiliary)
    return made.without_degenerate_datasets()


def _transfergraph(folder: Path) -> list[GroundTruthTable]:
    """Test accuracy alone; collapsed targets (`degenerate_target`) dropped; one table per protocol."""
    settings: dict[str, list[Row]] = {}
    for row in _read(folder, "transfergraph_image.csv"):
        if _flag(row, "degenerate_target") or not row["test_accuracy"]:
            continue
        made: Row = {
            "model": transfergraph_id(str(row["model"])),
            "dataset": dataset_key(str(row["dataset"])),
            "score": row["test_accuracy"],
        }
        settings.setdefault(str(row["setting"]), []).append(made)
    return [
        _table(f"transfergraph_{setting}", "transfergraph", "accuracy", iter(rows))
        for setting, rows in sorted(settings.items())
    ]


def _model_spider(folder: Path) -> list[GroundTruthTable]:
    """Fine-tuned accuracy of both zoos; the mixtures (ranks of unknown data) and regression targets are left out."""

    def rows(zoo: str) -> Rows:
        for row in _read(folder, "model_spider_ranks.csv"):
            if row["zoo"] == zoo and row["task"] == "classification" and row["finetuned_score"]:
                model, dataset = str(row["model"]), dataset_key(str(row["dataset"]))
                own = dataset_key(str(row["source_dataset"])) == dataset
                yield {"model": model_spider_id(model), "dataset": dataset, "score": row["finetuned_score"],
                       "self_transfer": own}  # fmt: skip

    return [
        _table("model_spider_10", "model_spider", "accuracy %", rows("single_source_10")),
        _table("model_spider_66", "model_spider", "accuracy %", rows("multi_source_66")),
    ]


def _parc(folder: Path) -> list[GroundTruthTable]:
    """Controlled and crowd-sourced banks (the latter holds the former); rows that PARC itself excludes are dropped."""

    def rows() -> Rows:
        for row in _read(folder, "parc_all.csv"):
            if _flag(row, "excluded_by_parc_metrics"):
                continue
            source, dataset = str(row["source_dataset"]), dataset_key(str(row["target_dataset"]))
            own = _flag(row, "self_transfer") or dataset_key(source) == dataset
            yield {"model": parc_id(str(row["architecture"]), source), "dataset": dataset, "score": row["accuracy"],
                   "self_transfer": own}  # fmt: skip

    return [_table("parc", "parc", "accuracy %", rows())]


def _accuracy_rows(folder: Path, name: str, model_id: Callable[[str], str], column: str = "accuracy") -> Rows:
    """Rows of a table with `model`, `dataset` and one accuracy column; zeros are failed runs and are dropped."""
    for row in _read(folder, name):
        if float(str(row[column] or 0)) > 0:
            key = dataset_key(str(row["dataset"]))
            yield {"model": model_id(str(row["model"])), "dataset": key, "score": row[column]}


def _emms_and_sfda(folder: Path) -> list[GroundTruthTable]:
    unit = "accuracy or mAP %"
    return [
        _table("emms_cnn", "emms", unit, _accuracy_rows(folder, "emms_cnn.csv", torchvision_id)),
        _table("emms_vit", "emms", unit, _accuracy_rows(folder, "emms_vit.csv", emms_vit_id)),
        _table("sfda_ssl", "sfda", unit, _accuracy_rows(folder, "sfda_ssl.csv", ssl_id)),
    ]


def _tllib(folder: Path) -> list[GroundTruthTable]:
    rows = _accuracy_rows(folder, "tllib_model_selection.csv", torchvision_id, "finetuned_acc")
    return [_table("tllib", "tllib", "accuracy %", rows)]


def _medical(folder: Path) -> list[GroundTruthTable]:
    """Best test AUC per pair; none of the transferability scores beside it is read."""

    def rows(study: str) -> Rows:
        for row in _read(folder, "medical_transferability.csv"):
            if row["study"] == study and row["auc"]:
                source, target = str(row["source"]), dataset_key(str(row["target"]))
                yield {"model": medical_id(study, source), "dataset": target, "score": row["auc"],
                       "self_transfer": study == "dataset" and dataset_key(source) == target}  # fmt: skip

    return [_table(f"medical_{study}", "medical", "AUC", rows(study)) for study in ("dataset", "model")]


def _vtab(folder: Path) -> list[GroundTruthTable]:
    def rows(setting: str) -> Rows:
        for row in _read(folder, "vtab_leaderboard.csv"):
            if row["setting"] == setting:
                yield {"model": vtab_id(str(row["method"])), "dataset": dataset_key(str(row["dataset"])),
                       "score": row["accuracy_percent"]}  # fmt: skip

    return [_table(f"vtab_{setting}", "vtab", "accuracy %", rows(setting)) for setting in ("full", "vtab1k")]


def _timm(folder: Path) -> list[GroundTruthTable]:
    """ImageNet accuracy and its variants: no fine-tuning, so auxiliary; the best image size of a model counts."""
    best: dict[tuple[str, str], float] = {}
    columns = {"imagenet": "top1_imagenet", "imagenet_real": "top1_real", "imagenet_v2": "top1_v2",
               "imagenet_a": "top1_a", "imagenet_r": "top1_r", "imagenet_sketch": "top1_sketch"}  # fmt: skip
    for row in _read(folder, "timm_accuracy.csv"):
        for dataset, column in columns.items():
            if row[column]:
                key = (dataset, f"timm/{row['model']}")
                best[key] = max(best.get(key, 0.0), float(str(row[column])))
    rows = ({"model": model, "dataset": dataset, "score": score} for (dataset, model), score in sorted(best.items()))
    return [_table("timm_accuracy", "timm", "top-1 %", iter(rows), auxiliary=True)]


def _small_zoo(folder: Path) -> list[GroundTruthTable]:
    def rows() -> Rows:
        for row in _read(folder, "small_zoo_finetune.csv"):
            yield {"model": row["model_id"], "dataset": row["dataset_id"], "score": row["accuracy"]}

    return [_table("small_zoo", "small_zoo", "accuracy", rows())]


_READERS: dict[str, Callable[[Path], list[GroundTruthTable]]] = {
    "transfergraph_image.csv": _transfergraph,
    "model_spider_ranks.csv": _model_spider,
    "parc_all.csv": _parc,
    "emms_cnn.csv": _emms_and_sfda,
    "tllib_model_selection.csv": _tllib,
    "medical_transferability.csv": _medical,
    "vtab_leaderboard.csv": _vtab,
    "timm_accuracy.csv": _timm,
    "small_zoo_finetune.csv": _small_zoo,
}


def load_published(folder: Path | str) -> tuple[GroundTruthTable, ...]:
    """Every published table whose file lies in `folder`, or in the data set of the Hub of that id, ordered by id.

    Raises:
        UserError: if the folder does not exist, or holds none of the known tables.
        HubError: the tables are on the Hub, and the Hub or the network is at fault.
    """
    folder = table_location(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "Name the folder that holds the published tables as CSV files.")
    present = [reader for name, reader in _READERS.items() if (folder / name).is_file()]
    if not present:
        raise UserError(f"{folder} holds none of the published tables", f"Known files: {', '.join(sorted(_READERS))}.")
    tables = [table for reader in present for table in reader(folder)]
    return tuple(sorted((table for table in tables if table.datasets), key=lambda table: table.id))
