"""One fold of the evaluation on published tables: methods are fitted to the known part and score the blind part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from hf_crosssight.evaluation.baselines import (
    Distance,
    Metadata,
    Predictor,
    fact_predictor,
    facts_of,
    nearest_dataset,
    quantiles,
    regressor,
    source_accuracies,
    static_mean,
    z_scores,
)
from hf_crosssight.evaluation.metrics import METRICS
from hf_crosssight.evaluation.quadrants import Fold, test_tasks, training_tasks
from hf_crosssight.evaluation.report import Outcome
from hf_crosssight.ground_truth.tables import Task, split_by_parent
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.tokens.dataset import DatasetTokens, dataset_layout
from hf_crosssight.tokens.word_match import evidence_of

from .bundled import validation_parents
from .published_corpus import PublishedCorpus
from .recipe import RankerRecipe
from .trainer import train_ranker

_REPORTED = ("weighted_tau", "weighted_tau_true_rank", "regret_at_1", "regret_at_5", "ndcg_at_5")


def evaluate_fold(
    corpus: PublishedCorpus, fold: Fold, seed: int, methods: Mapping[str, Predictor]
) -> Iterator[Outcome]:
    """Outcomes of fitted methods on the three blind quadrants of a fold; regret in points of the table's measure."""
    units = {table.id: table.unit for table in corpus.tables}
    for quadrant, tasks in test_tasks(corpus.tasks(auxiliary=False), fold).items():
        for task in tasks:
            scale = 1.0 if "%" in units[task.table] else 100.0
            for name, predict in methods.items():
                scores = predict(task)
                if scores is None:
                    continue
                figures = {metric: METRICS[metric](scores, task.scores) for metric in _REPORTED}
                figures = {m: v * scale if m.startswith("regret") else v for m, v in figures.items()}
                yield Outcome(name, quadrant, task.table, task.dataset, task.parent, seed, figures)


def baselines_of(
    corpus: PublishedCorpus, fold: Fold, seed: int, stated: Mapping[str, float | None]
) -> dict[str, Predictor]:
    """Baselines fitted to the known part of all tables, whatever their licence: the strongest form of each."""
    known = training_tasks(corpus.tasks(), fold)
    zoo = corpus.models.zoo
    metadata = Metadata(zoo, text_vectors(corpus.tokens))
    rng = np.random.default_rng(seed)
    return {
        "random": lambda task: rng.random(len(task.models)),
        "params": fact_predictor(facts_of(zoo, "params")),
        "gmacs": fact_predictor(facts_of(zoo, "gmacs")),
        "source accuracy": fact_predictor(source_accuracies(corpus.tasks(), stated)),
        "static mean rank": static_mean([t for t in known if t.table != "timm_accuracy"], quantiles),
        "static mean z": static_mean([t for t in known if t.table != "timm_accuracy"], z_scores),
        "nearest dataset": nearest_dataset(known, token_distance(corpus.tokens)),
        "ridge": regressor(known, metadata, "ridge", seed),
        "trees": regressor(known, metadata, "trees", seed),
    }


def fitted_ranker(
    corpus: PublishedCorpus, fold: Fold, seed: int, *, licensed_only: bool, recipe: RankerRecipe,
    config: Mapping[str, object],
) -> CrossSightModel:  # fmt: skip
    """A ranker of the known part, stopped and gated on parents held out of that part."""
    known = training_tasks(corpus.tasks(licensed_only=licensed_only), fold)
    auxiliary = frozenset(table.id for table in corpus.tables if table.auxiliary)
    kept, validation = split_by_parent(known, validation_parents(known, 0.2, seed, auxiliary))
    validation = [task for task in validation if task.table not in auxiliary]
    trained = train_ranker(
        kept, corpus.models.zoo, corpus.tokens, validation=validation, consistency_zoo=corpus.starter, recipe=recipe,
        config=config,
    )  # fmt: skip
    return trained.model


def ranker_predictors(name: str, model: CrossSightModel, corpus: PublishedCorpus, seed: int) -> dict[str, Predictor]:
    """The ranker, its static part alone, and the ranker with the tokens of another dataset."""
    views = {key: np.asarray(view, np.float32) for key, view in corpus.models.zoo.views.items()}
    rows = {model_id: row for row, model_id in enumerate(corpus.models.zoo.model_ids)}
    names = sorted(corpus.tokens)
    order = np.random.default_rng(seed).permutation(len(names))
    other = {names[order[i]]: names[order[i - 1]] for i in range(len(names))}

    def scored(task: Task, dataset: str, part: str) -> np.ndarray:
        index = [rows[model_id] for model_id in task.models]
        own = {key: view[index] for key, view in views.items()}
        tokens = corpus.tokens[dataset][-1].values
        output = model.score_zoo(tokens, own, evidence=evidence_of(model, tokens, own))
        return getattr(output, part)[0].numpy()

    return {
        name: lambda task: scored(task, task.dataset, "scores"),
        f"{name}, static part": lambda task: scored(task, task.dataset, "static"),
        f"{name}, shuffled datasets": lambda task: scored(task, other[task.dataset], "scores"),
    }


def token_distance(tokens: Mapping[str, Sequence[DatasetTokens]]) -> Distance:
    """Distance of two datasets by their richest tokens, as the ranker's gate measures it."""
    names = sorted(tokens)
    width = tokens[names[0]][-1].values.shape[1]
    layout = dataset_layout(width - dataset_layout(0)["text"][1])
    model = CrossSightModel(CrossSightConfig.from_preset(dataset_token_dim=width, dataset_layout=layout))
    richest = [tokens[name][-1].values for name in names]
    model.set_references(richest, names, length=18)
    table = np.stack([model.nearest_references(torch.from_numpy(values)[None])[0].numpy() for values in richest])
    place = {name: i for i, name in enumerate(names)}
    return lambda one, another: float(table[place[one], place[another]])


def text_vectors(tokens: Mapping[str, Sequence[DatasetTokens]]) -> dict[str, np.ndarray]:
    """The text token's columns of each dataset."""
    found = {}
    for name, samples in tokens.items():
        values = samples[-1].values
        columns = slice(*dataset_layout(values.shape[1] - dataset_layout(0)["text"][1])["text"])
        found[name] = values[:, columns].sum(0)
    return found
