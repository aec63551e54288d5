"""Known datasets, known models: does the ranker keep what it learned when it sees other images, and how few suffice?

    python benchmarks/known_quadrant.py --zoo INDEX --ground-truth FOLDER --datasets FOLDER [--recipe full]

The ranker learns from results of the fine-tuning seed 0, with tokens of images of the train split, and is judged by
the results of seed 1, with tokens of images of the test split. So neither an image nor a result is the one that it
learned. What the results of seed 0 themselves reach is as far as memory can go. About three minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from evaluate_ranker import untrained
from evidence.dataset_folders import dataset_folder

from hf_crosssight.data import load_sample
from hf_crosssight.evaluation.baselines import Predictor, quantiles, static_mean
from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.metrics import METRICS
from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.ground_truth.tidy_tables import read_rows
from hf_crosssight.tokens.dataset import dataset_tokens
from hf_crosssight.training.forest import ForestRecipe, probe_anchors, with_forest
from hf_crosssight.training.measured_corpus import MeasuredCorpus, load_measured
from hf_crosssight.training.measured_evaluation import measured_predictor, ranker_predictors
from hf_crosssight.zoo.open import open_zoo

IMAGES = (10, 5, 2, 1)
VIEWS = ("structure", "card", "weights", "probe")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", required=True, help="zoo index with probe views")
    parser.add_argument("--ground-truth", type=Path, required=True, help="table with two seeds of a recipe")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of datasets")
    parser.add_argument("--recipe", default="full")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--seeds", type=int, default=3, help="trainings, each with other images to judge by")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        halves = [_one_seed(options.ground_truth, options.recipe, seed, Path(folder)) for seed in (0, 1)]
        learned, judged = (
            load_measured(open_zoo(options.zoo, views=VIEWS), [half], [str(options.datasets)],
                          cache_dir=options.cache, offline=True)
            for half in halves
        )  # fmt: skip
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(options.seeds):
        for name, predict in _methods(learned, options, seed).items():
            for task in judged.tasks():
                scores = predict(task)
                if scores is not None:
                    tau = METRICS["weighted_tau"](np.asarray(scores), task.scores)
                    found.setdefault(name, {}).setdefault(task.parent, []).append(tau)
    print(_table(found))


def _methods(corpus: MeasuredCorpus, options: argparse.Namespace, seed: int) -> dict[str, Predictor]:
    tasks = corpus.tasks()
    recipe = ForestRecipe(seed=seed)
    ranker = with_forest(
        untrained(corpus, tasks), tasks, corpus.zoo, corpus.tokens, probe_anchors(options.cache), recipe=recipe
    )
    past = {(t.dataset, model): float(score) for t in tasks for model, score in zip(t.models, t.scores, strict=True)}
    found: dict[str, Predictor] = {
        "the same dataset's results of the other seed": measured_predictor(past),
        "static mean rank": static_mean(tasks, quantiles),
    }
    for images in IMAGES:
        fresh = replace(corpus, tokens=_other_images(corpus.tokens, options, images, seed))
        predictors = ranker_predictors("ranker", ranker, fresh, seed)
        found[f"ranker, {images} image{'s' * (images > 1)} of each class"] = predictors["ranker"]
        if images == IMAGES[0]:
            found["ranker, tokens of another dataset"] = predictors["ranker, shuffled tokens"]
    return found


def _other_images(named: Mapping[str, object], options: argparse.Namespace, images: int, seed: int) -> dict:
    """Tokens of images of the test split, by dataset."""
    found = {}
    for key in named:
        place = dataset_folder(options.datasets, key)
        sample = load_sample(str(place), split="test", images_per_class=images, seed=seed, offline=True)
        found[key] = [dataset_tokens(sample, cache_dir=options.cache)]
    return found


def _one_seed(table: Path, recipe: str, seed: int, folder: Path) -> Path:
    """A table of the results of one seed alone."""
    rows = [
        (row["model_id"], row["dataset_id"], seed, row["accuracy"])
        for row in read_rows(table)
        if row.get("recipe") == recipe and str(row["seed"]) == str(seed) and row["accuracy"] is not None
    ]
    path = folder / f"seed-{seed}.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("model_id", "dataset_id", "seed", "accuracy"), *rows])
    return path


def _table(found: Mapping[str, Mapping[str, list[float]]]) -> str:
    rows = []
    for name, by_parent in found.items():
        means = {parent: float(np.mean(values)) for parent, values in by_parent.items()}
        interval = mean_interval(list(means.values()), list(means))
        rounds = np.mean(list(by_parent.values()), axis=0)
        told = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"
        rows.append([name, f"{np.mean(list(means.values())):.3f}", told, f"{np.std(rounds):.3f}"])
    return markdown_table(["what ranks", "weighted tau", "90 % interval", "± over seeds"], rows)


if __name__ == "__main__":
    main()
