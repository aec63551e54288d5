"""Runs the methods: scores of all models on a dataset, and for every model without a score the reason."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from hf_crosssight.errors import CrossSightError
from hf_crosssight.evaluation.simple_rankers import BASELINES, make_baseline
from hf_crosssight.peers import Ranker, make_peer
from hf_crosssight.peers.emms import label_embeddings
from hf_crosssight.scoring import score_candidates

from .heuristic_scores import ScoringTask, score_all
from .methods import NAMES, RANKER, ComparedMethod
from .past import Past
from .workbench import Workbench


@dataclass(frozen=True)
class MethodScores:
    """What one method says of M models on one dataset.

    Attributes:
        scores: float64 `[M]`, higher is better, NaN where there is none.
        seconds: processor time of the method's own work on one thread, fitting included; making tokens of datasets
            and running models is not.
        reasons: by id, why a model has no score.
        reason: why none has one.
    """

    scores: np.ndarray
    seconds: float = 0.0
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    def filled_in(self, among: np.ndarray | None = None) -> np.ndarray | None:
        """The scores `[M]` with the middle of the others where there is none; `None` if that were most.

        Args:
            among: places of the models that are ranked together, by default all; the others stay NaN.
        """
        places = np.arange(len(self.scores)) if among is None else among
        own = self.scores[places]
        known = np.isfinite(own)
        if known.sum() < max(2, len(known) / 2):
            return None
        whole = np.full(len(self.scores), np.nan)
        whole[places] = np.where(known, own, np.median(own[known]))
        return whole


def no_scores(count: int, reason: str) -> MethodScores:
    """Of a method that says nothing of any of `count` models."""
    return MethodScores(np.full(count, np.nan), reason=reason)


def all_scores(
    bench: Workbench,
    methods: Sequence[ComparedMethod],
    datasets: Sequence[str],
    past: Past | None,
    folds: Sequence[np.ndarray] = (),
) -> dict[tuple[str, str], list[MethodScores]]:
    """By (method, dataset): the scores of all models; of a method that learns, one for each fold that is held out.

    Args:
        past: results that may be learnt from; `None` if there are none.
        folds: places of models that are held out together; none to know all models.
    """
    heuristics = _heuristic_scores(bench, [method for method in methods if method.kind == "heuristic"], datasets)
    found = {key: [scores] for key, scores in heuristics.items()}
    fitted = FittedMethods(bench, past)
    cells = [(method, dataset) for dataset in datasets for method in methods if method.kind != "heuristic"]
    with threadpool_limits(1):
        for done, (method, dataset) in enumerate(cells):
            if bench.progress is not None:
                bench.progress("fitting and ranking", done, len(cells))
            if method.name == RANKER:
                found[method.name, dataset] = [_ranker_scores(bench, dataset)]
            else:
                held = folds if folds and method.learns else [None]
                found[method.name, dataset] = [fitted.score(method, dataset, fold) for fold in held]
    return found


def _heuristic_scores(
    bench: Workbench, methods: Sequence[ComparedMethod], datasets: Sequence[str]
) -> dict[tuple[str, str], MethodScores]:
    """Every transferability method on every dataset, by (method, dataset)."""
    names = tuple(method.name for method in methods)
    cells = [
        (dataset, model)
        for dataset in datasets
        for model in bench.models
        if names and bench.samples[dataset].labels is not None and bench.features.of(model, bench.samples[dataset])
    ]
    texts = {d: _embeddings(bench, d) for d in datasets} if any(NAMES in method.needs for method in methods) else {}
    tasks = [_task(bench, dataset, model, names, texts.get(dataset)) for dataset, model in cells]
    folder = bench.features.store.folder / "scores"
    found = score_all(tasks, folder, workers=bench.workers, progress=bench.progress)
    by_cell = dict(zip(cells, found, strict=True))
    return {(name, dataset): _gathered(bench, name, dataset, by_cell) for name in names for dataset in datasets}


def _task(bench: Workbench, dataset: str, model: str, names: tuple[str, ...], texts: np.ndarray | None) -> ScoringTask:
    sample, own = bench.samples[dataset], bench.source_of(model)
    kept = bench.features.of(model, sample)
    assert kept is not None
    assert sample.labels is not None
    source = bench.features.of(model, own) if own is not None else None
    pair = (source.file, own.labels) if source is not None and own is not None and own.labels is not None else None
    return ScoringTask(kept.file, sample.labels, names, pair, texts, bench.seed)


def _embeddings(bench: Workbench, dataset: str) -> np.ndarray | None:
    names = bench.samples[dataset].class_names
    return label_embeddings(names) if names else None


def _gathered(bench: Workbench, name: str, dataset: str, by_cell: Mapping) -> MethodScores:  # type: ignore[type-arg]
    models = bench.models
    if bench.samples[dataset].labels is None:
        return no_scores(len(models), "the dataset has no labels")
    scores, reasons, seconds = np.full(len(models), np.nan), {}, 0.0
    for row, model in enumerate(models):
        if (dataset, model) not in by_cell:
            reasons[model] = bench.features.reasons.get(model, "it was not run")
            continue
        one = by_cell[dataset, model][name]
        seconds += one.seconds
        if one.score is None:
            reasons[model] = one.reason
        else:
            scores[row] = one.score
    whole = None if np.isfinite(scores).any() else _common(reasons)
    return MethodScores(scores, seconds, reasons, whole)


def _common(reasons: Mapping[str, str]) -> str:
    """What stands in the way of most models."""
    counts = {reason: list(reasons.values()).count(reason) for reason in reasons.values()}
    return f"no model has a score: {max(counts, key=lambda reason: counts[reason])}"


def _ranker_scores(bench: Workbench, dataset: str) -> MethodScores:
    """The project's own ranker."""
    assert bench.ranker is not None
    try:
        tokens = bench.ranker_tokens(dataset)
        begin = time.process_time()
        scores = score_candidates(bench.ranker.model, tokens, bench.zoo.take(bench.rows)).score
    except CrossSightError as error:
        return no_scores(len(bench.models), error.what)
    return MethodScores(scores, time.process_time() - begin)


@dataclass
class FittedMethods:
    """Baselines and peers, each fitted once to the same past.

    Args:
        bench: what they read.
        past: results that may be learnt from; `None` if there are none.
    """

    bench: Workbench
    past: Past | None
    _fits: dict[tuple[object, ...], tuple[Ranker | str, float]] = field(default_factory=dict)

    def score(self, method: ComparedMethod, dataset: str, held: np.ndarray | None = None) -> MethodScores:
        """Scores of all models, or of those at the places `held`, whose own results are then not learnt from."""
        bench = self.bench
        places = np.arange(len(bench.models)) if held is None else held
        ranker, seconds = self._fitted(method, dataset, held)
        if isinstance(ranker, str):
            return no_scores(len(bench.models), ranker)
        scores = np.full(len(bench.models), np.nan)
        begin = time.process_time()
        try:
            scores[places] = ranker.score(bench.target(dataset, method, bench.rows[places]))
        except CrossSightError as error:
            return no_scores(len(bench.models), error.what)
        return MethodScores(scores, seconds + time.process_time() - begin)

    def _fitted(self, method: ComparedMethod, dataset: str, held: np.ndarray | None) -> tuple[Ranker | str, float]:
        """The fitted ranker, or the reason why there is none, and the seconds of the fit where it was made now."""
        seed = self.bench.seed
        ranker = make_baseline(method.name, seed) if method.name in BASELINES else make_peer(method.name, seed=seed)
        if not method.learns:
            return ranker, 0.0
        if self.past is None:
            return "there are no past results to learn from (--train-ground-truth, --datasets)", 0.0
        if held is not None and not method.ranks_unseen_models:
            return "it knows models by their own past results alone: unseen ones would all tie", 0.0
        learnt_from = self.past.others(self.bench, dataset)
        key = (method.name, learnt_from, None if held is None else tuple(held))
        if key in self._fits:
            return self._fits[key][0], 0.0
        begin = time.process_time()
        history = self.past.history(self.bench, learnt_from, held, method)
        try:
            found: Ranker | str = "no past results of other datasets are at hand"
            if history is not None:
                found = ranker.fit(history)
        except CrossSightError as error:
            found = error.what
        self._fits[key] = found, time.process_time() - begin
        return self._fits[key]


def forward_seconds(bench: Workbench, dataset: str) -> float:
    """Processor seconds of the forward passes of all models on a dataset, as they were when the features were made."""
    kept = [bench.features.of(model, bench.samples[dataset]) for model in bench.models]
    return float(sum(one.seconds for one in kept if one is not None))
