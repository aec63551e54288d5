"""`train ranker` as a whole: a zoo, measured tables and datasets in, a folder out that `rank --ranker` reads.

out/config.json, model.safetensors     the ranker: its network, and its forest where the zoo has probe views
out/curves.csv                         loss and validation by update, for every seed
out/training.json                      what it learnt from, how, and how it came out; written last
out/.training/seed-N.safetensors       while it is under way
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.evaluation.quadrants import Fold, folds_of, training_tasks
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.hub import HubClient
from hf_crosssight.hub.places import write_text
from hf_crosssight.models import CrossSightModel
from hf_crosssight.publishing.ranker import ranker_card
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.tokens.word_match import evidence_of
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo

from .accelerated import accelerator, written_once
from .forest import FOREST_VIEWS, ForestRecipe, probe_anchors, usable_tasks, with_forest
from .measured_corpus import MeasuredCorpus, load_measured, refuse_shared_parents
from .recipe import RankerRecipe
from .saving import save_ranker
from .trainer import TrainedRanker, train_ranker

Progress = Callable[[str, int, int | None], None]

NETWORK_VIEWS = ("structure", "card", "probe")
NETWORK = {"hidden_size": 96, "intermediate_size": 192, "decoder_layers": 1, "reference_length": 12,
           "evidence_size": 1}  # fmt: skip
FOREST_SHARES = (1.0, 0.5, 0.0)
_RECORD, _STATES = "training.json", ".training"
_HELD_OUT = 5  # one fold in so many, where no validation datasets are named


@dataclass(frozen=True)
class RankerRequest:
    """What to train on, as the command line names it.

    Attributes:
        zoo: folder of models, index folder, or Hub id of an index.
        tables: tidy tables or folders of them.
        datasets: folders of datasets, or Hub ids.
        validation: ids of the tables' datasets to stop and choose on; a fifth of the parents and lineages by default.
        seeds: trainings, of which the one that validates best is kept.
    """

    zoo: str
    tables: tuple[Path, ...]
    datasets: tuple[str, ...]
    validation: tuple[str, ...] = ()
    seeds: int = 3


def train_ranker_folder(
    request: RankerRequest,
    out: Path,
    recipe: RankerRecipe,
    *,
    resume: bool = False,
    client: HubClient | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains a ranker and writes its folder; gives what stands in `training.json`.

    Raises:
        UserError: accelerate is missing; `out` holds something else; the tables, views or datasets cannot be trained
            on; the state of an interrupted training is damaged or of other data.
        HubError: the Hub or the network is at fault.
    """
    _check_folder(out, resume)
    if resume and (out / _RECORD).is_file():
        return json.loads((out / _RECORD).read_text(encoding="utf-8"))
    devices = accelerator(recipe.mixed_precision)
    zoo = open_zoo(request.zoo, client=client, views=tuple(dict.fromkeys((*NETWORK_VIEWS, *FOREST_VIEWS))),
                   progress=progress)  # fmt: skip
    refuse_other_versions(zoo)
    corpus = load_measured(
        zoo, request.tables, request.datasets, client=client, offline=offline, progress=progress
    )  # fmt: skip
    tasks, held = split_tasks(corpus, request.validation, recipe.seed)
    trained = [
        _one_seed(corpus, tasks, held, replace(recipe, seed=recipe.seed + number), out, progress)
        for number in range(request.seeds)
    ]

    def write() -> dict[str, Any]:
        best = max(trained, key=lambda one: -np.inf if one.validation is None else one.validation)
        model, forest = _with_forest(best.model, corpus, tasks, held, recipe, progress)
        record = _record(request, recipe, corpus, tasks, held, trained, best, forest)
        save_ranker(model, out, ranker_card(model, str(out), None, record))
        write_text(out / "curves.csv", _curves(trained, recipe.seed))
        write_text(out / _RECORD, json.dumps(record, indent=1) + "\n")
        return record

    return written_once(devices, write, out / _RECORD)


def refuse_other_versions(zoo: ZooIndex) -> None:
    """Raises `UserError`, with both versions, for views that another release made."""
    for name, spec in (zoo.description.outdated if zoo.description else {}).items():
        if name in (*NETWORK_VIEWS, *FOREST_VIEWS):
            raise UserError(
                f"the {name} views of '{zoo.id}' are {spec}, this release trains on {VIEWS[name].spec}",
                f"Run `hf-crosssight zoo upgrade {zoo.id}`.",
            )


def split_tasks(corpus: MeasuredCorpus, validation: Sequence[str], seed: int) -> tuple[list[Task], list[Task]]:
    """Tasks to learn from, and tasks to validate on whose parents and lineages the others do not show.

    Raises:
        UserError: a named dataset is in no table, or shows images that are trained on.
    """
    tasks = corpus.tasks()
    names = sorted({task.dataset for task in tasks})
    if validation:
        chosen = {_meant(name, names) for name in validation}
        refuse_shared_parents(corpus, [name for name in names if name not in chosen], sorted(chosen))
        fold = Fold(frozenset(task.parent for task in tasks if task.dataset in chosen), frozenset())
    else:
        fold = folds_of(tasks, corpus.lineage, _HELD_OUT, seed)[0]
    learnt = training_tasks(tasks, fold)
    if not learnt:
        if len({task.parent for task in tasks}) < 2:
            raise UserError(
                f"the tables have results on one dataset alone, {' and '.join(names)}",
                "A ranker is trained on some datasets and stopped on others: give results on two or more.",
            )
        raise UserError("nothing is left to train on", "Name fewer validation datasets.")
    held = [task for task in tasks if task.parent in fold.parents]
    return learnt, held


def _meant(name: str, names: Sequence[str]) -> str:
    found = [one for one in names if one == name or one.rpartition("/")[2] == name.rstrip("/").rpartition("/")[2]]
    if len(found) != 1:
        raise UserError(f"no table has results on the validation dataset '{name}'", f"They have {', '.join(names)}.")
    return found[0]


def _one_seed(
    corpus: MeasuredCorpus, tasks: Sequence[Task], held: Sequence[Task], recipe: RankerRecipe, out: Path,
    progress: Progress | None,
) -> TrainedRanker:  # fmt: skip
    def told(step: str, done: int, total: int | None) -> None:
        if progress is not None:
            progress(f"{step}, seed {recipe.seed}", done, total)

    zoo = corpus.zoo.with_views(list(NETWORK_VIEWS))
    missing = [name for name in ("structure", "card") if name not in zoo.views]
    if missing:
        raise UserError(
            f"the zoo '{zoo.id}' has no {' and no '.join(missing)} view", "Build it with `zoo build --views`."
        )
    return train_ranker(
        tasks, zoo, corpus.tokens, validation=held, recipe=recipe, config=NETWORK,
        checkpoint=out / _STATES / f"seed-{recipe.seed}.safetensors", progress=told,
    )  # fmt: skip


def _with_forest(
    model: CrossSightModel, corpus: MeasuredCorpus, tasks: Sequence[Task], held: Sequence[Task], recipe: RankerRecipe,
    progress: Progress | None,
) -> tuple[CrossSightModel, dict[str, dict[str, float]]]:  # fmt: skip
    """The ranker with a forest, at the shares that validate best; the plain one for a zoo without probe views."""
    if not usable_tasks(tasks, corpus.zoo, corpus.tokens):
        return model, {}
    chosen = ForestRecipe(seed=recipe.seed)
    grown = with_forest(model, tasks, corpus.zoo, corpus.tokens, probe_anchors(), recipe=chosen, progress=progress)
    reached = {}
    for field, shares in (("perceptron_share", (chosen.perceptrons.share, 0.0)), ("forest_weight", FOREST_SHARES)):
        reached[field] = _take_best(grown, field, shares, corpus, held)
    return grown, reached


def _take_best(
    model: CrossSightModel, field: str, shares: Sequence[float], corpus: MeasuredCorpus, held: Sequence[Task]
) -> dict[str, float]:
    """Sets a share of the configuration to what validates best, without validation the first; what each reached."""
    reached = {}
    for share in shares if held else ():
        setattr(model.config, field, share)
        reached[share] = mean_tau(model, corpus, held)
    setattr(model.config, field, max(reached, key=lambda share: reached[share]) if reached else shares[0])
    return {f"{share:g}": round(value, 4) for share, value in reached.items()}


def mean_tau(model: CrossSightModel, corpus: MeasuredCorpus, tasks: Sequence[Task]) -> float:
    """Mean weighted tau of a ranker over tasks."""
    rows = {model_id: row for row, model_id in enumerate(corpus.zoo.model_ids)}
    found = []
    for task in tasks:
        zoo = corpus.zoo.take([rows[name] for name in task.models]).with_views(list(model.config.read_views))
        views = {name: np.asarray(view, np.float32) for name, view in zoo.views.items()}
        tokens = corpus.tokens[task.dataset][-1].values
        output = model.score_zoo(tokens, views, zoo.view_mask, evidence=evidence_of(model, tokens, views))
        found.append(weighted_tau(output.scores[0].numpy(), task.scores))
    return float(np.mean(found))


def _record(
    request: RankerRequest, recipe: RankerRecipe, corpus: MeasuredCorpus, tasks: Sequence[Task],
    held: Sequence[Task], trained: Sequence[TrainedRanker], best: TrainedRanker, forest: dict[str, dict[str, float]],
) -> dict[str, Any]:  # fmt: skip
    validations = [one.validation for one in trained if one.validation is not None]
    return {
        "zoo": request.zoo,
        "tables": [
            {"id": table.id, "datasets": len(table.datasets), "models": len(table.models), "licence": table.licence,
             "source": table.source, "trained_on": True}
            for table in corpus.tables
        ],
        "datasets": sorted({task.dataset for task in tasks}),
        "validation_datasets": sorted({task.dataset for task in held}),
        "models": len({model for task in tasks for model in task.models}),
        "left_out": list(corpus.left_out),
        "seed": recipe.seed + trained.index(best),
        "steps": best.steps,
        "gate": best.gate,
        "validation_weighted_tau": None if best.validation is None else round(best.validation, 4),
        "validation_of_seeds": [round(value, 4) for value in validations],
        "validation_by_forest_share": forest.get("forest_weight", {}),
        "validation_by_perceptron_share": forest.get("perceptron_share", {}),
        "recipe": {name: value for name, value in asdict(recipe).items() if name != "table_weight"},
    }  # fmt: skip


def _curves(trained: Sequence[TrainedRanker], seed: int) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ("seed", "step", "loss", "validation"), lineterminator="\n")
    writer.writeheader()
    for number, one in enumerate(trained):
        writer.writerows({"seed": seed + number, **{k: f"{v:.6g}" for k, v in row.items()}} for row in one.curves)
    return buffer.getvalue()


def _check_folder(out: Path, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file", "Name a folder for the ranker with --out.")
    if resume or not out.is_dir():
        return
    if (out / _STATES).exists():
        raise UserError(f"{out} holds a training that was interrupted", "Go on with --resume, or delete the folder.")
    if any(out.iterdir()):
        raise UserError(f"{out} is not empty", "Name another folder with --out, or delete this one.")
