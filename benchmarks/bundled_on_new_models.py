"""A ranker on models that it was not trained on: with its forest and perceptrons, and with its network alone.

    python benchmarks/bundled_on_new_models.py --zoo benchmarks/ground_truth/zoo_index
        --ground-truth benchmarks/ground_truth/table --datasets FOLDER [--ranker FOLDER] [--recipe full]

Models of the tables that the ranker knows are left out, and so are class subsets, which have no tokens of their own,
and self-transfer pairs; most of the datasets are known to it. Intervals are 90 %, by a bootstrap over parents of
datasets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from evaluate_ranker import read_corpus

from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.evaluation.quadrants import MIN_MODELS
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import CrossSightModel
from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.training.measured_evaluation import ranker_predictors


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    model = CrossSightModel.from_pretrained(options.ranker) if options.ranker else bundled_ranker()
    corpus = read_corpus(options)
    seen = set(model.config.trained_on["models"])
    whole = model.config.forest_weight
    print("| table | models | ranker | datasets | weighted tau | 90 % |\n|---|---:|---|---:|---:|---|")
    for table in corpus.tables:
        if options.recipe and table.id.rpartition("_")[2] not in options.recipe:
            continue
        tasks = [unseen_part(task, seen) for task in corpus.tasks([table.id]) if task.dataset in corpus.tokens]
        tasks = [task for task in tasks if len(task.models) >= MIN_MODELS]
        if not tasks:
            continue
        most = max(len(task.models) for task in tasks)
        for name, share in (("with its forest", whole), ("network alone", 0.0)):
            model.config.forest_weight = share
            predict = ranker_predictors("ranker", model, corpus, 0)["ranker"]
            taus = [weighted_tau(np.asarray(predict(task)), task.scores) for task in tasks]
            low, high = mean_interval(taus, [task.parent for task in tasks]) or (float("nan"),) * 2
            print(f"| {table.id} | {most} | {name} | {len(taus)} | {np.mean(taus):.3f} | {low:.3f} to {high:.3f} |")


def unseen_part(task: Task, seen: set[str]) -> Task:
    """The task with those of its models that a ranker was not trained on."""
    kept = [row for row, model in enumerate(task.models) if model not in seen]
    return Task(task.table, task.dataset, tuple(task.models[row] for row in kept), task.scores[kept])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", action="append", required=True, help="zoo index or folder of models")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="tidy table or folder")
    parser.add_argument("--recipe", action="append", default=[], help="recipe that is tested on; all by default")
    parser.add_argument("--ranker", type=Path, help="folder of a ranker; the bundled one by default")
    parser.add_argument("--datasets", type=Path, action="append", required=True, help="folder of datasets")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    return parser.parse_args()


if __name__ == "__main__":
    main()
