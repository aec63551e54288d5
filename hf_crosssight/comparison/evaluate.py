"""`evaluate`: every method on many datasets with measured accuracies, as a user would have met them.

A method that learns never sees a result on the target's parent dataset, nor one of a model that is held out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.lineage import lineage_folds
from hf_crosssight.ground_truth.tables import GroundTruthTable

from .figures import FEWEST, MethodFigures, ceiling_of, gain, metrics_of
from .method_scores import MethodScores, all_scores, forward_seconds
from .methods import NOTHING, RANKER, STATIC, ComparedMethod, chosen_methods
from .past import Past
from .seen import Seen
from .setup import Setting, existing_folder, load_samples, make_bench, open_compared
from .truth import read_truth
from .workbench import Workbench

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class EvaluatedDataset:
    """A dataset that methods were judged on; `seen` if the ranker was trained on it or on one of its parent."""

    id: str
    parent: str
    models: int
    images: int
    seen: bool


@dataclass(frozen=True)
class Evaluation:
    """Figures of all methods on the same datasets and models.

    Attributes:
        methods: the compared methods with their figures, in the order asked for.
        datasets: what they were judged on.
        models: by id, whether the ranker was trained on results of the model.
        ceiling: as `figures.ceiling_of`.
        learnt_from: what methods that learn were fitted to, in words.
        model_folds: folds of lineages of which each was held out; 0 if all models are known.
        forward_seconds: processor time of all forward passes, made once for all methods.
        warnings: what a reader of the figures should know.
    """

    methods: tuple[tuple[ComparedMethod, MethodFigures], ...]
    datasets: tuple[EvaluatedDataset, ...]
    models: Mapping[str, bool]
    ceiling: Mapping[str, Any]
    learnt_from: str
    model_folds: int
    forward_seconds: float
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        static = next((found.per_dataset for method, found in self.methods if method.name == STATIC), {})
        methods = {}
        for method, found in self.methods:
            taus = found.per_dataset.get("weighted_tau", {})
            known = {"kind": method.kind, "needs": list(method.needs), "learns": method.learns}
            methods[method.name] = found.to_dict() | known | {
                "gain_over_static": gain(taus, static.get("weighted_tau", {})),
                "seen": method.name == RANKER and (any(self.models.values()) or any(d.seen for d in self.datasets)),
            }  # fmt: skip
        return {
            "schema_version": 1,
            "methods": methods,
            "ceiling": dict(self.ceiling),
            "datasets": {one.id: {name: value for name, value in vars(one).items() if name != "id"}
                         for one in self.datasets},
            "models": {model: {"seen": seen} for model, seen in self.models.items()},
            "learnt_from": self.learnt_from,
            "model_folds": self.model_folds,
            "forward_seconds": round(self.forward_seconds, 3),
            "interval": "90 % bootstrap over parent datasets",
            "warnings": list(self.warnings),
        }  # fmt: skip


def evaluate(
    zoo: str | Path,
    ground_truth: str | Path,
    datasets: str | Path | None = None,
    *,
    ranker: str | Path | CrossSightModel = "bundled",
    methods: str | Sequence[str] = "all",
    train_ground_truth: str | Path | None = None,
    recipe: str | None = None,
    model_folds: int = 0,
    setting: Setting | None = None,
) -> Evaluation:
    """Judges methods by measured accuracies.

    Args:
        zoo: folder of model repositories, or an index (then `Setting.models` names a folder with their files).
        ground_truth: table with `model_id, dataset_id, seed, accuracy`: a file, a folder or a Hub id.
        datasets: folder that `dataset_id`s are looked up in; without it they are Hub ids.
        ranker: the project's ranker that is judged: `bundled`, a folder, a Hub id or a model.
        methods: names, or `all`.
        train_ground_truth: what methods learn from; without it the ground truth itself, one parent left out at a time.
        recipe: of tables with several; `full` where it is among them.
        model_folds: hold out each of so many folds of lineages in turn, and judge within them; 0 to know all models.
        setting: sample sizes, seed, processes, the way to the Hub.

    Raises:
        UserError: the input is at fault. HubError: the Hub or the network is.
    """
    setting, chosen = setting or Setting(), chosen_methods(methods)
    if model_folds == 1 or model_folds < 0:
        raise UserError(f"model_folds is {model_folds}", "Hold out two folds or more, or none (0).")
    opened = open_compared(zoo, chosen, ranker, setting)
    truth = read_truth(ground_truth, recipe, opened.zoo)
    past = None
    if any(method.learns for method in chosen):
        apart = train_ground_truth is not None
        past = Past(read_truth(train_ground_truth or ground_truth, recipe, opened.zoo), apart)
    folder = existing_folder(datasets)
    names = [*truth.datasets, *(past.table.datasets if past else ())]
    samples, missing = load_samples(names, folder, setting)
    truth, left_out = _judged(truth, samples, missing)
    left_out = [*opened.zoo.notes, *left_out]
    bench = make_bench(opened, truth.models, past.table.models if past else (), samples, chosen, folder, setting)
    bench.prepare(chosen, truth.datasets, past.table if past else None)
    groups = _folds(bench, model_folds)
    scores = all_scores(bench, chosen, truth.datasets, past, groups)
    figures = tuple((method, _figures(method, truth, scores, groups or [np.arange(len(bench.models))]))
                    for method in chosen)  # fmt: skip
    if not any(found.per_dataset for _, found in figures):
        raise UserError(f"no method has a figure: {_first_reason(figures)}", "Name other methods, or mend this.")
    return _assembled(bench, truth, figures, past, model_folds, left_out, setting)


def _judged(
    truth: GroundTruthTable, samples: Mapping[str, DatasetSample], missing: Mapping[str, str]
) -> tuple[GroundTruthTable, list[str]]:
    """The datasets whose images are at hand and on which at least two models differ, and what was left out."""
    notes = [f"{name} is left out: {missing[name]}" for name in truth.datasets if name in missing]
    kept = []
    for row, name in enumerate(truth.datasets):
        if name not in samples:
            continue
        if len(np.unique(truth.scores[row][np.isfinite(truth.scores[row])])) < FEWEST:
            notes.append(f"{name} is left out: it ranks no two of these models")
            continue
        kept.append(row)
    if not kept:
        what = notes[0] if notes else "the ground truth has no dataset"
        raise UserError(f"no dataset can be judged on: {what}", "Name the folder that holds them with --datasets.")
    return truth.keep_datasets(kept), notes


def _folds(bench: Workbench, count: int) -> list[np.ndarray]:
    """Places of the models of each fold, whole lineages together; none where no model is held out."""
    if not count:
        return []
    fold_of = lineage_folds(bench.lineage, bench.models, count, bench.seed)
    numbers = np.array([fold_of[model] for model in bench.models])
    folds = [np.flatnonzero(numbers == fold) for fold in range(count)]
    if min(map(len, folds)) < FEWEST:
        kinds = len({bench.lineage[model] for model in bench.models})
        what = f"{len(bench.models)} models of {kinds} lineages make no {count} folds of two or more"
        raise UserError(what, "Hold out fewer folds.")
    return folds


def _figures(
    method: ComparedMethod,
    truth: GroundTruthTable,
    scores: Mapping[tuple[str, str], list[MethodScores]],
    groups: Sequence[np.ndarray],
) -> MethodFigures:
    found = MethodFigures(seconds=sum(one.seconds for d in truth.datasets for one in scores[method.name, d]))
    for row, dataset in enumerate(truth.datasets):
        parts = scores[method.name, dataset]
        found.unscored.update({model: why for part in parts for model, why in part.reasons.items()})
        filled = [part.filled_in(groups[place] if len(parts) > 1 else None) for place, part in enumerate(parts)]
        if any(one is None for one in filled):
            found.no_figure[dataset] = next(
                part.reason or "most models have no score"
                for part, one in zip(parts, filled, strict=True)
                if one is None
            )
            continue
        whole = np.nansum(np.array(filled, np.float64), axis=0)  # each fold has its own models' scores
        for accuracies, into in ((truth.scores[row], found.per_dataset),
                                 (np.where(truth.self_transfer[row], np.nan, truth.scores[row]),
                                  found.without_self_transfer)):  # fmt: skip
            for name, value in (metrics_of(whole, accuracies, groups) or {}).items():
                into.setdefault(name, {})[dataset] = value
    return found


def _first_reason(figures: Sequence[tuple[ComparedMethod, MethodFigures]]) -> str:
    method, found = figures[0]
    return f"{method.name}: {next(iter(found.no_figure.values()), 'no dataset is left')}"


def _assembled(
    bench: Workbench,
    truth: GroundTruthTable,
    figures: tuple[tuple[ComparedMethod, MethodFigures], ...],
    past: Past | None,
    model_folds: int,
    left_out: Sequence[str],
    setting: Setting,
) -> Evaluation:
    seen = Seen.of(bench.ranker, bench.zoo)
    judged = tuple(
        EvaluatedDataset(
            name, parent_of(name), int(np.isfinite(truth.scores[row]).sum()), len(bench.samples[name].images),
            seen.dataset(name),
        )
        for row, name in enumerate(truth.datasets)
    )  # fmt: skip
    ran = any(method.runs_models for method, _ in figures)
    not_run = [f"{model} was not run: {why}" for model, why in bench.features.reasons.items()]
    return Evaluation(
        figures,
        judged,
        {model: seen.model(model) for model in bench.models},
        ceiling_of(truth, setting.seed),
        past.rule if past else NOTHING,
        model_folds,
        sum(forward_seconds(bench, name) for name in truth.datasets) if ran else 0.0,
        (*left_out, *not_run, *seen.warnings(truth.datasets, bench.models)),
    )
