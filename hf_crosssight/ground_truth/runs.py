"""The pieces of a ground-truth table: what is computed for one model, or for one model on one dataset.

A piece of `full` appends every learning rate that it tries as a `trial`, so that a killed process loses one training
run at most, and then the best on validation as the `result`. Test accuracy is measured only where validation says that
a trial may be the best. Nothing that was measured by a clock enters what is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np

from .class_subsets import subset_accuracies, subset_tasks
from .feature_classifiers import Quality, TaskFeatures, head_predictions, knn_predictions, quality
from .forward_cost import device_name, measure_forward
from .labelled_images import LabelledImages, resized
from .model_sources import Classifier, ModelSource, UnusableModelError, load_classifier
from .pooled_features import FeatureCache
from .recipes import Recipe
from .record_store import Record, RecordStore, key_of
from .splits import COMPARED_TEST_IMAGES, Split, draw_split
from .training_data import stated_origin
from .training_loop import Schedule, TrainingFailedError, input_options, predict, to_input, train
from .work_queue import Piece

# A model's own code may fail in any way; that is a failed run with its cause, and no reason to stop a table.
_MODEL_ERRORS = (UnusableModelError, TrainingFailedError, RuntimeError, ValueError, TypeError, IndexError)
_PACKAGES = ("torch", "transformers", "accelerate", "scikit-learn", "numpy")


@dataclass
class Bench:
    """What all pieces share.

    Attributes:
        load: images of a dataset by its id.
        accelerator: of `accelerate`.
        cache: of pooled features.
    """

    load: Callable[[str], LabelledImages]
    accelerator: Any
    cache: FeatureCache
    versions: str = field(default_factory=lambda: "; ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES))
    resized: dict[tuple[str, int], LabelledImages] = field(default_factory=dict)
    mark: float = field(default_factory=time.perf_counter)

    def lap(self) -> float:
        """Wall seconds since the last lap: all of a process's time is some record's."""
        now = time.perf_counter()
        passed, self.mark = now - self.mark, now
        return passed

    def at_side(self, images: LabelledImages, side: int) -> LabelledImages:
        """The same images at another size; kept until another dataset is asked for."""
        if side == images.side:
            return images
        if (images.id, side) not in self.resized:
            self.resized = {key: value for key, value in self.resized.items() if key[0] == images.id}
            self.resized[images.id, side] = replace(images, images=resized(images.images, side))
        return self.resized[images.id, side]

    @property
    def device(self) -> Any:
        return self.accelerator.device


def _about(kind: str, model: ModelSource, dataset: str, recipe: Recipe | None, seed: int | None) -> Record:
    return {
        "kind": kind, "model_id": model.id, "model_revision": model.revision, "dataset_id": dataset,
        "recipe": recipe.name if recipe else None, "protocol": recipe.protocol if recipe else None, "seed": seed,
    }  # fmt: skip


def _finish(bench: Bench, record: Record) -> Record:
    """What every record ends with."""
    return record | {
        "seconds": round(bench.lap(), 4),
        "device": device_name(bench.device),
        "mixed_precision": bench.accelerator.mixed_precision,
        "versions": bench.versions,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _failed(bench: Bench, record: Record, cause: object) -> Record:
    text = " ".join(str(cause).split())[:300]
    return _finish(bench, record | {"status": "failed", "cause": text or type(cause).__name__, "accuracy": None})


# one model


def origin_piece(model: ModelSource) -> Piece:
    """What the card of a model states: a table that holds it can always be written, whichever models are at hand."""
    about = _about("origin", model, "", None, None)

    def note(store: RecordStore) -> None:
        store.append(about | asdict(stated_origin(model.folder)) | {"status": "ok"})

    return Piece(f"card of {model.id}", (key_of(about),), note)


def cost_piece(bench: Bench, model: ModelSource) -> Piece:
    """One forward pass of a model, measured."""
    about = _about("cost", model, "", None, None)
    return Piece(f"forward pass of {model.id}", (key_of(about),), partial(_measure_cost, bench, model, about))


def _measure_cost(bench: Bench, model: ModelSource, about: Record, store: RecordStore) -> None:
    try:
        classifier = load_classifier(model, classes=10, seed=0)
        classifier.model.to(bench.device)
        blank = np.zeros((1, 3, classifier.side, classifier.side), np.uint8)
        inputs = to_input(blank, classifier.normalisation, bench.device)
        cost = measure_forward(classifier.model, inputs, input_options(classifier.model), bench.device)
    except _MODEL_ERRORS as error:
        store.append(_failed(bench, about, error))
        return
    digits = {key: float(f"{value:.6g}") for key, value in asdict(cost).items() if isinstance(value, float)}
    params = sum(p.numel() for p in classifier.model.parameters())
    store.append(
        _finish(
            bench, about | asdict(cost) | digits | {"status": "ok", "params": params, "image_size": classifier.side}
        )
    )


# knn and head


def features_piece(bench: Bench, model: ModelSource, dataset: str, recipes: Sequence[Recipe], seeds: int) -> Piece:
    """`knn` and `head` of one model on one dataset, all seeds: the features are computed once."""
    abouts = [(recipe, _about("result", model, dataset, recipe, seed)) for recipe in recipes for seed in range(seeds)]
    keys = tuple(key_of(about) for _, about in abouts)
    names = "+".join(recipe.name for recipe in recipes)
    return Piece(f"{names}: {model.id} on {dataset}", keys, partial(_run_features, bench, model, dataset, abouts))


def _run_features(
    bench: Bench, model: ModelSource, dataset: str, abouts: list[tuple[Recipe, Record]], store: RecordStore
) -> None:
    missing = [(recipe, about) for recipe, about in abouts if _is_missing(store, about)]
    images = bench.load(dataset)
    splits = [draw_split(images, about["seed"], recipe.sizes) for recipe, about in missing]
    rows = np.unique(np.concatenate([part for s in splits for part in (s.train, s.validation, s.test)]))
    try:
        classifier = load_classifier(model, classes=2, seed=0)
        classifier.model.to(bench.device)
        features = bench.cache.features(model, classifier, bench.at_side(images, classifier.side), rows, bench.device)
    except _MODEL_ERRORS as error:
        for _, about in missing:
            store.append(_failed(bench, about, error))
        return
    for (recipe, about), split in zip(missing, splits, strict=True):
        found = _classify(recipe, _task(features, images, split))
        sizes = _sizes(images, split) | {"image_size": classifier.side}
        measured = _measured(found.pop("predicted"), split.labels(images, split.test))
        store.append(_finish(bench, about | sizes | found | measured))


def _is_missing(store: RecordStore, about: Record) -> bool:
    record = store.get(key_of(about))
    return record is None or record.get("status") == "failed"


def _task(features: np.ndarray, images: LabelledImages, split: Split) -> TaskFeatures:
    parts = (split.train, split.validation, split.test)
    return TaskFeatures(*((features[rows].astype(np.float32), split.labels(images, rows)) for rows in parts))


def _classify(recipe: Recipe, task: TaskFeatures) -> Record:
    begun = time.perf_counter()
    if recipe.name == "knn":
        predicted = knn_predictions(task.train, task.test[0])
        on_validation = float((knn_predictions(task.train, task.validation[0]) == task.validation[1]).mean())
        return {"predicted": predicted, "validation_accuracy": on_validation,
                "train_seconds": time.perf_counter() - begun}  # fmt: skip
    predicted, strength, on_validation = head_predictions(task)
    return {"predicted": predicted, "validation_accuracy": on_validation, "regularisation": strength,
            "train_seconds": time.perf_counter() - begun}  # fmt: skip


def _sizes(images: LabelledImages, split: Split) -> Record:
    return {
        "dataset_revision": images.revision,
        "classes": len(split.classes),
        "train_images": len(split.train),
        "validation_images": len(split.validation),
        "test_images": len(split.test),
        "split_hash": split.hash,
    }


def _measured(predicted: np.ndarray, labels: np.ndarray) -> Record:
    """The four qualities on all test images, and accuracy on the first 400 for comparison with published tables."""
    found: Quality = quality(predicted, labels)
    first = predicted[:COMPARED_TEST_IMAGES] == labels[:COMPARED_TEST_IMAGES]
    return {"status": "ok", "cause": None, **asdict(found), "accuracy_first_400": float(first.mean())}


# class subsets


def subsets_piece(bench: Bench, model: ModelSource, dataset: str, count: int) -> Piece:
    """`count` class-subset tasks of a dataset, by one model: one record holds them all."""
    about = _about("subsets", model, dataset, None, 0)
    about |= {"recipe": "subsets", "protocol": f"{count} subsets of seed 0"}
    run = partial(_run_subsets, bench, model, dataset, count, about)
    return Piece(f"subsets: {model.id} on {dataset}", (key_of(about),), run)


def _run_subsets(
    bench: Bench, model: ModelSource, dataset: str, count: int, about: Record, store: RecordStore
) -> None:
    images = bench.load(dataset)
    split = draw_split(images, seed=0)
    rows = np.concatenate([split.train, split.test])
    try:
        classifier = load_classifier(model, classes=2, seed=0)
        classifier.model.to(bench.device)
        features = bench.cache.features(model, classifier, bench.at_side(images, classifier.side), rows, bench.device)
    except _MODEL_ERRORS as error:
        store.append(_failed(bench, about, error))
        return
    tasks = subset_tasks(images, split, count)
    described = {
        "tasks": [task.id for task in tasks],
        "classes": [task.classes.tolist() for task in tasks],
        "train_images": [len(task.train) for task in tasks],
        "test_images": [len(task.test) for task in tasks],
        "dataset_revision": images.revision,
        "split_hash": split.hash,
    }
    accuracies = {recipe: np.round(found, 6).tolist() for recipe, found in
                  subset_accuracies(features, images.labels, tasks).items()}  # fmt: skip
    store.append(_finish(bench, about | described | {"status": "ok", "cause": None, "accuracies": accuracies}))


# full fine-tuning


def full_piece(bench: Bench, model: ModelSource, dataset: str, recipe: Recipe, seeds: int) -> Piece:
    """Full fine-tuning of one model on one dataset, all seeds; the grid of learning rates is tried on seed 0."""
    abouts = [_about("result", model, dataset, recipe, seed) for seed in range(seeds)]
    keys = tuple(key_of(about) for about in abouts)
    return Piece(f"full: {model.id} on {dataset}", keys, partial(_run_full, bench, model, dataset, recipe, abouts))


def _run_full(
    bench: Bench, model: ModelSource, dataset: str, recipe: Recipe, abouts: list[Record], store: RecordStore
) -> None:
    images = bench.load(dataset)
    rates: tuple[float, ...] = recipe.learning_rates
    for about in abouts:
        if _is_missing(store, about):
            best = _best_trial(bench, model, images, recipe, rates, about, store)
            _append_result(bench, store, about, best, rates)
        chosen = store.get(key_of(about))
        if about["seed"] == 0 and chosen is not None and chosen.get("learning_rate") is not None:
            rates = (chosen["learning_rate"],)


def _append_result(
    bench: Bench, store: RecordStore, about: Record, best: Record | None, rates: tuple[float, ...]
) -> None:
    if best is None:
        trials = [store.get(key_of(about | {"kind": "trial", "learning_rate": rate})) for rate in rates]
        causes = {f"{trial['learning_rate']:g}: {trial['cause']}" for trial in trials if trial}
        store.append(_failed(bench, about, "no learning rate gave a model: " + "; ".join(sorted(causes))))
        return
    store.append(best | about | {"trials": len(rates)})


def _best_trial(
    bench: Bench,
    model: ModelSource,
    images: LabelledImages,
    recipe: Recipe,
    rates: tuple[float, ...],
    about: Record,
    store: RecordStore,
) -> Record | None:
    """Runs the trials that are missing; the first of those with the best validation accuracy, `None` if all failed."""
    split = draw_split(images, about["seed"], recipe.sizes)
    sizes = _sizes(images, split)
    best: Record | None = None
    for rate in rates:
        trial = about | {"kind": "trial", "learning_rate": rate} | sizes
        found = store.get(key_of(trial))
        if found is None or found["status"] == "failed":
            found = _try(bench, model, images, split, recipe, trial, best["validation_accuracy"] if best else -1.0)
            store.append(found)
        if found["status"] == "ok" and (best is None or found["validation_accuracy"] > best["validation_accuracy"]):
            best = found
    return best


def _try(
    bench: Bench,
    model: ModelSource,
    images: LabelledImages,
    split: Split,
    recipe: Recipe,
    trial: Record,
    to_beat: float,
) -> Record:
    """One training run; tested only if its validation accuracy is better than `to_beat`."""
    schedule = Schedule(recipe.epochs, trial["learning_rate"], recipe.batch_size, seed=trial["seed"])
    try:
        classifier = load_classifier(model, len(split.classes), seed=trial["seed"])
        fitting = bench.at_side(images, classifier.side).images
        report = train(
            classifier.model, fitting[split.train], split.labels(images, split.train), schedule,
            classifier.normalisation, bench.accelerator,
        )  # fmt: skip
        right = _predicted(bench, classifier, fitting[split.validation]) == split.labels(images, split.validation)
        found: Record = {"validation_accuracy": float(right.mean()), "status": "ok", "cause": None}
        if found["validation_accuracy"] > to_beat:
            found |= _measured(_predicted(bench, classifier, fitting[split.test]), split.labels(images, split.test))
    except _MODEL_ERRORS as error:
        return _failed(bench, trial, error)
    trained = {
        "image_size": classifier.side,
        "batch_size": report.batch_size,
        "steps": report.steps,
        "train_seconds": report.seconds,
        "step_seconds": report.step_seconds,
    }
    return _finish(bench, trial | trained | found)


def _predicted(bench: Bench, classifier: Classifier, pixels: np.ndarray) -> np.ndarray:
    return predict(classifier.model, pixels, classifier.normalisation, bench.accelerator)
