"""What was tried for the ranker, each on the same folds as the ranker: network, episodes, losses, views, past results.

    python benchmarks/ranker_trials.py --zoo INDEX [--zoo ...] --ground-truth TABLE [--ground-truth ...]
        --datasets FOLDER --out FOLDER [--cache FOLDER] [--trial NAME ...] [--seed 7] [--folds 5]

The folds are those of seeds that `evaluate_ranker.py` does not use; each holds out a fifth of the parents and of the
lineages, or of the families. Every outcome of a fold is written when it is there, so that a killed run goes on. The
table gives weighted tau by quadrant and the paired difference to the first line, with its 90 % interval by parents.
A forest takes three seconds of one core, a network a minute, stacking half a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evaluate_ranker import read_corpus, untrained
from evidence.colearning import ranked_by_codes, scores_of
from evidence.ranker_report import per_parent
from evidence.subset_tasks import subset_tasks_of

from hf_crosssight.evaluation.baselines import Predictor
from hf_crosssight.evaluation.quadrants import restricted, training_tasks
from hf_crosssight.evaluation.report import Outcome, bootstrap_interval, markdown_table, mean_over_tables
from hf_crosssight.ground_truth.tables import Task, split_by_parent
from hf_crosssight.hub.places import write_text
from hf_crosssight.models import CrossSightModel
from hf_crosssight.training.bundled import validation_parents
from hf_crosssight.training.forest import ForestRecipe, pair_rows, probe_anchors, with_forest
from hf_crosssight.training.measured_corpus import MeasuredCorpus
from hf_crosssight.training.measured_evaluation import (
    FAMILIES,
    FAMILIES_BLIND,
    FAMILIES_KNOWN,
    LINEAGES,
    NestedFold,
    kin_of_families,
    nested_folds,
    outcomes_of,
    ranker_predictors,
)
from hf_crosssight.training.perceptrons import PerceptronRecipe
from hf_crosssight.training.recipe import RankerRecipe
from hf_crosssight.training.trainer import train_ranker

PLAIN = ForestRecipe(trees=160, linear=0.5, perceptrons=PerceptronRecipe(width=0))  # the ranker before perceptrons
READER = replace(PLAIN, trees=8, past=0.0)  # for its features alone
QUADRANTS = ("blind datasets", "blind models", "both blind", FAMILIES_KNOWN, FAMILIES_BLIND)
CHEAP = ("knn", "head")  # recipes that run every model without fine-tuning it
_EACH = 4  # class subsets of a dataset
_PARTS = 3  # parts of parents and of lineages that a stacked model is trained without in turn


@dataclass(frozen=True)
class Setting:
    """All that trials read; `subsets` are class-subset tasks, whose tokens the corpus has too."""

    corpus: MeasuredCorpus
    anchors: list[np.ndarray]
    tested: list[str]
    subsets: list[Task]

    def known(self, nested: NestedFold, *recipes: str) -> list[Task]:
        """Training tasks of the tested tables, or of the tables of other recipes."""
        names = [t.id for t in self.corpus.tables if t.id.rpartition("_")[2] in recipes] if recipes else self.tested
        return training_tasks(self.corpus.tasks(names), nested.fold)

    def known_subsets(self, nested: NestedFold, *recipes: str) -> list[Task]:
        own = [task for task in self.subsets if task.table.rpartition("_")[2] in recipes]
        return training_tasks(own, nested.fold)


Trial = Callable[[Setting, NestedFold], Predictor]
More = Callable[[Setting, NestedFold], list[Task]]


def forest(recipe: ForestRecipe | None = None, also: More | None = None) -> Trial:
    """The ranker's forest, grown with another recipe or on other tasks as well."""

    def fitted(setting: Setting, nested: NestedFold) -> Predictor:
        tasks = [*setting.known(nested), *(also(setting, nested) if also else [])]
        grown = _grown(setting, tasks, replace(recipe or ForestRecipe(), seed=nested.seed))
        return ranker_predictors("ranker", grown, setting.corpus, nested.seed)["ranker"]

    return fitted


def rich_samples_only(setting: Setting, nested: NestedFold) -> Predictor:
    """The forest without n-shot episodes: it sees five images of each class, never one."""
    richest = replace(setting.corpus, tokens={name: own[-1:] for name, own in setting.corpus.tokens.items()})
    return forest()(replace(setting, corpus=richest), nested)


def network(
    config: Mapping[str, Any] | None = None, without: Sequence[str] = (), mixed: bool = False,
    also: More | None = None, **recipe: Any,
) -> Trial:  # fmt: skip
    """The network, stopped on a quarter of the known parents; with `mixed` its mean with the ranker."""

    def fitted(setting: Setting, nested: NestedFold) -> Predictor:
        corpus = setting.corpus
        zoo = corpus.zoo.with_views([name for name in corpus.zoo.views if name not in ("lineage", *without)])
        held = validation_parents(setting.known(nested), 0.25, nested.seed, frozenset())
        tasks, validation = split_by_parent(setting.known(nested), held)
        more = [t for t in also(setting, nested) if t.parent not in held] if also else []
        fields = {"hidden_size": 64, "intermediate_size": 128, "decoder_layers": 1, **(config or {})}
        chosen = {"steps": 300, "consistency": 0.0, "validate_every": 25, "seed": nested.seed, **recipe}
        trained = train_ranker(
            [*tasks, *more], zoo, corpus.tokens, validation=validation, recipe=RankerRecipe(**chosen), config=fields
        )
        own = ranker_predictors("ranker", trained.model, corpus, nested.seed)["ranker"]
        if not mixed:
            return own
        trees = forest()(setting, nested)
        return lambda task: (_standard(own(task)) + _standard(trees(task))) / 2

    return fitted


def codes(share: float, pretrained: bool = True) -> Trial:
    """Codes of the weights alone, the encoder learning at a share of the head's rate (see `evidence.colearning`)."""

    def fitted(setting: Setting, nested: NestedFold) -> Predictor:
        corpus, tasks = setting.corpus, setting.known(nested)
        reader = _grown(setting, tasks, replace(READER, seed=nested.seed))
        assert reader.pair_features is not None
        described = {}
        for name, own in corpus.tokens.items():
            values = torch.from_numpy(np.asarray(own[-1].values, np.float32))[None]
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
            described[name] = reader.pair_features.of_dataset(values, mask)[0].numpy()
        weights, rows = corpus.zoo.views["weights"], {model: row for row, model in enumerate(corpus.zoo.model_ids)}
        known = [row for model, row in rows.items() if model not in nested.fold.models
                 and corpus.zoo.view_mask["weights"][row]]  # fmt: skip
        encoder, head = ranked_by_codes(
            weights, known, rows, tasks, described, share=share, pretrained=pretrained, seed=nested.seed
        )
        return lambda task: scores_of(
            encoder, head, weights[[rows[model] for model in task.models]], described[task.dataset]
        )

    return fitted


def stacked(setting: Setting, nested: NestedFold) -> Predictor:
    """Trees and a linear map told what a first forest, grown on kNN's and the linear head's results, expects of these.

    A row of the known part is told what a forest says that saw neither its parent nor its lineage.
    """
    groups = setting.corpus.lineage if nested.held == LINEAGES else kin_of_families(setting.corpus)
    tasks, rng = setting.known(nested), np.random.default_rng(nested.seed)
    parts = [
        {name: at % _PARTS for at, name in enumerate(rng.permutation(sorted(names)))}
        for names in ({task.parent for task in tasks}, set(groups.values()))
    ]
    recipe = replace(PLAIN, trees=48, past=0.0, seed=nested.seed)
    told: dict[tuple[str, str], dict[str, float]] = {}
    whole: dict[str, Predictor] = {}
    for cheap in CHEAP:
        own = setting.known(nested, cheap)
        whole[cheap] = _predictor(setting, _grown(setting, own, recipe), nested)
        for parent_part in range(_PARTS):
            for group_part in range(_PARTS):
                hidden = frozenset(model for model, group in groups.items() if parts[1][group] == group_part)
                rest = [restricted(t, hidden, keep=False) for t in own if parts[0].get(t.parent) != parent_part]
                predict = _predictor(setting, _grown(setting, rest, recipe), nested)
                for task in (restricted(t, hidden, keep=True) for t in tasks if parts[0][t.parent] == parent_part):
                    if task.models:
                        expected = zip(task.models, predict(task), strict=True)
                        told.setdefault((cheap, task.dataset), {}).update(expected)
    return _told_forest(setting, nested, tasks, told, whole)


def _told_forest(
    setting: Setting, nested: NestedFold, tasks: Sequence[Task], told: Mapping[tuple[str, str], Mapping[str, float]],
    whole: Mapping[str, Predictor],
) -> Predictor:  # fmt: skip
    """Trees and a linear map on the forest's features and the expected cheap results."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge

    from hf_crosssight.peers.history import gaussianised

    reader = _grown(setting, tasks, replace(READER, seed=nested.seed))
    rows_of = {model: row for row, model in enumerate(setting.corpus.zoo.model_ids)}
    assert reader.pair_features is not None
    first = reader.pair_features.weights_width

    def features(task: Task, expected: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.array([rows_of[model] for model in task.models])
        plain = pair_rows(reader, setting.corpus.tokens[task.dataset][-1].values, setting.corpus.zoo, rows)
        return np.hstack([plain, np.stack(expected, axis=1)])

    def expected_of(task: Task) -> list[np.ndarray]:
        return [np.array([told[cheap, task.dataset].get(model, 0.0) for model in task.models]) for cheap in CHEAP]

    usable = [task for task in tasks if all((cheap, task.dataset) in told for cheap in CHEAP)]
    given = np.vstack([features(task, expected_of(task)) for task in usable])
    targets = np.concatenate([gaussianised(task.scores) for task in usable])
    weights = np.concatenate([np.full(len(task.models), 1.0 / len(task.models)) for task in usable])
    trees = ExtraTreesRegressor(160, min_samples_leaf=3, max_features=0.4, random_state=nested.seed)
    trees.fit(given[:, first:], targets, sample_weight=weights)
    center, scale = np.nanmean(given, axis=0), np.maximum(np.nanstd(given, axis=0), 1e-3)
    linear = Ridge(0.0075 * given.size).fit(
        _cut((given - center) / scale), targets, sample_weight=weights / weights.mean()
    )

    def predict(task: Task) -> np.ndarray:
        own = features(task, [np.asarray(whole[cheap](task)) for cheap in CHEAP])
        return (trees.predict(own[:, first:]) + linear.predict(_cut((own - center) / scale))) / 2

    return predict


def _cut(values: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(values), -4.0, 4.0)


def _grown(setting: Setting, tasks: Sequence[Task], recipe: ForestRecipe) -> CrossSightModel:
    corpus = setting.corpus
    return with_forest(untrained(corpus, tasks), tasks, corpus.zoo, corpus.tokens, setting.anchors, recipe=recipe)


def _predictor(setting: Setting, model: CrossSightModel, nested: NestedFold) -> Predictor:
    return ranker_predictors("ranker", model, setting.corpus, nested.seed)["ranker"]


def _standard(scores: np.ndarray | None) -> np.ndarray:
    values = np.asarray(scores)
    return (values - values.mean()) / max(float(values.std()), 1e-9)


def _subsets(*recipes: str) -> More:
    return lambda setting, nested: setting.known_subsets(nested, *recipes)


def _cheap(setting: Setting, nested: NestedFold) -> list[Task]:
    return setting.known(nested, *CHEAP)


def _weighted(weight: float, *recipes: str) -> ForestRecipe:
    """A recipe in which the tables of these recipes count less; subsets of a dataset count as one."""
    share = weight / (_EACH if recipes[0].endswith("subsets") else 1)
    return ForestRecipe(table_weight={f"table_{recipe}": share for recipe in recipes})


SMALL_LOSS = {"gaussian_mse": 1.0, "pairwise": 1.0}
TRIALS: dict[str, Trial] = {
    "the ranker": forest(),
    "without perceptrons": forest(PLAIN),
    "perceptrons alone": forest(ForestRecipe(perceptrons=PerceptronRecipe(share=1.0))),
    "perceptrons: share .5": forest(ForestRecipe(perceptrons=PerceptronRecipe(share=0.5))),
    "perceptrons: trees and linear map alike": forest(ForestRecipe(linear=0.5)),
    "perceptrons: linear map beside them": forest(ForestRecipe(linear=1.0)),
    "perceptrons: 96 units, 300 updates": forest(ForestRecipe(perceptrons=PerceptronRecipe(width=96, steps=300))),
    "gate of .8": forest(ForestRecipe(gate=0.8)),
    "gate of .6": forest(ForestRecipe(gate=0.6)),
    "past results: none": forest(ForestRecipe(past=0.0)),
    "past results: share .25": forest(ForestRecipe(past=0.25)),
    "past results: nearness .03": forest(ForestRecipe(nearness=0.03)),
    "past results: nearness .1": forest(ForestRecipe(nearness=0.1)),
    "past results: nearness .2": forest(ForestRecipe(nearness=0.2)),
    "without n-shot episodes": rich_samples_only,
    "class subsets by ridge at .1": forest(_weighted(0.1, "ridge-subsets"), _subsets("ridge-subsets")),
    "class subsets by ridge at .3": forest(_weighted(0.3, "ridge-subsets"), _subsets("ridge-subsets")),
    "class subsets by kNN at .1": forest(_weighted(0.1, "knn-subsets"), _subsets("knn-subsets")),
    "tables of frozen features at .1": forest(_weighted(0.1, *CHEAP), _cheap),
    "stacked on expected kNN and head": stacked,
    "codes of the weights, encoder frozen": codes(0.0),
    "codes of the weights, ranking loss at a tenth": codes(0.1),
    "codes of the weights, ranking loss alone": codes(1.0, pretrained=False),
    "network": network(),
    "network, mean with the ranker": network(mixed=True),
    "network: no static part": network({"static_part": False}),
    "network: no gate": network({"dataset_gate": False}),
    "network: no view dropout": network({"view_dropout": 0.0}),
    "network: no dataset-token dropout": network({"dataset_token_dropout": 0.0}),
    "network: squared error alone": network({"loss": {"gaussian_mse": 1.0}}),
    "network: pairs alone": network({"loss": {"pairwise": 1.0}}),
    "network: and ListMLE at .2": network({"loss": {**SMALL_LOSS, "listmle": 0.2}}),
    "network: whole zoos": network(models_share=1.0),
    "network: one member": network({"ensemble_size": 1}),
    "network: no weights view": network(without=["weights"]),
    "network: no probe view": network(without=["probe"]),
    "network: class subsets by ridge": network(
        also=_subsets("ridge-subsets"), table_weight={"table_ridge-subsets": 0.1}
    ),
    "network: tables of frozen features": network(also=_cheap, table_weight={"table_knn": 0.2, "table_head": 0.2}),
}


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    setting = _setting(options)
    for nested in nested_folds(setting.corpus, setting.tested, options.folds, options.seed + 1):
        if nested.seed != options.seed or nested.held not in options.held:
            continue
        for name in options.trial:
            path = options.out / f"{nested.name} {name.replace(':', '').replace('/', ' ')}.jsonl"
            if path.is_file():
                continue
            started = time.perf_counter()
            found = outcomes_of(setting.corpus, nested, setting.tested, {name: TRIALS[name](setting, nested)})
            write_text(path, "".join(json.dumps(asdict(outcome)) + "\n" for outcome in found))
            print(f"{nested.name}, {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(_table(options.out))


def _setting(options: argparse.Namespace) -> Setting:
    corpus = read_corpus(options)
    tested = [table.id for table in corpus.tables if table.id.rpartition("_")[2] in ("full", "results")]
    subsets: list[Task] = []
    if any("subsets" in name for name in options.trial):
        subsets, tokens = subset_tasks_of(options.ground_truth[0], options.datasets[0], options.cache, _EACH)
        corpus = replace(corpus, tokens={**corpus.tokens, **tokens})
    return Setting(corpus, probe_anchors(options.cache), tested, subsets)


def _table(folder: Path) -> str:
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    outcomes = per_parent([Outcome(**json.loads(line)) for line in lines])
    first = next(iter(TRIALS))
    quadrants = [quadrant for quadrant in QUADRANTS if any(one.quadrant == quadrant for one in outcomes)]
    rows = []
    for name in (name for name in TRIALS if any(one.method == name for one in outcomes)):
        cells = []
        for quadrant in quadrants:
            own, base = (
                [one for one in outcomes if one.quadrant == quadrant and one.method == method]
                for method in (name, first)
            )
            told = f"{mean_over_tables(own, 'weighted_tau'):.3f}"
            if name != first and base:
                mean, low, high = bootstrap_interval(own, base, "weighted_tau")
                told += f" ({mean:+.3f}: {low:+.3f} to {high:+.3f})"
            cells.append(told)
        rows.append([name, *cells])
    return markdown_table(["tried", *quadrants], rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", action="append", required=True, help="zoo index with all views")
    parser.add_argument(
        "--ground-truth", type=Path, action="append", required=True, help="table; the first has subsets"
    )
    parser.add_argument("--datasets", type=Path, action="append", required=True, help="folder of datasets")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--trial", action="append", default=[], choices=list(TRIALS), help="all by default")
    parser.add_argument("--held", action="append", default=[], choices=[LINEAGES, FAMILIES], help="both by default")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7, help="of folds and trainings; 0 to 2 are the evaluation's")
    parser.add_argument("--out", type=Path, required=True, help="folder of the outcomes")
    options = parser.parse_args()
    options.trial = options.trial or list(TRIALS)
    options.held = options.held or [LINEAGES, FAMILIES]
    options.out.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
