"""Every transferability heuristic on the two datasets of the slides, a file a model and dataset when it is done.

Each runs the model on the same ten test images a class that the rankers read, and on the first one alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.report import Outcome
from hf_crosssight.features.extract import extract
from hf_crosssight.features.load import load_image_model
from hf_crosssight.hub.places import write_text
from hf_crosssight.peers.emms import label_embeddings
from hf_crosssight.transferability import available_methods, score

from .cells import Cell, Material, outcome, tests_of
from .images import few, read_images
from .setting import key_of

SLIDES = ("cifar10", "caltech101")
"""The two datasets of the slides' comparison."""

COUNTS = (1, 10)
_SOURCE_IMAGES = 3  # a class, of the model's own data, for the method that reads them


def write_scores(out: Path, zoo: Path, datasets: Path, folder: str, model: str, source: str) -> None:
    """Scores of all methods of one model on one dataset, unless they are there; `null` where a method has none."""
    path = out / "heuristics" / folder / f"{model.rpartition('/')[2]}.json"
    if path.is_file():
        return
    loaded = load_image_model(zoo / model)
    target, own = read_images(datasets, folder)["test"], few(read_images(datasets, source)["training"], _SOURCE_IMAGES)
    source_features = extract(loaded, own.images).pooled.astype(np.float64)
    found = {}
    for count in COUNTS:
        sample = few(target, count)
        features = extract(loaded, sample.images)
        given = {
            "features": features.pooled.astype(np.float64), "source_probs": features.probs,
            "source_features": source_features, "source_labels": own.labels,
            "label_embeddings": label_embeddings(_names(sample)),
        }  # fmt: skip
        found[str(count)] = {name: _score(name, sample, given) for name in available_methods()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"model": model, "dataset": folder, "scores": found}))


def read_scores(out: Path, folder: str) -> dict[tuple[str, int], dict[str, float]]:
    """By method and images a class, the score of each model that has one."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for path in sorted((out / "heuristics" / folder).glob("*.json")):
        read = json.loads(path.read_text(encoding="utf-8"))
        for count, scores in read["scores"].items():
            for method, value in scores.items():
                if value is not None:
                    found.setdefault((method, int(count)), {})[read["model"]] = value
    return found


def heuristic_outcomes(cell: Cell, material: Material) -> list[Outcome]:
    """Figures of every method on the models and datasets that a cell is tested on; a method's name ends in its images.

    A method that has no score for one of the models of a task has no figure there.
    """
    found = []
    for folder in SLIDES:
        read = read_scores(material.out, folder)
        for quadrant, task in tests_of(cell, material):
            if task.dataset != key_of(folder):
                continue
            for (method, count), by_model in read.items():
                if all(model in by_model for model in task.models):
                    scores = np.array([by_model[model] for model in task.models])
                    found.append(outcome(f"{method}, {count}", quadrant, task, cell.fold, [scores]))
    return found


def _names(sample: DatasetSample) -> tuple[str, ...]:
    """Names of the classes that the sample shows, by ascending label."""
    labels: Sequence[int] = np.unique(sample.labels).tolist() if sample.labels is not None else []
    return tuple(sample.class_names[label] for label in labels)


def _score(method: str, sample: DatasetSample, given: dict[str, object]) -> float | None:
    try:
        return float(score(method, labels=sample.labels, **given))  # type: ignore[arg-type]
    except (UserError, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
