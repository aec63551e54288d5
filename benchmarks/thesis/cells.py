"""One cell of the experiment: a network, a model token, a ground truth and a fold; trained, tested and written once.

What a cell is trained on: the eleven known datasets (one token sample of the training half an episode), the models
that its fold does not hold out, Algorithm 2 of the thesis: ListMLE on sigmoid scores, the temperature falling from 1
to 0.1, all updates made, nothing chosen by validation. What it is tested on: the test halves of all sixteen datasets.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.evaluation.baselines import Predictor, fact_predictor, facts_of, quantiles, static_mean
from hf_crosssight.evaluation.metrics import kendall_tau, regret_at_k, weighted_tau
from hf_crosssight.evaluation.quadrants import Fold, restricted
from hf_crosssight.evaluation.report import Outcome
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.hub.places import write_text
from hf_crosssight.models import CrossSightModel
from hf_crosssight.models.configuration_crosssight import PRESETS
from hf_crosssight.peers import Candidates, History, Target, make_peer
from hf_crosssight.tokens.dataset import DatasetTokens, prototype_tokens
from hf_crosssight.training import RankerRecipe, TrainedRanker, train_ranker
from hf_crosssight.zoo.index import ZooIndex

from .images import COUNTS, Views
from .model_tokens import AUTOENCODER, CodeFiles, zoo_with
from .setting import MODEL_SPIDER_QUADRANT, Setting, similarity_alone

CROSS_6, SELF_6, CROSS_1, SELF_1 = "cross, six layers", "self, six layers", "cross, one layer", "self, one layer"
NETWORKS: dict[str, dict[str, Any]] = {
    CROSS_6: {},
    SELF_6: {"joint_attention": True, "model_self_attention": False, "encoder_layers": 0, "decoder_layers": 6},
    CROSS_1: {"encoder_layers": 1, "decoder_layers": 1},
    SELF_1: {"joint_attention": True, "model_self_attention": False, "encoder_layers": 0, "decoder_layers": 1},
}
"""The preset `thesis` and what an ablation changes of it; "self" has models and classes in one sequence."""

MODEL_SPIDER, STATIC, SIMILARITY = "Model Spider", "static mean rank", "hand-set similarity alone"
PARAMETERS, OTHER_DATASET = "parameters", "another dataset"
_SPIDER = (0, -1)  # token samples that Model Spider learns from: one image a class and ten
_SHIFTS = (3, 6, 9)  # from a dataset to those whose tokens stand for it in the control; neighbours share a domain
_METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "weighted_tau": weighted_tau,
    "kendall_tau": kendall_tau,
    "regret_at_1": regret_at_k,
}


@dataclass(frozen=True)
class Cell:
    """What is trained.

    Attributes:
        truth: ground truth.
        fold: number of the fold, and the seed.
        network: one of `NETWORKS`, or `MODEL_SPIDER`.
        token: of models, one of `model_tokens`.
        zoo_size: known models that are learnt from; `None` for all.
        without: folders of datasets that are not learnt from, beside the blind ones.
    """

    truth: str
    fold: int
    network: str = CROSS_6
    token: str = AUTOENCODER
    zoo_size: int | None = None
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        parts = [self.truth, self.network, self.token, f"zoo {self.zoo_size or 'all'}", *self.without, str(self.fold)]
        return "-".join(part.replace(", ", " ").replace(" ", "_") for part in parts)


@dataclass
class Material:
    """What cells read.

    Attributes:
        setting: zoo, tables, folds.
        views: token samples by dataset key.
        codes: of encoders that have not seen the kin of a fold's blind models.
        steps, batch: of a training.
        out: folder of results.
    """

    setting: Setting
    views: Mapping[str, Views]
    codes: CodeFiles
    steps: int
    batch: int
    out: Path
    _folds: dict[str, list[Fold]] = field(default_factory=dict)

    def fold(self, cell: Cell) -> Fold:
        """What a cell holds out."""
        return self._folds.setdefault(cell.truth, self.setting.folds(cell.truth))[cell.fold]


def result_of(cell: Cell, material: Material) -> list[Outcome]:
    """A cell's outcomes, computed once; method names are images a class."""
    stored = _stored(cell, material)
    if stored is None:
        started = time.perf_counter()
        outcomes, curves = _spider(cell, material) if cell.network == MODEL_SPIDER else _ranker(cell, material)
        stored = {"steps": material.steps, "batch": material.batch, "curves": curves,
                  "outcomes": [asdict(one) for one in outcomes]}  # fmt: skip
        write_text(_file_of(cell, material), json.dumps(stored))
        print(f"{cell.name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return [Outcome(**one) for one in stored["outcomes"]]


def curves_of(cell: Cell, material: Material) -> list[dict[str, float]]:
    """Training curve of a cell; none where it is not done."""
    stored = _stored(cell, material)
    return [] if stored is None else stored["curves"]


def is_done(cell: Cell, material: Material) -> bool:
    """Whether a cell was run in these settings."""
    return _stored(cell, material) is not None


def _file_of(cell: Cell, material: Material) -> Path:
    return material.out / "cells" / f"{cell.name}.json"


def _stored(cell: Cell, material: Material) -> dict[str, Any] | None:
    """What was written of a cell; `None` if nothing was, or in other settings."""
    path = _file_of(cell, material)
    if not path.is_file():
        return None
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored if (stored["steps"], stored["batch"]) == (material.steps, material.batch) else None


def references(cell: Cell, material: Material) -> list[Outcome]:
    """What needs no training: mean rank of known models, parameters, the formula's similarity where it has it."""
    training, _ = _parts(cell, material)
    predict: dict[str, Predictor] = {STATIC: static_mean(training, quantiles)}
    predict[PARAMETERS] = fact_predictor(facts_of(material.setting.zoo, "params"))
    predict[SIMILARITY] = lambda task: similarity_alone(material.setting.sources, task)
    found = []
    for quadrant, task in tests_of(cell, material):
        for name, method in predict.items():
            if name == SIMILARITY and not _thesis_sources(material.setting, task):
                continue
            scores = method(task)
            if scores is not None:
                found.append(outcome(name, quadrant, task, cell.fold, [np.asarray(scores)]))
    return found


def _thesis_sources(setting: Setting, task: Task) -> bool:
    """Whether the thesis' matrix has the sources of all models."""
    try:
        similarity_alone(setting.sources, task)
    except KeyError:
        return False
    return True


def known_models(cell: Cell, material: Material) -> list[str]:
    """The models that a cell learns from: all that its fold leaves, or the first of them in an order of the fold."""
    fold = material.fold(cell)
    known = [model for model in material.setting.tables[cell.truth].models if model not in fold.models]
    if cell.zoo_size is None:
        return known
    order = np.random.default_rng([61, cell.fold]).permutation(len(known))[: cell.zoo_size]
    return [known[place] for place in sorted(order)]


def _parts(cell: Cell, material: Material) -> tuple[list[Task], list[str]]:
    """Tasks to learn from, and the known models."""
    known = known_models(cell, material)
    left = {f"zoo-bench/{folder}" for folder in cell.without}
    tasks = material.setting.quadrants(cell.truth, material.fold(cell))[MODEL_SPIDER_QUADRANT]
    kept = [restricted(task, frozenset(known), keep=True) for task in tasks if task.dataset not in left]
    return [task for task in kept if len(task.models) > 2 and np.ptp(task.scores) > 0], known


def tests_of(cell: Cell, material: Material) -> Iterator[tuple[str, Task]]:
    """Quadrant and task of everything that a cell is tested on."""
    known = frozenset(known_models(cell, material))
    held = material.fold(cell).models
    for quadrant, tasks in material.setting.quadrants(cell.truth, material.fold(cell)).items():
        for task in tasks:
            blind = all(model in held for model in task.models)
            own = task if blind else restricted(task, known, keep=True)
            if len(own.models) > 2 and np.ptp(own.scores) > 0:
                yield quadrant, own


def outcome(method: str, quadrant: str, task: Task, seed: int, drawn: Sequence[np.ndarray]) -> Outcome:
    """Mean figures over draws of the images."""
    figures = {
        name: float(np.mean([metric(scores, task.scores) for scores in drawn])) for name, metric in _METRICS.items()
    }
    return Outcome(method, quadrant, task.table, task.dataset, task.parent, seed, figures)


def _ranker(cell: Cell, material: Material) -> tuple[list[Outcome], list[dict[str, float]]]:
    tasks, known = _parts(cell, material)
    zoo = token_zoo(cell, material)
    trained = train(cell, material, tasks, zoo, known)
    rows = {model: row for row, model in enumerate(zoo.model_ids)}
    views = {name: np.asarray(view, np.float32) for name, view in zoo.views.items()}

    def score(task: Task, tokens: DatasetTokens) -> np.ndarray:
        index = [rows[model] for model in task.models]
        return _scores(trained.model, tokens, {name: view[index] for name, view in views.items()})

    return _tested(cell, material, score), trained.curves


def token_zoo(cell: Cell, material: Material) -> ZooIndex:
    """The whole zoo with the model token of a cell alone."""
    setting = material.setting
    made = material.codes(cell.token, setting.kin(material.fold(cell)))
    return zoo_with(setting.zoo, cell.token, made, set(setting.zoo.model_ids) - set(known_models(cell, material)))


def train(
    cell: Cell, material: Material, tasks: Sequence[Task], zoo: ZooIndex, known: Sequence[str]
) -> TrainedRanker:  # fmt: skip
    """A network of the thesis' preset, by Algorithm 2; only known models are looked at, scales of views included."""
    recipe = RankerRecipe(
        steps=material.steps, batch=material.batch, learning_rate=_rate(cell), weight_decay=0.01, facts_withheld=0.0,
        consistency=0.0, anchor=0.0, averaging=0.9, gates=(1.0,), validate_every=10, seed=cell.fold,
    )  # fmt: skip
    config = {**PRESETS["thesis"], **NETWORKS[cell.network], "initializer_range": None}
    at = {model: row for row, model in enumerate(zoo.model_ids)}
    tokens = {task.dataset: material.views[task.dataset].training for task in tasks}
    return train_ranker(tasks, zoo.take([at[model] for model in known]), tokens, recipe=recipe, config=config)


def _rate(cell: Cell) -> float:
    return 5e-4 if cell.network in (CROSS_6, SELF_6) else 1e-3


def _scores(model: CrossSightModel, tokens: DatasetTokens, views: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray(model.score_zoo(tokens.values, views).scores[0].double().numpy())


def _spider(cell: Cell, material: Material) -> tuple[list[Outcome], list[dict[str, float]]]:
    """Model Spider on the same tasks: learned tokens, so blind models all tie and are left out."""
    tasks, known = _parts(cell, material)
    accuracies = np.full((len(known), len(tasks)), np.nan)
    for column, task in enumerate(tasks):
        accuracies[[known.index(model) for model in task.models], column] = task.scores
    samples = [(task.dataset, material.views[task.dataset].training[place]) for place in _SPIDER for task in tasks]
    names = tuple(f"{dataset}#{place}" for place, (dataset, _) in enumerate(samples))
    tokens = tuple(_prototypes(sample) for _, sample in samples)
    ranker = make_peer("model_spider", seed=cell.fold)
    ranker.fit(History(_plain(known), names, np.tile(accuracies, (1, len(_SPIDER))), tokens))
    held = material.fold(cell).models

    def score(task: Task, given: DatasetTokens) -> np.ndarray | None:
        if all(model in held for model in task.models):
            return None
        return ranker.score(Target(_plain(task.models), _prototypes(given), task.dataset))

    return _tested(cell, material, score), []


def _plain(models: Sequence[str]) -> Candidates:
    return Candidates(tuple(models), np.zeros((len(models), 0)))


def _prototypes(tokens: DatasetTokens) -> np.ndarray:
    return prototype_tokens(tokens).astype(np.float64)


def _tested(
    cell: Cell, material: Material, score: Callable[[Task, DatasetTokens], np.ndarray | None]
) -> list[Outcome]:
    """Every task at every number of images a class, the method's name; and with tokens of other datasets."""
    found = []
    keys = material.setting.datasets
    for quadrant, task in tests_of(cell, material):
        others = [keys[(keys.index(task.dataset) + shift) % len(keys)] for shift in _SHIFTS]
        misled = [score(task, material.views[key].test[COUNTS[-1]][0]) for key in others]
        told = [scores for scores in misled if scores is not None]
        if told:
            found.append(outcome(OTHER_DATASET, quadrant, task, cell.fold, told))
        for count in COUNTS:
            drawn = [score(task, tokens) for tokens in material.views[task.dataset].test[count]]
            kept = [scores for scores in drawn if scores is not None]
            if kept:
                found.append(outcome(str(count), quadrant, task, cell.fold, kept))
    return found
