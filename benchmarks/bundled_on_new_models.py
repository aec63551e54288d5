"""The bundled ranker on models that nobody trained it on: with its forest, and with its network alone.

    python benchmarks/bundled_on_new_models.py --zoo benchmarks/ground_truth/zoo_index
        --ground-truth benchmarks/ground_truth/table --datasets FOLDER

Cheap recipes stand for fine-tuning here (`knn`, `head`), and most of the datasets are known to the ranker; the models
are not. Class subsets, which have no tokens of their own, and self-transfer pairs are left out. Intervals are 90 %, by
a bootstrap over parents of datasets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from evaluate_ranker import read_corpus

from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.training.measured_evaluation import ranker_predictors


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    model = bundled_ranker()
    corpus = read_corpus(options)
    seen = set(model.config.trained_on["models"]) & set(corpus.zoo.model_ids)
    if seen:
        raise SystemExit(f"the ranker was trained on {len(seen)} of these models, {min(seen)} for one")
    whole = model.config.forest_weight
    print("| table | ranker | datasets | weighted tau | 90 % |\n|---|---|---:|---:|---|")
    for table in corpus.tables:
        tasks = [task for task in corpus.tasks([table.id]) if task.dataset in corpus.tokens]
        for name, share in (("with its forest", whole), ("network alone", 0.0)):
            model.config.forest_weight = share
            predict = ranker_predictors("ranker", model, corpus, 0)["ranker"]
            taus = [weighted_tau(np.asarray(predict(task)), task.scores) for task in tasks]
            low, high = mean_interval(taus, [task.parent for task in tasks]) or (float("nan"),) * 2
            print(f"| {table.id} | {name} | {len(taus)} | {np.mean(taus):.3f} | {low:.3f} to {high:.3f} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", action="append", required=True, help="zoo index or folder of models")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="table of knn and head")
    parser.add_argument("--datasets", type=Path, action="append", required=True, help="folder of datasets")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    return parser.parse_args()


if __name__ == "__main__":
    main()
