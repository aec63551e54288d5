"""`compare`: every method on one dataset and one zoo, with score, rank, seconds and the input that each needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.scoring import places

from .figures import metrics_of
from .method_scores import MethodScores, all_scores, forward_seconds
from .methods import NOTHING, ComparedMethod, chosen_methods
from .past import Past
from .seen import Seen
from .setup import Compared, Setting, existing_folder, load_samples, make_bench, open_compared
from .truth import read_truth, row_of

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel


@dataclass(frozen=True)
class ComparedScores:
    """One method on M models.

    Attributes:
        method: which.
        found: its scores `[M]`, seconds and reasons.
        ranks: int `[M]`, 1 for the best, 0 where the model has no score.
        metrics: by name, against measured accuracies; `None` without them or without scores.
    """

    method: ComparedMethod
    found: MethodScores
    ranks: np.ndarray
    metrics: Mapping[str, float] | None

    def to_dict(self, models: Sequence[str]) -> dict[str, Any]:
        """The JSON form; scores and ranks by model, best first."""
        order = [row for row in np.argsort(self.ranks, kind="stable") if self.ranks[row]]
        return {
            "kind": self.method.kind,
            "needs": list(self.method.needs),
            "seconds": round(self.found.seconds, 4),
            "scores": {models[row]: round(float(self.found.scores[row]), 6) + 0.0 for row in order},
            "ranks": {models[row]: int(self.ranks[row]) for row in order},
            "not_scored": dict(self.found.reasons),
            "reason": self.found.reason,
        } | ({} if self.metrics is None else {name: round(value, 6) for name, value in self.metrics.items()})


@dataclass(frozen=True)
class Comparison:
    """All methods on one dataset.

    Attributes:
        dataset, zoo: what was compared, as in the JSON form.
        models: M ids.
        methods: the compared methods, in the order asked for.
        accuracies: `[M]` measured on the dataset, NaN where none was; `None` without ground truth.
        learnt_from: what methods that learn were fitted to, in words.
        forward_seconds: processor time of all forward passes, made once for all methods.
        warnings: what a reader should know.
    """

    dataset: Mapping[str, Any]
    zoo: Mapping[str, Any]
    models: tuple[str, ...]
    methods: tuple[ComparedScores, ...]
    accuracies: np.ndarray | None
    learnt_from: str
    forward_seconds: float
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        measured = self.accuracies if self.accuracies is not None else np.full(len(self.models), np.nan)
        known = np.flatnonzero(np.isfinite(measured))
        return {
            "schema_version": 1,
            "dataset": dict(self.dataset),
            "zoo": dict(self.zoo),
            "methods": {one.method.name: one.to_dict(self.models) for one in self.methods},
            "accuracies": {self.models[row]: float(measured[row]) for row in known},
            "learnt_from": self.learnt_from,
            "forward_seconds": round(self.forward_seconds, 3),
            "warnings": list(self.warnings),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict for each method and model: what CSV is made of."""
        found = []
        for one in self.methods:
            for row, model in enumerate(self.models):
                score = float(one.found.scores[row])
                accuracy = None if self.accuracies is None or np.isnan(self.accuracies[row]) else self.accuracies[row]
                found.append({
                    "method": one.method.name, "model_id": model, "score": None if np.isnan(score) else score,
                    "rank": int(one.ranks[row]) or None, "accuracy": accuracy, "needs": "; ".join(one.method.needs),
                    "seconds": round(one.found.seconds, 4),
                    "reason": one.found.reason or one.found.reasons.get(model),
                })  # fmt: skip
        return found


def compare(
    dataset: Any,
    zoo: str | Path,
    *,
    methods: str | Sequence[str] = "all",
    ranker: str | Path | CrossSightModel = "bundled",
    ground_truth: str | Path | None = None,
    train_ground_truth: str | Path | None = None,
    datasets: str | Path | None = None,
    recipe: str | None = None,
    setting: Setting | None = None,
    **sampled: str | None,
) -> Comparison:
    """Scores every model of a zoo for a dataset by every method.

    Args:
        dataset: as `rank` takes it.
        zoo: folder of model repositories, or an index (then `Setting.models` names a folder with their files).
        methods: names, or `all`.
        ranker: the project's ranker: `bundled`, a folder, a Hub id or a model.
        ground_truth: table with measured accuracies on the dataset: metrics are given, and methods learn from its
            other datasets.
        train_ground_truth: what methods learn from instead.
        datasets: folder with the datasets of these tables, and with the data that models were trained on.
        recipe: of tables with several; `full` where it is among them.
        setting: sample sizes, seed, processes, the way to the Hub.
        sampled: `config`, `split`, `revision`, `image_column`, `label_column` of the dataset.

    Raises:
        UserError: the input is at fault, or no method scores any model. HubError: the Hub or the network is.
    """
    setting, chosen = setting or Setting(max_classes=100), chosen_methods(methods)
    folder = existing_folder(datasets)
    opened = open_compared(zoo, chosen, ranker, setting)
    models = tuple(opened.zoo.model_ids)
    if len(models) < 2:
        raise UserError(f"the zoo {opened.zoo.id} has one model only", "Two or more can be compared.")
    truth = read_truth(ground_truth, recipe, opened.zoo) if ground_truth else None
    row = None if truth is None else row_of(truth, _called(dataset))
    past = _past(chosen, truth, train_ground_truth, recipe, opened)
    target = _called(dataset) if truth is None or row is None else truth.datasets[row]
    sample = setting.sample(dataset, **sampled)
    if sample.labels is None and all(method.kind == "heuristic" for method in chosen):
        # told before the models are run, not after
        named = ", ".join(method.name for method in chosen)
        raise UserError(f"{sample.id} has no labels, which {named} need", "Name their column with --label-column.")
    samples = _past_samples(past, folder, setting) | {target: sample}
    bench = make_bench(opened, models, past.table.models if past else (), samples, chosen, folder, setting)
    bench.prepare(chosen, [target], past.table if past else None)
    found = all_scores(bench, chosen, [target], past)
    accuracies = None if truth is None or row is None else _accuracies(truth, row, models)
    compared = tuple(_compared(method, found[method.name, target][0], models, accuracies) for method in chosen)
    if all(one.found.reason for one in compared):
        first = compared[0]
        raise UserError(f"no method scores any model; {first.method.name}: {first.found.reason}", "Name others.")
    ran = any(method.runs_models for method in chosen)
    not_run = (f"{model} was not run: {why}" for model, why in bench.features.reasons.items())
    return Comparison(
        _described(sample), {"id": opened.zoo.id, "num_models": len(models)}, models, compared, accuracies,
        past.rule if past else NOTHING, forward_seconds(bench, target) if ran else 0.0,
        (
            *sample.warnings, *opened.zoo.notes, *not_run, *_ties(compared),
            *Seen.of(opened.ranker, opened.zoo).warnings([target], models),
        ),
    )  # fmt: skip


def _past(
    methods: Sequence[ComparedMethod],
    truth: GroundTruthTable | None,
    train: str | Path | None,
    recipe: str | None,
    opened: Compared,
) -> Past | None:
    """What methods may learn from: the training table, else the ground truth, else nothing."""
    if not any(method.learns for method in methods):
        return None
    if train is not None:
        return Past(read_truth(train, recipe, opened.zoo), True)
    return None if truth is None else Past(truth, False)


def _past_samples(past: Past | None, folder: Path | None, setting: Setting) -> dict[str, DatasetSample]:
    """Samples of past datasets, if a folder with them is named: nothing is fetched unasked."""
    return {} if past is None or folder is None else load_samples(past.table.datasets, folder, setting)[0]


def _called(dataset: Any) -> str:
    """The name of a dataset: a Hub id, or the last part of a folder."""
    if not isinstance(dataset, str | Path):
        return "in-memory"
    path = Path(dataset).expanduser()
    return path.resolve().name if path.is_dir() else str(dataset)


def _accuracies(truth: GroundTruthTable, row: int, models: Sequence[str]) -> np.ndarray:
    measured = dict(zip(truth.models, truth.scores[row], strict=True))
    return np.array([measured.get(model, np.nan) for model in models])


def _compared(
    method: ComparedMethod, found: MethodScores, models: Sequence[str], accuracies: np.ndarray | None
) -> ComparedScores:
    """Ranks among the scored models, and metrics over the measured ones."""
    ranks = np.zeros(len(models), dtype=np.int64)
    known = np.flatnonzero(np.isfinite(found.scores))
    ranks[known] = places(found.scores[known], [models[int(row)] for row in known])
    if accuracies is None:
        return ComparedScores(method, found, ranks, None)
    measured = np.flatnonzero(np.isfinite(accuracies))
    filled = found.filled_in(measured)
    return ComparedScores(method, found, ranks, None if filled is None else metrics_of(filled, accuracies, [measured]))


def _ties(compared: Sequence[ComparedScores]) -> list[str]:
    """Methods that tell no two models apart: their order is that of the names."""
    return [
        f"{one.method.name} gives all models the same score: it says nothing here"
        for one in compared
        if (known := one.found.scores[np.isfinite(one.found.scores)]).size > 1 and (known == known[0]).all()
    ]


def _described(sample: DatasetSample) -> dict[str, Any]:
    return {
        "id": sample.id, "revision": sample.revision, "split": sample.split, "num_classes": sample.num_classes,
        "num_images_used": len(sample.images),
    }  # fmt: skip
