"""Ranking tasks with everything that refinement needs, and what refining does to one of them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hf_crosssight.evaluation.baselines import z_scores
from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.metrics import regret_at_k, weighted_tau, weighted_tau_true_rank
from hf_crosssight.ground_truth.labelled_images import expand_datasets, local_dataset_id
from hf_crosssight.ground_truth.model_sources import find_models
from hf_crosssight.ground_truth.training_data import is_among, stated_origin, trained_on
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import LoadedRanker, find_ranker
from hf_crosssight.refinement.fusion import Fusion
from hf_crosssight.refinement.refine import added_scores
from refinement.evidence_table import Accuracies, Measured, accuracies, measured_pairs, parent, ranker_scores

FEWEST_MODELS = 15

Scored = tuple[np.ndarray, "RankingTask"]  # scores [M] and the task that they rank


@dataclass(frozen=True)
class RankingTask:
    """M models on one dataset.

    Attributes:
        table: whose results they are.
        prior: the ranker's scores `[M]`; `None` if it was trained on results of these very models, which tells nothing
            of what its scores of other models are worth.
        values: evidence of each model, score by method.
        accuracy: `[M]` after fine-tuning.
    """

    table: str
    dataset: str
    parent: str
    models: tuple[str, ...]
    prior: np.ndarray | None
    values: tuple[dict[str, float], ...]
    accuracy: np.ndarray

    @property
    def target(self) -> np.ndarray:
        """What the ranker's scores stand for: accuracies as z-scores `[M]`."""
        return z_scores(self.accuracy)


def tasks_of(
    table: str,
    accuracies: Accuracies,
    scores: Accuracies,
    pairs: Mapping[tuple[str, str], Measured],
    stated: Mapping[str, frozenset[str]],
    seen: frozenset[str],
) -> list[RankingTask]:
    """The tasks for which all is known, of models that the ranker was not trained on; of those that it was where
    there are no others.

    Args:
        stated: datasets that a model was trained on; it does not count there.
        seen: models that the ranker was trained on.
    """
    found: list[RankingTask] = []
    for dataset in sorted(accuracies):
        usable = [
            model
            for model in sorted(accuracies[dataset])
            if (model, dataset) in pairs
            and model in scores.get(dataset, {})
            and not is_among(dataset, stated.get(model, frozenset()))
        ]
        for models in ([m for m in usable if m not in seen], [m for m in usable if m in seen]):
            if len(models) < FEWEST_MODELS:
                continue
            prior = None if models[0] in seen else np.array([scores[dataset][model] for model in models])
            accuracy = np.array([accuracies[dataset][model] for model in models])
            values = tuple(pairs[model, dataset].values for model in models)
            found.append(RankingTask(table, dataset, parent(dataset), tuple(models), prior, values, accuracy))
    blind = [task for task in found if task.prior is not None]
    return blind or found


def refined(task: RankingTask, fusion: Fusion, k: int, rule: str = "evidence") -> np.ndarray:
    """Scores `[M]` after refining the best `k`, by the very code of `rank --refine`; of all without a prior."""
    if task.prior is None:
        return fusion.added(without(task), np.zeros(len(task.models), bool), task.values)
    best = np.lexsort((np.asarray(task.models), -np.round(task.prior, 6)))[:k]
    unseen = np.ones(len(best), bool)
    added = added_scores(task.prior[best], unseen, [task.values[row] for row in best], fusion, rule)
    scores = task.prior.copy()
    scores[best] += added
    return scores


def without(task: RankingTask) -> np.ndarray:
    """Scores before refinement `[M]`; all the same where the ranker's do not count."""
    return np.zeros(len(task.models)) if task.prior is None else task.prior


def by_method(task: RankingTask, method: str) -> np.ndarray:
    """One method's scores of all models `[M]`; a model that has none comes last."""
    column = np.array([values.get(method, np.nan) for values in task.values])
    return np.where(np.isnan(column), np.nanmin(column) - 1.0, column)


def mean_tau(scored: Sequence[Scored]) -> float:
    """Mean weighted tau over tasks."""
    return float(np.mean([weighted_tau(scores, task.accuracy) for scores, task in scored]))


def print_qualities(rows: Mapping[str, Sequence[Scored]]) -> None:
    """One line a row: weighted tau in both conventions and regret@1 in points, with 90 % intervals over parents."""
    print(f"{'':34} {'weighted tau':>24} {'true rank':>24} {'regret@1 in points':>22}")
    for name, scored in rows.items():
        parents = [task.parent for _, task in scored]
        cells = []
        for measure in (weighted_tau, weighted_tau_true_rank, _regret):
            values = [measure(scores, task.accuracy) for scores, task in scored]
            low, high = mean_interval(values, parents) or (np.nan, np.nan)
            cells.append(f"{np.mean(values):7.3f} ({low:6.3f}, {high:6.3f})")
        print(f"{name:34} {'  '.join(cells)}")


def _regret(scores: np.ndarray, accuracy: np.ndarray) -> float:
    return 100.0 * regret_at_k(scores, accuracy, 1)


@dataclass(frozen=True)
class Inputs:
    """What both scripts work on."""

    ranker: LoadedRanker
    tasks: list[RankingTask]


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """The options of both scripts."""
    parser.add_argument(
        "--table", action="append", required=True, help="results: PATH, or PATH=RECIPE; may be repeated"
    )
    parser.add_argument("--zoo", type=Path, action="append", required=True, help="folder of models; repeatable")
    parser.add_argument("--datasets", action="append", required=True, help="folder of datasets, or one of them")
    parser.add_argument("--cache", type=Path, required=True, help="pooled features")
    parser.add_argument("--work", type=Path, required=True, help="where what was measured is kept")
    parser.add_argument("--ranker", default="bundled")
    parser.add_argument("--cached-only", action="store_true", help="leave out pairs without pooled features")


def gathered(options: argparse.Namespace) -> Inputs:
    """Measures what is missing, and puts the tasks together."""
    ranker = find_ranker(options.ranker, client=HubClient(offline=True)).load()
    tables = {named: accuracies(Path(named.split("=")[0]), *named.split("=")[1:]) for named in options.table}
    folders = [Path(found) for found in expand_datasets(options.datasets)]
    folders = [folder for folder in folders if any(local_dataset_id(folder) in table for table in tables.values())]
    options.work.mkdir(parents=True, exist_ok=True)
    pairs = measured_pairs(options.zoo, folders, options.cache, options.work / "pairs.jsonl", options.cached_only)
    scores = ranker_scores(ranker, options.zoo, folders, options.work / "ranker_scores.json")
    models, _ = find_models([str(zoo) for zoo in options.zoo], offline=True)
    stated = trained_on({model.id: stated_origin(model.folder) for model in models})
    seen = frozenset((ranker.model.config.trained_on or {}).get("models", ()))
    tasks = [
        task
        for named, table in tables.items()
        for task in tasks_of(Path(named).name, table, scores, pairs, stated, seen)
    ]
    return Inputs(ranker, tasks)
