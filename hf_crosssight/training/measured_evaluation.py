"""One fold on our own measurements: the ranker and every baseline learn from one part and rank the blind part.

A fold holds out parents of datasets and, with them, lineages or whole architecture families of models; so one training
gives three quadrants. Everything is fitted to the known part alone, our rankers as well as the baselines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hf_crosssight.evaluation.baselines import (
    Metadata,
    Predictor,
    fact_predictor,
    facts_of,
    nearest_dataset,
    quantiles,
    regressor,
    results_by_nearness,
    static_mean,
    z_scores,
)
from hf_crosssight.evaluation.family_pairs import family_pairs
from hf_crosssight.evaluation.metrics import METRICS
from hf_crosssight.evaluation.quadrants import BLIND_MODELS, DOUBLE_BLIND, Fold, folds_of, test_tasks
from hf_crosssight.evaluation.relatives import BlindModel, closest_relative, pairs_of_each
from hf_crosssight.evaluation.report import Outcome
from hf_crosssight.evaluation.shortlist import HeldOut
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import CrossSightModel
from hf_crosssight.tokens.word_match import evidence_of

from .blind_evaluation import text_vectors, token_distance
from .forest import ForestRecipe
from .measured_corpus import MeasuredCorpus

LINEAGES, FAMILIES, MODELS = "lineages", "families", "models"
FAMILIES_KNOWN, FAMILIES_BLIND = "unseen families", "unseen families, blind datasets"
_RENAMED = {BLIND_MODELS: FAMILIES_KNOWN, DOUBLE_BLIND: FAMILIES_BLIND}


@dataclass(frozen=True)
class NestedFold:
    """A fold with what it holds out: whole lineages, whole families (which hold whole lineages), or single models."""

    held: str
    seed: int
    number: int
    fold: Fold

    @property
    def name(self) -> str:
        return f"{self.held}-{self.seed}-{self.number}"


def nested_folds(corpus: MeasuredCorpus, tested: Sequence[str], folds: int, seeds: int) -> Iterator[NestedFold]:
    """All folds of the tables that are tested on; with each seed other parents and models fall together."""
    tasks = corpus.tasks(tested)
    alone = {model: model for model in corpus.lineage}  # relatives stay in training, to tell what they are worth
    splits = ((LINEAGES, corpus.lineage), (FAMILIES, kin_of_families(corpus)), (MODELS, alone))
    for seed in range(seeds):
        for held, groups in splits:
            for number, fold in enumerate(folds_of(tasks, groups, folds, seed)):
                yield NestedFold(held, seed, number, _with_kin(fold, groups))


def kin_of_families(corpus: MeasuredCorpus) -> dict[str, str]:
    """Family of each model, those that share a lineage joined into one."""
    first: dict[str, str] = {}
    return {model: first.setdefault(corpus.lineage[model], corpus.family[model]) for model in corpus.family}


def _with_kin(fold: Fold, groups: Mapping[str, str]) -> Fold:
    """The fold with relatives that the tested tables do not name: auxiliary tables must not show them either."""
    held = {groups[model] for model in fold.models}
    return Fold(fold.parents, frozenset(model for model, group in groups.items() if group in held))


def outcomes_of(
    corpus: MeasuredCorpus, nested: NestedFold, tested: Sequence[str], methods: Mapping[str, Predictor]
) -> Iterator[Outcome]:
    """What fitted methods score on a fold's quadrants; regret in accuracy points, pairs of one family counted.

    Of folds of single models nothing: their blind models have relatives in training (see `blind_models`).
    """
    if nested.held == MODELS:
        return
    for quadrant, tasks in test_tasks(corpus.tasks(tested), nested.fold).items():
        if nested.held == FAMILIES and quadrant not in _RENAMED:
            continue  # known models: what the folds of lineages tell already
        shown = _RENAMED[quadrant] if nested.held == FAMILIES else quadrant
        for task in tasks:
            families = [corpus.family[model] for model in task.models]
            for name, predict in methods.items():
                scores = predict(task)
                if scores is not None:
                    figures = figures_of(np.asarray(scores), task.scores, families)
                    yield Outcome(name, shown, task.table, task.dataset, task.parent, nested.seed, figures)


def blind_models(
    corpus: MeasuredCorpus, nested: NestedFold, tested: Sequence[str], methods: Mapping[str, Predictor]
) -> Iterator[BlindModel]:
    """How each blind model is placed among all candidates of each known dataset, with its closest relative there."""
    tasks = [task for task in corpus.tasks(tested) if task.parent not in nested.fold.parents]
    training = {model for task in tasks for model in task.models} - nested.fold.models
    kin = {m: closest_relative(m, training, corpus.lineage, corpus.family) for m in sorted(nested.fold.models)}
    for task in tasks:
        for name, predict in methods.items():
            scores = predict(task)
            if scores is None:
                continue
            for model, pairs in zip(task.models, pairs_of_each(np.asarray(scores), task.scores), strict=True):
                if model in kin:
                    yield BlindModel(name, model, task.dataset, corpus.lineage[model], kin[model], float(pairs))


def held_out_lists(
    corpus: MeasuredCorpus, nested: NestedFold, tested: Sequence[str], predict: Predictor
) -> list[HeldOut]:
    """Blind datasets with all their models, known and blind: what shortlists are calibrated on."""
    found = []
    for task in corpus.tasks(tested):
        if task.parent in nested.fold.parents and nested.held == LINEAGES:
            scores = predict(task)
            if scores is not None:
                found.append(HeldOut.of(task.parent, np.asarray(scores), task.scores))
    return found


def figures_of(scores: np.ndarray, accuracies: np.ndarray, families: Sequence[str]) -> dict[str, float]:
    """All metrics of one task, and the pairs of one family that were ordered rightly."""
    found = {name: metric(scores, accuracies) for name, metric in METRICS.items()}
    found = {name: value * 100.0 if name.startswith("regret") else value for name, value in found.items()}
    pairs = family_pairs(scores, accuracies, families)
    return {**found, "family_pairs_right": pairs.right, "family_pairs": float(pairs.pairs)}


def baselines_of(
    corpus: MeasuredCorpus, known: Sequence[Task], seed: int, facts: Mapping[str, Mapping[str, float | None]]
) -> dict[str, Predictor]:
    """Every baseline that runs no model on the target, fitted to the known part of the tested tables."""
    rng = np.random.default_rng(seed)
    plain = Metadata(corpus.zoo, text_vectors(corpus.tokens))
    far = token_distance(corpus.tokens)
    found: dict[str, Predictor] = {
        "random": lambda task: rng.random(len(task.models)),
        "params": fact_predictor(facts_of(corpus.zoo, "params")),
        "gmacs": fact_predictor(facts_of(corpus.zoo, "gmacs")),
        "static mean rank": static_mean(known, quantiles),
        "static mean z": static_mean(known, z_scores),
        "nearest dataset": nearest_dataset(known, far),
        "own results by nearness": results_by_nearness(known, far, ForestRecipe.nearness),
        "ridge": regressor(known, plain, "ridge", seed),
        "trees": regressor(known, plain, "trees", seed),
    }
    if "probe" in corpus.zoo.views:
        probed = _WithProbe(corpus)
        found["ridge with probe"] = regressor(known, probed, "ridge", seed)
        found["trees with probe"] = regressor(known, probed, "trees", seed)
    return {**found, **{name: fact_predictor(values) for name, values in facts.items()}}


class _WithProbe(Metadata):
    """Metadata and the probe view: the strongest plain features without a forward pass on the target."""

    def __init__(self, corpus: MeasuredCorpus) -> None:
        super().__init__(corpus.zoo, text_vectors(corpus.tokens))
        self.models = np.hstack([self.models, np.asarray(corpus.zoo.views["probe"], np.float32)[:, 0, 1:]])


def measured_predictor(values: Mapping[tuple[str, str], float]) -> Predictor:
    """Ranks by what was measured on the target itself, by (dataset, model); `None` where most is not known."""

    def predict(task: Task) -> np.ndarray | None:
        found = np.array([values.get((task.dataset, model), np.nan) for model in task.models])
        if np.isfinite(found).mean() < 0.9:
            return None
        return np.where(np.isnan(found), np.nanmin(found), found)

    return predict


def ranker_predictors(name: str, model: CrossSightModel, corpus: MeasuredCorpus, seed: int) -> dict[str, Predictor]:
    """The ranker, its static part, and the ranker shown the tokens of a dataset of another parent."""
    rows = {model_id: row for row, model_id in enumerate(corpus.zoo.model_ids)}
    views = {key: np.asarray(corpus.zoo.views[key], np.float32) for key in model.config.read_views}
    others = shuffled_datasets(corpus, seed)

    def scored(task: Task, dataset: str, part: str) -> np.ndarray:
        index = [rows[one] for one in task.models]
        own = {key: view[index] for key, view in views.items()}
        mask = {key: corpus.zoo.view_mask[key][index] for key in views}
        tokens = corpus.tokens[dataset][-1].values
        evidence = evidence_of(model, tokens, own) if "card" in own else None
        return np.asarray(getattr(model.score_zoo(tokens, own, mask, evidence=evidence), part)[0].numpy())

    return {
        name: lambda task: scored(task, task.dataset, "scores"),
        f"{name}, static part": lambda task: scored(task, task.dataset, "static"),
        f"{name}, shuffled tokens": lambda task: scored(task, others[task.dataset], "scores"),
    }


def shuffled_datasets(corpus: MeasuredCorpus, seed: int) -> dict[str, str]:
    """For each dataset one of another parent, every dataset standing in for one."""
    from hf_crosssight.ground_truth.datasets import parent_of

    names = sorted(corpus.tokens)
    rng = np.random.default_rng(seed)
    for _ in range(200):
        drawn = rng.permutation(names)
        if all(parent_of(own) != parent_of(str(other)) for own, other in zip(names, drawn, strict=True)):
            break
    return {own: str(other) for own, other in zip(names, drawn, strict=True)}
