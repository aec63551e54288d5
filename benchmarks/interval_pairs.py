"""What an interval is worth: of two models whose intervals do not meet, how often is the better one ahead?

    python benchmarks/interval_pairs.py --zoo INDEX [--zoo ...] --ground-truth TABLE [--ground-truth ...]
        --datasets FOLDER [--cache FOLDER] [--seed 7 --seed 8]

Folds of `evaluate_ranker.py` with other seeds hold out a fifth of the parents and of the lineages. For several factors
on the ensemble's spread: the share of pairs that are told apart (90 % intervals do not meet), and of these the share
that the accuracies order the same way. The ranker's own factor is `ForestRecipe.widening`. One minute on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from evaluate_ranker import read_corpus, untrained

from hf_crosssight.evaluation.quadrants import test_tasks, training_tasks
from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.scoring import SIGMAS, Scores, score_candidates
from hf_crosssight.training.forest import ForestRecipe, probe_anchors, with_forest
from hf_crosssight.training.measured_corpus import MeasuredCorpus
from hf_crosssight.training.measured_evaluation import LINEAGES, nested_folds

FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0)


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    corpus = read_corpus(options)
    found: dict[str, list[np.ndarray]] = {}
    for quadrant, task, scores in _held_out(corpus, options):
        found.setdefault(quadrant, []).append(_pairs(scores, task.scores))
    rows = []
    for quadrant, parts in found.items():
        gap, width, right = np.concatenate(parts, axis=1)
        for factor in FACTORS:
            apart = gap > factor * width
            rows.append([quadrant, f"{factor:g}", f"{apart.mean():.3f}", f"{right[apart].mean():.3f}"])
        rows.append([quadrant, "all pairs", "1.000", f"{right.mean():.3f}"])
    print(markdown_table(["quadrant", "factor on the spread", "told apart", "of these ordered rightly"], rows))


def _held_out(corpus: MeasuredCorpus, options: argparse.Namespace) -> Iterator[tuple[str, Task, Scores]]:
    """Quadrant, task and what a ranker says that was grown on the rest, its spread as the ensemble has it."""
    tested = [table.id for table in corpus.tables if table.id.rpartition("_")[2] in ("full", "results")]
    anchors = probe_anchors(options.cache)
    rows = {model_id: row for row, model_id in enumerate(corpus.zoo.model_ids)}
    for nested in nested_folds(corpus, tested, 5, max(options.seed) + 1):
        if nested.seed not in options.seed or nested.held != LINEAGES:
            continue
        known = training_tasks(corpus.tasks(tested), nested.fold)
        recipe = ForestRecipe(seed=nested.seed, widening=1.0)
        ranker = with_forest(untrained(corpus, known), known, corpus.zoo, corpus.tokens, anchors, recipe=recipe)
        for quadrant, tasks in test_tasks(corpus.tasks(tested), nested.fold).items():
            for task in tasks:
                zoo = corpus.zoo.take([rows[model] for model in task.models])
                yield quadrant, task, score_candidates(ranker, corpus.tokens[task.dataset][-1].values, zoo)


def _pairs(scores: Scores, accuracies: np.ndarray) -> np.ndarray:
    """Of each pair of models: gap of the scores, sum of the intervals' half widths, whether it is ordered rightly."""
    one, other = np.triu_indices(len(accuracies), 1)
    differ = accuracies[one] != accuracies[other]
    one, other = one[differ], other[differ]
    gap = scores.score[one] - scores.score[other]
    right = np.sign(gap) == np.sign(accuracies[one] - accuracies[other])
    return np.stack([np.abs(gap), SIGMAS * (scores.spread[one] + scores.spread[other]), right])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", action="append", required=True, help="zoo index with all views")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="tidy table or folder")
    parser.add_argument("--datasets", type=Path, action="append", required=True, help="folder of datasets")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--seed", type=int, action="append", default=[], help="of folds; 7 and 8 by default")
    options = parser.parse_args()
    options.seed = options.seed or [7, 8]
    return options


if __name__ == "__main__":
    main()
