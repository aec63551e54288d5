"""Growing the forests of a ranker: from measured tasks to trees that stand in the model's own buffers.

Extremely randomised trees (Geurts, Ernst, Wehenkel, 2006), a ridge regression and perceptrons learn gaussianised
ranks, and their weighted mean is taken: trees know the families that they saw, the linear map carries to those that
they did not, and perceptrons help with models that nothing was learnt from (see `perceptrons`). Trees and map stand
twice in a ranker, once for a model's own features alone, which is what the model is worth anywhere, and once for all
features of model and dataset; perceptrons stand once, and their word on a dataset in the middle of all is what the
model is worth anywhere. Every ensemble member sees the parents of the datasets with weights of its own (a Bayesian
bootstrap), and another token sample of every dataset, so that the members' spread says what other datasets would have
taught. The results that models were learnt from are kept too, and recalled for these very models.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.models.forest_crosssight import CrossSightForest, CrossSightLinear, forest_arrays
from hf_crosssight.peers.history import gaussianised
from hf_crosssight.tokens.dataset import DatasetTokens
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.tokens.word_match import evidence_of
from hf_crosssight.zoo.index import ZooIndex

from .perceptrons import PerceptronRecipe, Progress, fit_perceptrons

FOREST_VIEWS = ("structure", "probe", "weights")
_NEEDED = ("structure", "probe")
_GROWN = ("static_", "pair_forest", "pair_linear", "pair_perceptrons", "past_results")


@dataclass(frozen=True)
class ForestRecipe:
    """How to grow.

    Attributes:
        trees: of each forest, over all members.
        leaf: rows in a leaf at the least.
        features: share of the features that a split looks at.
        ridge: penalty of the linear map, per row and feature, for features of a variance of one.
        linear: share of the linear map beside the trees.
        perceptrons: how to train those beside both.
        spread: 0 for the same weight of every parent for all members, 1 for a whole Bayesian bootstrap.
        table_weight: factor on the rows of a table, 1 where it is not named; every dataset of a table counts alike.
        gate: factor on what is said of model and dataset beyond what is said of the model alone.
        weight: share of all three in the score of a model with a probe view; the rest is the network's.
        past: share of its own past results in the score of a model that was learnt from.
        nearness: distance of datasets at which such a result counts 1 / e of what it would count nearby.
        widening: factor on the members' deviations from their mean: with it, models whose 90 % intervals do not meet
            were ordered rightly about nine times in ten on held-out datasets and models (`interval_pairs.py`).
        fewest: models that a task needs to be learnt from.
        seed: of the trees and of the weights.
    """

    trees: int = 64
    leaf: int = 3
    features: float = 0.4
    ridge: float = 0.0075
    linear: float = 0.7
    perceptrons: PerceptronRecipe = field(default_factory=PerceptronRecipe)
    spread: float = 0.5
    table_weight: Mapping[str, float] = field(default_factory=dict)
    gate: float = 1.0
    weight: float = 1.0
    past: float = 0.5
    nearness: float = 0.06
    widening: float = 2.0
    fewest: int = 5
    seed: int = 0


def with_forest(
    model: CrossSightModel,
    tasks: Sequence[Task],
    zoo: ZooIndex,
    tokens: Mapping[str, Sequence[DatasetTokens]],
    anchors: Sequence[np.ndarray],
    *,
    recipe: ForestRecipe | None = None,
    progress: Progress | None = None,
) -> CrossSightModel:
    """The same ranker with forests that were grown from tasks; its network is left as it is.

    Args:
        model: a ranker with or without forests.
        tasks: what to learn from; models without a probe view and datasets without tokens are left out.
        zoo: views of the tasks' models.
        tokens: token samples of each dataset, the richest last.
        anchors: tokens `[S, Dd]` of each probe task, see `probe_anchors`.
        recipe (*optional*).
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        ValueError: no task with enough models is left.
    """
    recipe = recipe or ForestRecipe()
    grown = _with_room(model, recipe, nodes=1, depth=0)
    assert grown.pair_features is not None
    used = usable_tasks(tasks, zoo, tokens, recipe.fewest)
    if not used:
        raise ValueError(f"no task has tokens and {recipe.fewest} models with the views {', '.join(_NEEDED)}")
    names = sorted({task.dataset for task in used})
    grown.pair_features.fit(
        [torch.from_numpy(values) for values in anchors], [torch.from_numpy(tokens[n][-1].values) for n in names]
    )
    rows = _Rows(grown, used, zoo, tokens, recipe)
    arrays = {}
    for number, (name, stop) in enumerate((("static_forest", rows.static_width), ("pair_forest", None))):
        if progress is not None:
            progress("growing trees", number, 2)
        arrays[name] = _grow(rows, slice(rows.weights_width, stop), recipe)
    nodes = max(found["value"].shape[1] for found in arrays.values())
    depth = max(int(found["depth"]) for found in arrays.values())
    known = sorted({name for task in used for name in task.models})
    finished = _with_room(grown, recipe, nodes=nodes, depth=depth, models=len(known), datasets=names)
    for name, found in arrays.items():
        _fill(getattr(finished, name), found)
    _fit_linear(finished.static_linear, rows, rows.static_width, recipe)
    _fit_linear(finished.pair_linear, rows, None, recipe)
    if finished.pair_perceptrons is not None:
        samples = finished.pair_linear.standardised(torch.from_numpy(np.stack(rows.samples)))
        targets, weights = (torch.from_numpy(each).float() for each in (rows.targets, rows.weights))
        fit_perceptrons(
            finished.pair_perceptrons, samples, targets, weights, recipe.perceptrons, recipe.seed, progress
        )
    _keep_results(finished, used, known, names, zoo, tokens, rows.of_parent, recipe.table_weight)
    return finished.eval()


def usable_tasks(
    tasks: Sequence[Task], zoo: ZooIndex, tokens: Mapping[str, Sequence[DatasetTokens]], fewest: int = 5
) -> list[Task]:
    """The part of the tasks that trees can learn from: models with the views, at least `fewest` of them a task."""
    has = set(np.asarray(zoo.model_ids, dtype=object)[_has_views(zoo)])
    found = []
    for task in tasks:
        index = [i for i, model in enumerate(task.models) if model in has]
        if len(index) >= fewest and tokens.get(task.dataset):
            found.append(Task(task.table, task.dataset, tuple(task.models[i] for i in index), task.scores[index]))
    return found


def _has_views(zoo: ZooIndex) -> np.ndarray:
    masks = [zoo.view_mask[name] if name in zoo.views else np.zeros(len(zoo), bool) for name in _NEEDED]
    return np.asarray(np.logical_and.reduce(masks))


def _with_room(
    model: CrossSightModel,
    recipe: ForestRecipe,
    *,
    nodes: int,
    depth: int,
    models: int = 0,
    datasets: Sequence[str] = (),
) -> CrossSightModel:
    """A copy of the ranker with empty forests of a size and room for results of models on datasets."""
    config = CrossSightConfig(**{
        **copy.deepcopy(model.config).to_diff_dict(),
        "forest_trees": _whole_groups(recipe.trees, model.config.ensemble_size),
        "forest_nodes": nodes, "forest_depth": depth, "forest_gate": recipe.gate, "forest_weight": recipe.weight,
        "forest_linear": recipe.linear,
        "perceptron_width": recipe.perceptrons.width, "perceptron_share": recipe.perceptrons.share,
        "past_models": models, "past_datasets": len(datasets), "past_names": list(datasets),
        "past_share": recipe.past, "past_width": recipe.nearness,
        "forest_widening": recipe.widening,
        "forest_views": {name: list(VIEWS[name].shape) for name in FOREST_VIEWS},
    })  # fmt: skip
    made = CrossSightModel(config)
    kept = {
        name: value for name, value in model.state_dict().items()
        if (name in made.state_dict() and not name.startswith(_GROWN))
        or name.startswith("static_heads")
    }  # fmt: skip
    made.load_state_dict(kept, strict=False)
    return made.eval()


def _whole_groups(trees: int, members: int) -> int:
    return max(round(trees / members), 1) * members


class _Rows:
    """Rows of (dataset, model) pairs: features of each token sample, targets and weights."""

    def __init__(
        self, model: CrossSightModel, tasks: Sequence[Task], zoo: ZooIndex,
        tokens: Mapping[str, Sequence[DatasetTokens]], recipe: ForestRecipe,
    ) -> None:  # fmt: skip
        assert model.pair_features is not None
        self.static_width, self.weights_width = model.pair_features.static_width, model.pair_features.weights_width
        self.members = model.config.ensemble_size
        at = {model_id: row for row, model_id in enumerate(zoo.model_ids)}
        index = [np.array([at[name] for name in task.models]) for task in tasks]
        self.targets = np.concatenate([gaussianised(task.scores) for task in tasks])
        self.samples = [
            np.vstack([pair_rows(model, tokens[t.dataset][number % len(tokens[t.dataset])].values, zoo, rows)
                       for t, rows in zip(tasks, index, strict=True)])
            for number in range(min(self.members, max(len(tokens[task.dataset]) for task in tasks)))
        ]  # fmt: skip
        rng = np.random.default_rng(recipe.seed)
        parents = sorted({task.parent for task in tasks})
        drawn = 1.0 - recipe.spread + recipe.spread * rng.exponential(size=(len(parents), self.members))
        self.of_parent = dict(zip(parents, drawn, strict=True))
        self.weights = np.concatenate([
            np.tile(
                recipe.table_weight.get(task.table, 1.0) / len(task.models) * self.of_parent[task.parent],
                (len(task.models), 1),
            )
            for task in tasks
        ])  # fmt: skip
        self.weights /= self.weights.mean(0)


def pair_rows(model: CrossSightModel, values: np.ndarray, zoo: ZooIndex, rows: np.ndarray) -> np.ndarray:
    """What the forest reads of some models of a zoo and a dataset with tokens `[S, Dd]`: float32 `[m, F]`."""
    assert model.pair_features is not None
    held = [name for name in (*FOREST_VIEWS, "card") if name in zoo.views]
    views = {name: np.asarray(zoo.views[name][rows], np.float32) for name in held}
    evidence = evidence_of(model, values, views) if "card" in views else None
    tokens = torch.from_numpy(np.asarray(values, np.float32))[None]
    with torch.no_grad():
        described = model.pair_features.of_dataset(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool))
        match = None if evidence is None else torch.from_numpy(evidence[None, :, 0])
        given = {name: torch.from_numpy(views[name])[None] for name in FOREST_VIEWS if name in views}
        found = model.pair_features(described, given, match)
    return np.asarray(found[0].numpy(), np.float32)


def _grow(rows: _Rows, columns: slice, recipe: ForestRecipe) -> dict[str, Tensor]:
    """One forest as tensors, grown on some of the columns."""
    from sklearn.ensemble import ExtraTreesRegressor

    count = _whole_groups(recipe.trees, rows.members) // rows.members
    trees: list[dict[str, Tensor]] = []
    for member in range(rows.members):
        features = rows.samples[member % len(rows.samples)][:, columns]
        grown = ExtraTreesRegressor(
            count, min_samples_leaf=recipe.leaf, max_features=recipe.features, n_jobs=1,
            random_state=1000 * recipe.seed + member,
        ).fit(features, rows.targets, sample_weight=rows.weights[:, member])  # fmt: skip
        trees += [_tensors(one.tree_) for one in grown.estimators_]
    return forest_arrays(trees)


def _tensors(tree: object) -> dict[str, Tensor]:
    names = {"feature": "feature", "threshold": "threshold", "left": "children_left", "right": "children_right"}
    found = {name: torch.from_numpy(np.array(getattr(tree, field))) for name, field in names.items()}
    return {**found, "value": torch.from_numpy(np.array(tree.value)[:, 0, 0])}  # type: ignore[attr-defined]


def _keep_results(
    model: CrossSightModel, tasks: Sequence[Task], models: Sequence[str], datasets: Sequence[str], zoo: ZooIndex,
    tokens: Mapping[str, Sequence[DatasetTokens]], weights: Mapping[str, np.ndarray],
    table_weight: Mapping[str, float],
) -> None:  # fmt: skip
    """Gaussianised ranks of the models on the datasets, the weighted mean where several tables have one."""
    assert model.pair_features is not None
    assert model.past_results is not None
    row, column = ({name: at for at, name in enumerate(names)} for names in (models, datasets))
    total, count = np.zeros((len(models), len(datasets))), np.zeros((len(models), len(datasets)))
    for task in tasks:
        place = [row[name] for name in task.models], column[task.dataset]
        total[place] += table_weight.get(task.table, 1.0) * gaussianised(task.scores)
        count[place] += table_weight.get(task.table, 1.0)
    results = np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)
    at = {model_id: index for index, model_id in enumerate(zoo.model_ids)}
    rows = np.array([at[name] for name in models])
    keys = model.pair_features.keys({name: torch.from_numpy(np.asarray(zoo.views[name][rows])) for name in _NEEDED})
    model.past_results.fit(
        keys,
        torch.from_numpy(results).float(),
        [torch.from_numpy(tokens[name][-1].values) for name in datasets],
        torch.from_numpy(np.stack([weights[parent_of(name)] for name in datasets])),
    )


def _fill(forest: CrossSightForest, arrays: Mapping[str, Tensor]) -> None:
    for name in ("feature", "threshold", "left", "value"):
        buffer = getattr(forest, name)
        buffer.zero_()
        buffer[:, : arrays[name].shape[1]] = arrays[name]


@torch.no_grad()
def _fit_linear(linear: CrossSightLinear, rows: _Rows, width: int | None, recipe: ForestRecipe) -> None:
    """Ridge regression of each member onto the targets, from the first `width` columns."""
    whole = torch.from_numpy(rows.samples[-1][:, :width]).double()
    known = torch.isfinite(whole)
    count = known.sum(0).clamp(min=1)
    linear.center.copy_(torch.where(known, whole, 0.0).sum(0) / count)
    deviations = torch.where(known, whole - linear.center.double(), 0.0)
    linear.scale.copy_(((deviations**2).sum(0) / count).sqrt().clamp(min=1e-3))
    targets = torch.from_numpy(rows.targets)[:, None]
    for member in range(rows.members):
        sample = torch.from_numpy(rows.samples[member % len(rows.samples)][:, :width])
        features, weights = linear.standardised(sample).double(), torch.from_numpy(rows.weights[:, member])[:, None]
        mean, middle = ((weights * one).sum(0) / weights.sum() for one in (features, targets))
        centred = features - mean
        penalty = recipe.ridge * centred.numel() * torch.eye(centred.shape[1], dtype=torch.float64)
        products = (weights * centred).T @ torch.hstack([centred, targets - middle])
        solved = torch.linalg.solve(products[:, :-1] + penalty, products[:, -1])
        linear.weight[:, member], linear.bias[member] = solved.float(), float(middle - mean @ solved)


def probe_anchors(cache_dir: str | None = None) -> list[np.ndarray]:
    """Dataset tokens of the probe tasks, in their order: ten images a class, by the default encoder."""
    from hf_crosssight.data import load_sample
    from hf_crosssight.tokens.dataset import dataset_tokens
    from hf_crosssight.tokens.probe_tasks import probe_tasks

    found = []
    for task in probe_tasks():
        sample = load_sample({"images": list(task.images), "labels": task.labels.tolist()}, images_per_class=5, seed=0)
        found.append(dataset_tokens(sample, cache_dir=cache_dir).values)
    return found
