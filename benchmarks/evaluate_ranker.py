"""Evaluates the ranker on our own fine-tuning results: datasets, models, both and whole families that it never saw.

    python benchmarks/evaluate_ranker.py --zoo INDEX [--zoo FOLDER ...] --ground-truth TABLE [--ground-truth ...]
        --datasets FOLDER --test full --out FOLDER [--models FOLDER ...] [--forward TABLE] [--folds 5] [--seeds 3]

Each fold holds out a fifth of the parents, and a fifth of the lineages, of the architecture families or of the single
models (whose relatives then stay in training); the ranker and every baseline learn from the rest and score the blind
part. `--test` names the recipes that are tested on; all tables are learnt from. A fold's outcomes are written when it
is done, so that a killed run goes on; the tables are made of all outcomes in `--out`. One core: about half a minute a
fold. `--write` puts them into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from evidence.ranker_report import section
from evidence.results_file import replace_section
from evidence.target_scores import target_logme

from hf_crosssight.evaluation.baselines import Predictor
from hf_crosssight.evaluation.quadrants import training_tasks
from hf_crosssight.evaluation.relatives import BlindModel
from hf_crosssight.evaluation.report import Outcome
from hf_crosssight.evaluation.shortlist import HeldOut
from hf_crosssight.evaluation.stated_accuracy import stated_accuracy
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.hub.places import write_text
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.training.forest import ForestRecipe, probe_anchors, with_forest
from hf_crosssight.training.measured_corpus import MeasuredCorpus, load_measured
from hf_crosssight.training.measured_evaluation import (
    NestedFold,
    baselines_of,
    blind_models,
    held_out_lists,
    measured_predictor,
    nested_folds,
    outcomes_of,
    ranker_predictors,
)
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo

VIEWS = ("structure", "card", "weights", "probe")
FORWARD = {"knn": "kNN run on the target", "head": "linear head run on the target"}
LOGME = "LogME run on the target"
WITHOUT_PAST = "ranker without past results"
RELATED = ("ranker", "trees with probe", "trees", "kNN run on the target")
HEADING = "## Ranker on own ground truth"


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    corpus = read_corpus(options)
    tested = [table.id for table in corpus.tables if table.id.rpartition("_")[2] in options.test]
    if not tested:
        raise SystemExit(f"no table of the recipes {', '.join(options.test)}; there are {_ids(corpus)}")
    anchors = probe_anchors(options.cache)
    facts = {"source accuracy": source_accuracies(options.models, corpus.zoo)}
    forward = {**forward_results(options.forward), **logme_results(options, corpus, tested)}
    for nested in nested_folds(corpus, tested, options.folds, options.seeds):
        path = options.out / f"{nested.name}.jsonl"
        if path.is_file():
            continue
        started = time.perf_counter()
        methods = methods_of(corpus, nested, tested, anchors, facts, forward)
        lines = [json.dumps(asdict(outcome)) for outcome in outcomes_of(corpus, nested, tested, methods)]
        held = held_out_lists(corpus, nested, tested, methods["ranker"])
        write_text(shortlists_of(path), json.dumps([asdict(one) for one in held]))
        placed = blind_models(corpus, nested, tested, {name: methods[name] for name in RELATED if name in methods})
        write_text(relatives_of(path), json.dumps([asdict(one) for one in placed]))
        write_text(path, "\n".join(lines) + "\n")
        print(f"{nested.name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    evidence = read_outcomes(options.out), read_held_out(options.out), read_relatives(options.out)
    text = section(HEADING, corpus, tested, *evidence)
    print(text)
    if options.write:
        replace_section(HEADING, text)


def read_corpus(options: argparse.Namespace) -> MeasuredCorpus:
    """The tables with their models and datasets; what is left out is told on stderr."""
    zoos = [open_zoo(zoo, views=VIEWS) for zoo in options.zoo]
    zoo = zoos[0]
    for other in zoos[1:]:
        zoo = zoo.joined(other)
    corpus = load_measured(
        zoo, options.ground_truth, [str(folder) for folder in options.datasets], cache_dir=options.cache, offline=True
    )
    for line in corpus.left_out:
        print(line, file=sys.stderr)
    return corpus


def methods_of(
    corpus: MeasuredCorpus, nested: NestedFold, tested: Sequence[str], anchors: Sequence[np.ndarray],
    facts: Mapping[str, Mapping[str, float | None]], forward: Mapping[str, Mapping[tuple[str, str], float]],
) -> dict[str, Predictor]:  # fmt: skip
    """Everything that is compared, fitted to the known part of a fold."""
    known = training_tasks(corpus.tasks(), nested.fold)
    own = [task for task in known if task.table in tested]
    methods = baselines_of(corpus, own, nested.seed, facts)
    methods |= {name: measured_predictor(values) for name, values in forward.items()}
    recipe = ForestRecipe(seed=nested.seed)
    ranker = with_forest(untrained(corpus, known), own, corpus.zoo, corpus.tokens, anchors, recipe=recipe)
    forgetful = copy.deepcopy(ranker)
    forgetful.config.past_share = 0.0
    methods[WITHOUT_PAST] = ranker_predictors("ranker", forgetful, corpus, nested.seed)["ranker"]
    return {**methods, **ranker_predictors("ranker", ranker, corpus, nested.seed)}


def untrained(corpus: MeasuredCorpus, known: Sequence[object]) -> CrossSightModel:
    """A ranker whose network was not trained: its forest alone decides."""
    torch.manual_seed(0)
    names = sorted({task.dataset for task in known})  # type: ignore[attr-defined]
    config = CrossSightConfig.from_preset(
        "default", hidden_size=32, intermediate_size=32, decoder_layers=1, evidence_size=1
    )
    model = CrossSightModel(config)
    model.set_references([corpus.tokens[name][-1].values for name in names], names)
    return model


def forward_results(tables: Sequence[Path]) -> dict[str, dict[tuple[str, str], float]]:
    """Accuracies of the cheap recipes, which run every model on the target's images, by (dataset, model)."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for path in tables:
        for recipe, table in load_tidy(path).items():
            for d, m in np.argwhere(np.isfinite(table.scores)) if recipe in FORWARD else ():
                found.setdefault(FORWARD[recipe], {})[table.datasets[d], table.models[m]] = float(table.scores[d, m])
    return found


def logme_results(
    options: argparse.Namespace, corpus: MeasuredCorpus, tested: Sequence[str]
) -> dict[str, dict[tuple[str, str], float]]:
    """LogME of every model that `--models` holds on the target's images, by (dataset, model)."""
    if not options.models:
        return {}
    tasks = corpus.tasks(tested)
    datasets = sorted({task.dataset for task in tasks})
    models = sorted({model for task in tasks for model in task.models})
    scores = target_logme(options.models, models, datasets, options.datasets[0], options.cache or options.out)
    known = np.argwhere(np.isfinite(scores))
    return {LOGME: {(datasets[d], models[m]): float(scores[d, m]) for d, m in known}}


def source_accuracies(folders: Sequence[Path], zoo: ZooIndex) -> dict[str, float | None]:
    """What each model's card states that it reached on its own data."""
    places = {model: folder / model for folder in folders for model in zoo.model_ids if (folder / model).is_dir()}
    return {model: stated_accuracy(places[model]) if model in places else None for model in zoo.model_ids}


def shortlists_of(path: Path) -> Path:
    """Where a fold's held-out lists stand, beside its outcomes."""
    return path.with_suffix(".shortlist.json")


def read_held_out(folder: Path) -> list[HeldOut]:
    """Blind datasets with all their models, of the folds of lineages that are done."""
    rows = [row for path in sorted(folder.glob("*.shortlist.json")) for row in json.loads(path.read_text())]
    return [HeldOut(row["parent"], tuple(row["gaps"]), row["best"]) for row in rows]


def relatives_of(path: Path) -> Path:
    """Where a fold's blind models stand, beside its outcomes."""
    return path.with_suffix(".relatives.json")


def read_relatives(folder: Path) -> list[BlindModel]:
    """Blind models of all folds that are done."""
    files = sorted(folder.glob("*.relatives.json"))
    return [BlindModel(**row) for path in files for row in json.loads(path.read_text())]


def read_outcomes(folder: Path) -> list[Outcome]:
    """All outcomes of the folds that are done."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [Outcome(**json.loads(line)) for line in lines if line]


def _ids(corpus: MeasuredCorpus) -> str:
    return ", ".join(table.id for table in corpus.tables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", action="append", required=True, help="zoo index or folder of models")
    parser.add_argument("--models", type=Path, action="append", default=[], help="folder of the models' repositories")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="tidy table or folder")
    parser.add_argument("--datasets", type=Path, action="append", required=True, help="folder of datasets")
    parser.add_argument("--test", action="append", default=[], help="recipe that is tested on; full by default")
    parser.add_argument("--forward", type=Path, action="append", default=[], help="table of the recipes knn and head")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="folder of the folds' outcomes")
    parser.add_argument("--write", action="store_true", help="write the section of RESULTS.md")
    options = parser.parse_args()
    options.test = options.test or ["full"]
    options.out.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
