"""The setting of the thesis: sixteen datasets, a zoo, three ground truths, and folds that hold whole lineages out.

Where the thesis' dataset is not at hand, another stands in under the thesis' name (`STAND_INS`).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from hf_crosssight.evaluation.quadrants import BLIND_DATASETS, BLIND_MODELS, DOUBLE_BLIND, Fold, restricted
from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.lineage import lineage_folds, lineages, root_of
from hf_crosssight.ground_truth.tables import GroundTruthTable, Task, tasks_of
from hf_crosssight.ground_truth.thesis_scores import TIE_BREAK, ReportedAccuracy, thesis_similarity, weighted_scores
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo

KNOWN = {
    "MNIST": "mnist", "SVHN": "street-digits", "USPS Digits": "usps",
    "Fashion MNIST": "fashion-mnist", "Deepfashion Inshop": "clothing-small", "Fashion Product": "fashion-products",
    "ImageNet 1k": "tiny-imagenet-100", "CIFAR-10": "cifar10", "CIFAR-100": "leaf-99", "Caltech-101": "caltech101",
    "HAM10000": "ham10000",
}  # fmt: skip
"""The eleven training datasets by their names in the thesis: digits, fashion, generic."""

BLIND = {
    "Aircraft": "trashnet", "SUN397": "intel-scenes", "Cars": "stanford-cars-100", "DTD": "dtd-10",
    "Pets": "oxford-pets-5",
}  # fmt: skip
"""The five blind datasets."""

STAND_INS = {
    "SVHN": "street-digits", "DeepFashion": "clothing-small", "ImageNet-1k": "tiny-imagenet-100",
    "CIFAR-100": "leaf-99", "Aircraft": "trashnet", "SUN397": "intel-scenes", "Cars": "stanford-cars-100",
    "DTD": "dtd-10", "Pets": "oxford-pets-5",
}  # fmt: skip

FORMULA, HEAD, FULL = "formula", "head", "full"
TRUTHS = (FORMULA, HEAD, FULL)
MODEL_SPIDER_QUADRANT = "known both"
QUADRANTS = (MODEL_SPIDER_QUADRANT, BLIND_DATASETS, BLIND_MODELS, DOUBLE_BLIND)
FOLDS, FOLD_SEED = 4, 0
_PREFIX = "zoo-bench/"


def key_of(folder: str) -> str:
    """A dataset as the tables call it."""
    return _PREFIX + folder


@dataclass(frozen=True)
class Setting:
    """The zoo and the three ground truths.

    Attributes:
        zoo: all models of the lineage zoo with their views.
        tables: by ground truth. The formula and `head` have the models whose source is one of the eleven training
            datasets, as the thesis has it; `full` has those that were fine-tuned.
        sources: by model, the folder of the data of its last training, and the accuracy stated for it.
    """

    zoo: ZooIndex
    tables: dict[str, GroundTruthTable]
    sources: dict[str, tuple[str, float]]

    @cached_property
    def lineage(self) -> dict[str, str]:
        """Group of kin of each model."""
        records = [self.zoo.record(row) for row in range(len(self.zoo))]
        return lineages({r.model_id: root_of(r) for r in records}, {r.model_id: r.base_model for r in records})

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Keys of all datasets, the known ones first."""
        return tuple(key_of(folder) for folder in (*KNOWN.values(), *BLIND.values()))

    def folds(self, truth: str) -> list[Fold]:
        """The five blind datasets, and about a quarter of the models, whole lineages; each model is blind once."""
        models = self.tables[truth].models
        fold_of = lineage_folds(self.lineage, models, FOLDS, FOLD_SEED)
        parents = frozenset(parent_of(key_of(folder)) for folder in BLIND.values())
        return [Fold(parents, frozenset(m for m in models if fold_of[m] == number)) for number in range(FOLDS)]

    def kin(self, fold: Fold) -> set[str]:
        """All models of the zoo that are kin of a fold's blind ones: nothing is learnt from their weights either."""
        held = {self.lineage[model] for model in fold.models}
        return {model for model, group in self.lineage.items() if group in held}

    def quadrants(self, truth: str, fold: Fold) -> dict[str, list[Task]]:
        """Tasks of each quadrant; those of fewer than five models or constant results are left out."""
        found: dict[str, list[Task]] = {name: [] for name in QUADRANTS}
        for task in tasks_of([self.tables[truth]]):
            blind = task.parent in fold.parents
            known = restricted(task, fold.models, keep=False)
            found[BLIND_DATASETS if blind else MODEL_SPIDER_QUADRANT].append(known)
            found[DOUBLE_BLIND if blind else BLIND_MODELS].append(restricted(task, fold.models, keep=True))
        return {
            name: [task for task in tasks if len(task.models) > 4 and np.ptp(task.scores) > 0]
            for name, tasks in found.items()
        }


def read_setting(index: Path, table: Path, members: Path) -> Setting:
    """The setting of an index, a table of measured results and the list of the zoo's members."""
    sources = _sources(members)
    zoo = open_zoo(index)
    zoo = zoo.take([row for row, model in enumerate(zoo.model_ids) if model in sources])
    measured = load_tidy(table)
    chosen = [model for model in zoo.model_ids if sources[model][0] in KNOWN.values()]
    tables = {
        FORMULA: _formula(chosen, sources),
        HEAD: _part(measured[HEAD], HEAD, chosen),
        FULL: _part(measured[FULL], FULL, zoo.model_ids),
    }
    return Setting(zoo, tables, sources)


def similarity_alone(sources: dict[str, tuple[str, float]], task: Task) -> np.ndarray:
    """The hand-set similarity of each model's source to the task's dataset, `[M]`."""
    names = {folder: name for name, folder in {**KNOWN, **BLIND}.items()}
    target, matrix = names[task.dataset.removeprefix(_PREFIX)], thesis_similarity()
    return np.array([matrix.between(target, names[sources[model][0]]) for model in task.models])


def _sources(members: Path) -> dict[str, tuple[str, float]]:
    with members.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["model_id"]: (row["source"].removeprefix(_PREFIX), float(row["source_accuracy"])) for row in rows}


def _formula(models: Sequence[str], sources: dict[str, tuple[str, float]]) -> GroundTruthTable:
    """The thesis' scores, its tie-break included; a model's own dataset counts, as in the thesis."""
    names = {folder: name for name, folder in {**KNOWN, **BLIND}.items()}
    reported = [ReportedAccuracy(names[sources[m][0]], m, sources[m][1]) for m in models]
    scores = np.stack([weighted_scores(reported, name, thesis_similarity())[1] for name in names.values()])
    scores = scores + TIE_BREAK * np.arange(len(models))
    keys = tuple(key_of(folder) for folder in names)
    nothing = np.zeros(scores.shape, bool)
    return GroundTruthTable(
        FORMULA, "apache-2.0", "the thesis' formula", "score", keys, tuple(models), scores, nothing
    )


def _part(table: GroundTruthTable, name: str, models: Sequence[str]) -> GroundTruthTable:
    """Some models of a table on the sixteen datasets, as far as they were measured."""
    keys = {key_of(folder) for folder in (*KNOWN.values(), *BLIND.values())}
    kept = table.keep_models(i for i, model in enumerate(table.models) if model in set(models))
    kept = kept.keep_datasets(i for i, key in enumerate(kept.datasets) if key in keys)
    return replace(kept.without_degenerate_datasets(), id=name)
