"""`upgrade_zoo`: views of an index that a new specification changed, or that are missing and asked for, made again.

Records and all other views stay the files that they are. Each model is read at the revision that the index holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET
from hf_crosssight.tokens.views import VIEWS, in_order
from hf_crosssight.zoo.assemble import Assembled, WeightEncoder, encoded, finish
from hf_crosssight.zoo.build import BuildReport, Meter, Outcome, Progress, checked_views, nothing_usable, read_models
from hf_crosssight.zoo.held_models import HeldModels
from hf_crosssight.zoo.index_files import (
    DERIVED,
    Description,
    open_shards,
    read_description,
    read_shard,
    read_skipped,
    write_content,
)
from hf_crosssight.zoo.model_source import ModelSource
from hf_crosssight.zoo.model_views import LARGEST_PROBED, READ_PER_MODEL, ViewPlan
from hf_crosssight.zoo.stages import Stages, sole_writer
from hf_crosssight.zoo.view_files import view_bytes

SourceOf = Callable[[Sequence[str]], ModelSource]


@dataclass(frozen=True)
class Upgrade:
    """What to do to an index.

    Attributes:
        views (`tuple[str, ...]`): all views that it shall hold afterwards.
        whole (`frozenset[str]`): views that are made again for every model.
        filled (`frozenset[str]`): views that are made for the models that lack them.
        encoder (`WeightEncoder`, *optional*): makes the arch2vec codes again.
    """

    views: tuple[str, ...]
    whole: frozenset[str]
    filled: frozenset[str]
    byte_budget: int
    encoder: WeightEncoder | None = None

    @property
    def nothing(self) -> bool:
        """Whether the index is as it shall be."""
        return not (self.whole or self.filled or self.encoder)


def upgrade_zoo(
    index: str | Path,
    source_of: SourceOf,
    *,
    views: Sequence[str] | None = None,
    byte_budget: int | None = None,
    encoder: WeightEncoder | None = None,
    largest_probed: int = LARGEST_PROBED,
    workers: int = 8,
    progress: Progress | None = None,
    told: Callable[[Meter], None] | None = None,
) -> BuildReport:
    """Brings an index up to the specifications of this release.

    Args:
        index: folder of the index.
        source_of: gives the source of models by their names (`ID@REVISION`).
        views (*optional*): views to add, or to complete where models lack them; without them only outdated views are
            made again.
        byte_budget (`int`, *optional*): another one makes the weights views again.
        encoder (`WeightEncoder`, *optional*): makes the arch2vec codes (again).

    Raises:
        UserError: there is no such index, or nothing of it can be read any more.
        HubError: the Hub or the network failed for all models.
    """
    root = Path(index)
    read_description(root)
    with sole_writer(root, progress):
        known = read_description(root)
        task = plan_upgrade(known, views, byte_budget, encoder)
        opened = open_shards(root, known)
        ids, revisions = (opened.table.column(name).to_pylist() for name in ("model_id", "revision"))
        names = [f"{name}@{revision}" if revision else name for name, revision in zip(ids, revisions, strict=True)]
        jobs = _jobs(task, opened.masks, len(names))
        source = source_of(names)
        meter = Meter(source)
        if told is not None:
            told(meter)
        stages = Stages(root)
        outcomes: dict[str, Outcome] = {}
        for wanted, rows in jobs.items():
            plan = ViewPlan(wanted, task.byte_budget, largest_probed)
            asked = [names[row] for row in rows]
            read = read_models(source, asked, plan, stages, HeldModels(None, {}, plan), meter, workers, progress)
            outcomes |= {ids[row]: outcome for row, outcome in zip(rows, read, strict=True)}
        failed = {name: outcome.reason for name, outcome in outcomes.items() if outcome.failure is not None}
        if outcomes and len(failed) == len(outcomes):
            raise nothing_usable(failed, list(outcomes.values()))
        done = _rewrite(root, known, task, outcomes, stages)
        stages.clear()
    return BuildReport(
        index=root, num_models=done.num_models, read=len(outcomes) - len(failed), skipped=failed,
        missing_views={name: own for name, own in done.missing_views.items() if name in outcomes}, views=done.views,
        bytes_read=meter.bytes_read, seconds=meter.seconds, seconds_per_view=meter.seconds_per_view,
    )  # fmt: skip


def plan_upgrade(
    known: Description, views: Sequence[str] | None, byte_budget: int | None, encoder: WeightEncoder | None
) -> Upgrade:
    """What has to be done to an index."""
    asked = checked_views([*in_order(known.specs), *(views or ())], encoder) if views else in_order(known.specs)
    wanted = in_order([*known.specs, *asked, *(["arch2vec"] if encoder is not None else [])])
    outdated = {name for name in known.outdated if name in VIEWS}
    if "arch2vec" in outdated and encoder is None:
        raise UserError("The arch2vec codes of the index are outdated.", "Name an encoder with --encoder.")
    whole = outdated | {name for name in wanted if name not in known.specs}
    budget = byte_budget or known.byte_budget or DEFAULT_BUDGET
    if "weights" in wanted and known.byte_budget not in (None, budget):
        whole |= {"weights"}
    if "weights" in whole and "arch2vec" in known.specs and encoder is None:
        raise UserError("The arch2vec codes were made from weights views that change.", "Name an encoder: --encoder.")
    per_model = frozenset(whole & set(READ_PER_MODEL))
    filled = frozenset(set(views or ()) & set(READ_PER_MODEL)) - per_model
    return Upgrade(wanted, per_model, filled, budget, encoder)


def _jobs(task: Upgrade, masks: dict[str, np.ndarray], count: int) -> dict[tuple[str, ...], list[int]]:
    """Views to make → rows of the models that need just those."""
    jobs: dict[tuple[str, ...], list[int]] = {}
    for row in range(count):
        needed = [*task.whole, *(name for name in task.filled if not (name in masks and masks[name][row]))]
        if needed:
            jobs.setdefault(in_order(needed), []).append(row)
    return jobs


def _rewrite(root: Path, known: Description, task: Upgrade, outcomes: dict[str, Outcome], stages: Stages) -> Assembled:
    """New files for the views that were made again, in every shard; then the derived views and index.json."""
    skipped, reasons = read_skipped(root)
    reasons = {name: dict(own) for name, own in reasons.items()}
    for name, outcome in outcomes.items():
        made = None if outcome.failure else stages.get(outcome.key)
        own = {v: r for v, r in reasons.get(name, {}).items() if v not in task.whole | task.filled}
        if made is None:
            own |= dict.fromkeys(in_order(task.whole), outcome.reason)
        reasons[name] = own | (made.reasons if made else {})
    shards = tuple(_rewritten(root, shard, known, task, outcomes, stages) for shard in known.shards)
    encoders = dict(known.encoders)
    if task.encoder is not None:
        encoders["arch2vec"] = task.encoder.id
    description = replace(
        known,
        specs={name: VIEWS[name].spec for name in task.views},
        shards=shards,
        encoders=encoders,
        byte_budget=task.byte_budget if "weights" in task.views else None,
    )
    return finish(root, description, skipped, {name: own for name, own in reasons.items() if own})


def _rewritten(
    root: Path, shard: dict[str, Any], known: Description, task: Upgrade, outcomes: dict[str, Outcome], stages: Stages
) -> dict[str, Any]:
    """The entry of one shard with its new files."""
    table, held = read_shard(root, shard, [name for name in known.specs if name not in known.outdated])
    ids = table.column("model_id").to_pylist()
    files = {name: file for name, file in shard["views"].items() if name in task.views}
    for name in in_order([*task.whole, *task.filled]):
        view = np.zeros((len(ids), *VIEWS[name].shape), np.float16)
        mask = np.zeros(len(ids), bool)
        if name in held and name in task.filled:
            view[:], mask[:] = held[name]
        for row, model_id in enumerate(ids):
            outcome = outcomes.get(model_id)
            made = stages.get(outcome.key) if outcome is not None and outcome.failure is None else None
            if made is not None and name in made.views:
                view[row], mask[row] = made.views[name], True
        held[name] = view, mask
        files[name] = write_content(root, name, "safetensors", view_bytes(view, mask))
    if task.encoder is not None and "weights" in held:
        codes, mask = encoded(task.encoder, np.asarray(held["weights"][0]), held["weights"][1])
        files["arch2vec"] = write_content(root, "arch2vec", "safetensors", view_bytes(codes, mask))
    return {**shard, "views": {name: files[name] for name in in_order(files) if name not in DERIVED}}
