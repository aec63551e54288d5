"""Evidence of many models on many datasets, the ranker's scores of them, and what they reached after fine-tuning.

Ten images a class stand for a dataset, drawn from the images that fine-tuning may train on. Their features come from
the cache of `ground-truth collect --cache`; what it lacks is computed and kept there. What was scored is appended to a
file of JSON lines, so that an interrupted run goes on where it was and a second script reads what the first measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError
from hf_crosssight.features import UnusableModelError
from hf_crosssight.ground_truth.datasets import dataset_key, parent_of
from hf_crosssight.ground_truth.labelled_images import LabelledImages, load_images, resized
from hf_crosssight.ground_truth.model_sources import SIDE, Classifier, ModelSource, find_models, load_classifier
from hf_crosssight.ground_truth.pooled_features import FeatureCache
from hf_crosssight.ground_truth.splits import draw_split
from hf_crosssight.ground_truth.tidy_tables import read_rows
from hf_crosssight.rankers import LoadedRanker
from hf_crosssight.scoring import score_candidates
from hf_crosssight.tokens.dataset import dataset_tokens
from hf_crosssight.tokens.image_encoder import default_encoder
from hf_crosssight.transferability import score
from hf_crosssight.zoo import ZooIndex, open_zoo

METHODS = ("knn", "logme", "hscore_regularized", "hscore", "nleep", "lfc", "parc", "gbc", "sfda", "ncti", "etran",
           "transrate")  # fmt: skip
IMAGES_PER_CLASS = 10

Accuracies = dict[str, dict[str, float]]  # by dataset and model


@dataclass(frozen=True)
class Measured:
    """One model on one dataset: score and CPU seconds by method; a method that says nothing is missing."""

    model: str
    dataset: str
    values: dict[str, float]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Task:
    """A dataset to be ranked for: `rows` of its images, classes `labels` of these."""

    images: LabelledImages
    rows: np.ndarray
    labels: np.ndarray


def task_of(folder: Path) -> Task:
    """Ten images a class of a dataset's training images, the same for everybody."""
    images = load_images(str(folder), SIDE, offline=True)
    split = draw_split(images, seed=0)
    rng = np.random.default_rng(0)
    own = [split.train[images.labels[split.train] == label] for label in split.classes]
    rows = np.concatenate([np.sort(rng.permutation(each)[:IMAGES_PER_CLASS]) for each in own])
    return Task(images, rows, split.labels(images, rows))


def measured_pairs(
    zoos: Sequence[Path], folders: Sequence[Path], cache: Path, kept: Path, cached_only: bool = False
) -> dict[tuple[str, str], Measured]:
    """Evidence by (model, dataset); what `kept` lacks is measured and added to it.

    Args:
        cached_only: leave out pairs whose features the cache lacks.
    """
    import torch

    torch.set_num_threads(1)
    found = read_pairs(kept)
    models, _ = find_models([str(zoo) for zoo in zoos], offline=True)
    loaded = {model.id: classifier for model in models if (classifier := _loaded(model)) is not None}
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as file:
        for folder in folders:
            task = task_of(folder)
            missing = [m for m in models if m.id in loaded and (m.id, task.images.id) not in found]
            print(f"{task.images.id}: {len(missing)} models on {len(task.rows)} images", file=sys.stderr, flush=True)
            for model in missing:
                pair = _scored(model, loaded[model.id], task, FeatureCache(cache), cached_only)
                if pair is None:
                    continue
                found[pair.model, pair.dataset] = pair
                print(json.dumps(asdict(pair)), file=file, flush=True)
    return found


def read_pairs(kept: Path) -> dict[tuple[str, str], Measured]:
    """What was measured before."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    pairs = [Measured(**json.loads(line)) for line in lines]
    return {(pair.model, pair.dataset): pair for pair in pairs}


def _loaded(model: ModelSource) -> Classifier | None:
    try:
        return load_classifier(model, classes=2, seed=0)
    except UnusableModelError as error:
        print(f"{model.id} is left out: {error}", file=sys.stderr)
        return None


def _scored(
    model: ModelSource, classifier: Classifier, task: Task, cache: FeatureCache, cached_only: bool
) -> Measured | None:
    images = task.images
    if classifier.side != images.side:
        images = replace(images, images=resized(images.images[:0], classifier.side))
        if not cache.path(model, images).is_file():
            images = replace(images, images=resized(task.images.images, classifier.side))
    try:
        features = cache.features(model, None if cached_only else classifier, images, task.rows, "cpu")
    except KeyError:
        return None
    values, seconds = {}, {}
    for method in METHODS:
        begin = time.process_time()
        try:
            values[method] = score(method, features=features[task.rows].astype(np.float32), labels=task.labels)
        except UserError as error:
            print(f"  {model.id} on {task.images.id}: {error.what}", file=sys.stderr)
        seconds[method] = round(time.process_time() - begin, 5)
    return Measured(model.id, task.images.id, values, seconds)


def ranker_scores(ranker: LoadedRanker, zoos: Sequence[Path], folders: Iterable[Path], kept: Path) -> Accuracies:
    """The ranker's score by dataset and model, as `rank` computes it; `kept` as in `measured_pairs`."""
    name = f"{ranker.id}@{ranker.revision}"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    found: Accuracies = known.get(name, {})
    missing = [folder for folder in folders if f"{folder.parent.name}/{folder.name}" not in found]
    zoo = _joined(zoos, ranker) if missing else None
    for folder in missing:
        assert zoo is not None
        sample = load_sample(str(folder), images_per_class=IMAGES_PER_CLASS, offline=True)
        tokens = dataset_tokens(sample, default_encoder())
        scores = np.round(score_candidates(ranker.model, tokens.values, zoo).score, 6).tolist()
        found[f"{folder.parent.name}/{folder.name}"] = dict(zip(zoo.model_ids, scores, strict=True))
        kept.write_text(json.dumps(known | {name: found}), encoding="utf-8")
        print(f"{folder.name}: ranked", file=sys.stderr, flush=True)
    return found


def _joined(zoos: Sequence[Path], ranker: LoadedRanker) -> ZooIndex:
    whole, *others = [open_zoo(folder, views=ranker.views) for folder in zoos]
    for other in others:
        whole = whole.joined(other)
    return whole


def accuracies(table: Path, recipe: str | None = None) -> Accuracies:
    """Mean accuracy over seeds by dataset and model; `recipe` picks one of a table that has several."""
    sums: dict[tuple[str, str], list[float]] = {}
    for row in read_rows(table):
        if recipe in (None, row.get("recipe")) and row["accuracy"] not in (None, "") and row.get("status") != "failed":
            sums.setdefault((str(row["dataset_id"]), str(row["model_id"])), []).append(float(str(row["accuracy"])))
    if not sums:
        raise UserError(f"{table} holds no result of this recipe", "name another --recipe")
    found: Accuracies = {}
    for (dataset, model), values in sums.items():
        found.setdefault(dataset, {})[model] = float(np.mean(values))
    return found


def parent(dataset: str) -> str:
    """The collection that a dataset's images come from."""
    return parent_of(dataset_key(dataset))
