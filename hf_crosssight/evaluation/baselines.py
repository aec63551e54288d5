"""What a ranker must beat: rankings that look at no dataset, at the nearest dataset, or at plain metadata.

Each baseline is fitted to training tasks and then scores the models of a test task; `None` says that it has nothing to
say about them (an unknown model has no mean rank).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hf_crosssight.ground_truth.datasets import published_datasets
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.peers.history import gaussianised
from hf_crosssight.tokens.card import FLAG_DIM
from hf_crosssight.tokens.structure import FACT_COLUMNS
from hf_crosssight.zoo.index import ZooIndex

Predictor = Callable[[Task], "np.ndarray | None"]
Distance = Callable[[str, str], float]

# ImageNet top-1 accuracy in % that torchvision's documentation states for weights that timm does not carry.
_TORCHVISION_TOP1 = {
    "torchvision/googlenet": 69.778, "torchvision/mobilenet_v2": 71.878, "torchvision/mnasnet1_0": 73.456,
    "torchvision/alexnet": 56.522, "torchvision/efficientnet_b0": 77.692, "torchvision/convnext_tiny": 82.520,
    "torchvision/shufflenet_v2_x1_0": 69.362,
}  # fmt: skip


def quantiles(scores: np.ndarray) -> np.ndarray:
    """Share of models beaten, ties halved: 0 worst, 1 best."""
    from scipy.stats import rankdata

    return (rankdata(scores) - 1) / max(len(scores) - 1, 1)


def z_scores(scores: np.ndarray) -> np.ndarray:
    """Scores less their mean, over their standard deviation."""
    return (scores - scores.mean()) / max(float(scores.std()), 1e-12)


def static_mean(training: Sequence[Task], value: Callable[[np.ndarray], np.ndarray]) -> Predictor:
    """Mean over a table's training datasets of a model's rank (`quantiles`) or z-score; else over other tables'."""
    by_table: dict[tuple[str, str], list[float]] = {}
    anywhere: dict[str, list[float]] = {}
    for task in training:
        for model, own in zip(task.models, value(task.scores), strict=True):
            by_table.setdefault((task.table, model), []).append(float(own))
            anywhere.setdefault(model, []).append(float(own))

    def predict(task: Task) -> np.ndarray | None:
        found = [by_table.get((task.table, model), anywhere.get(model)) for model in task.models]
        if sum(one is not None for one in found) < len(found) / 2:
            return None
        means = np.array([np.nan if one is None else np.mean(one) for one in found])
        return np.where(np.isnan(means), np.nanmedian(means), means)

    return predict


def _by_table(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.table, []).append(task)
    return found


def nearest_dataset(training: Sequence[Task], distance: Distance) -> Predictor:
    """Ranks on the training dataset of the same table that is nearest by its tokens."""
    by_table = _by_table(training)

    def predict(task: Task) -> np.ndarray | None:
        others = sorted(by_table.get(task.table, []), key=lambda other: distance(task.dataset, other.dataset))
        for other in others:
            known = dict(zip(other.models, quantiles(other.scores), strict=True))
            found = np.array([known.get(model, np.nan) for model in task.models])
            if np.isfinite(found).mean() > 0.5:
                return np.where(np.isnan(found), np.nanmedian(found), found)
        return None

    return predict


def results_by_nearness(training: Sequence[Task], distance: Distance, width: float) -> Predictor:
    """Ranks by each model's own results on the training datasets of the same table, gaussianised.

    A dataset at the distance `width` counts 1 / e of what it would count at none.
    """
    by_table = _by_table(training)

    def predict(task: Task) -> np.ndarray | None:
        total, weight = np.zeros(len(task.models)), np.zeros(len(task.models))
        others = [(other, distance(task.dataset, other.dataset)) for other in by_table.get(task.table, [])]
        nearest = min((far for _, far in others), default=0.0)
        for other, far in others:
            known = dict(zip(other.models, gaussianised(other.scores), strict=True))
            found = np.array([known.get(model, np.nan) for model in task.models])
            counted = np.exp((nearest - far) / width) * np.isfinite(found)
            total, weight = total + counted * np.nan_to_num(found), weight + counted
        return total / weight if (weight > 0).all() else None

    return predict


def fact_predictor(values: Mapping[str, float | None]) -> Predictor:
    """Ranks by one stated fact of each model; the median where it is unknown, `None` if it is for most."""

    def predict(task: Task) -> np.ndarray | None:
        found = np.array([np.nan if values.get(m) is None else values[m] for m in task.models], dtype=np.float64)
        if np.isfinite(found).mean() < 0.5:
            return None
        return np.where(np.isnan(found), np.nanmedian(found), found)

    return predict


def facts_of(zoo: ZooIndex, column: str) -> dict[str, float | None]:
    """One numeric column of a zoo by model id."""
    return dict(zip(zoo.model_ids, zoo.column(column).to_pylist(), strict=True))


def source_accuracies(tasks: Sequence[Task], stated: Mapping[str, float | None]) -> dict[str, float | None]:
    """Accuracy on the data of the pre-training: ImageNet top-1 of timm's table, else what a table states (in %)."""
    found: dict[str, float | None] = {m: v for m, v in stated.items() if v is not None}
    found.update(_TORCHVISION_TOP1)
    for task in tasks:
        if task.table == "timm_accuracy" and task.dataset == "imagenet":
            found.update(zip(task.models, (float(score) for score in task.scores), strict=True))
    return found


def model_metadata(zoo: ZooIndex) -> np.ndarray:
    """Plain features `[M, F]` of models: the structure's summary, the card's flags, its words on 16 directions."""
    parts = [np.zeros((len(zoo), 0), np.float32)]
    if "structure" in zoo.views:
        parts.append(np.asarray(zoo.views["structure"], np.float32)[:, 0])
    if "card" in zoo.views:
        card = np.asarray(zoo.views["card"], np.float32)[:, 0]
        parts += [card[:, 1 : 1 + FLAG_DIM], _principal(card[:, 1 + FLAG_DIM :], 16)]
    return np.hstack(parts)


class Metadata:
    """Plain features of a (model, dataset) pair, for ridge and trees: facts, card flags, dataset words and counts."""

    def __init__(self, zoo: ZooIndex, texts: Mapping[str, np.ndarray]) -> None:
        self.rows = {model: row for row, model in enumerate(zoo.model_ids)}
        self.models = model_metadata(zoo)
        self.costs = [FACT_COLUMNS["params"] + 1, FACT_COLUMNS["gmacs"] + 1]
        self.names = sorted(texts)
        self.datasets = dict(zip(self.names, _principal(np.stack([texts[n] for n in self.names]), 12), strict=True))

    def pairs(self, task: Task) -> np.ndarray:
        """Features `[m, F]` of the models of a task, dataset included."""
        index = [self.rows[model] for model in task.models]
        dataset = published_datasets().get(task.dataset)
        classes = np.log10(dataset.num_classes) if dataset and dataset.num_classes else 1.0
        words = self.datasets.get(task.dataset, np.zeros(12, np.float32))
        own = self.models[index]
        crossed = own[:, self.costs, None] * words[None, None, :4]
        whole = np.broadcast_to(np.append(words, classes), (len(index), len(words) + 1))
        return np.hstack([own, whole, crossed.reshape(len(index), -1)])


def _principal(values: np.ndarray, count: int) -> np.ndarray:
    """Projection on the leading principal directions: `[N, count]`."""
    centred = values - values.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    kept = centred @ directions[:count].T
    return np.pad(kept, ((0, 0), (0, count - kept.shape[1])))


def regressor(training: Sequence[Task], metadata: Metadata, kind: str, seed: int = 0) -> Predictor:
    """`ridge` or `trees` (ExtraTrees) from metadata to gaussianised ranks; every table weighs the same."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge

    tables = {task.table: 0 for task in training}
    for task in training:
        tables[task.table] += len(task.models)
    features = np.vstack([metadata.pairs(task) for task in training])
    target = np.concatenate([gaussianised(task.scores) for task in training])
    weight = np.concatenate([np.full(len(task.models), tables[task.table] ** -0.5) for task in training])
    if kind == "ridge":
        fitted = Ridge(alpha=10.0).fit(features, target, sample_weight=weight / weight.mean())
    else:
        trees = ExtraTreesRegressor(80, min_samples_leaf=3, max_features=0.3, random_state=seed, n_jobs=1)
        fitted = trees.fit(features.astype(np.float32), target, sample_weight=weight)
    return lambda task: np.asarray(fitted.predict(metadata.pairs(task)))
