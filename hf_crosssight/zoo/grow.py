"""An index that grows: `add_models` appends a shard, `upgrade_zoo` redoes views that are outdated or missing.

What stands in an index is not read again. A model that is added at a newer commit gets a new row in the new shard, and
the later row is the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET
from hf_crosssight.tokens.views import in_order
from hf_crosssight.zoo.assemble import IndexContent, WeightEncoder, assemble
from hf_crosssight.zoo.build import BuildReport, Meter, Outcome, Progress, nothing_usable, read_models, settle
from hf_crosssight.zoo.held_models import HeldModels
from hf_crosssight.zoo.index_files import Description, read_description, read_skipped
from hf_crosssight.zoo.model_source import ModelSource
from hf_crosssight.zoo.model_views import LARGEST_PROBED, READ_PER_MODEL, ViewPlan
from hf_crosssight.zoo.stages import Stages, sole_writer


def add_models(
    index: str | Path,
    source: ModelSource,
    *,
    encoder: WeightEncoder | None = None,
    largest_probed: int = LARGEST_PROBED,
    workers: int = 8,
    progress: Progress | None = None,
    told: Callable[[Meter], None] | None = None,
) -> BuildReport:
    """Adds models to an index, with the views, the byte budget and the encoder that it was built with.

    Args:
        index: folder of the index.
        source (`ModelSource`): the models; those that it holds at the same revision stay as they are.
        encoder (`WeightEncoder`, *optional*): needed where the index holds arch2vec views, and must be the same.

    Raises:
        UserError: there is no such index, its views are outdated, or no model can be used.
        HubError: the Hub or the network failed for all of them.
    """
    root = Path(index)
    read_description(root)
    with sole_writer(root, progress):
        known = read_description(root)
        plan = plan_of(known, largest_probed)
        _check_growable(root, known, encoder)
        held = HeldModels.of(root, plan)
        meter = Meter(source)
        if told is not None:
            told(meter)
        names = list(dict.fromkeys(source.names()))
        outcomes = read_models(source, names, plan, Stages(root), held, meter, workers, progress)
        chosen, skipped = settle(outcomes)
        if not chosen:
            raise nothing_usable(skipped, outcomes)
        before, reasons = read_skipped(root)
        left_out = {name: why for name, why in (before | skipped).items() if name not in _names(chosen)}
        content = IndexContent(
            keys=[outcome.key for outcome in chosen if not held.has(outcome.key)], views=in_order(known.specs),
            byte_budget=plan.byte_budget, skipped=left_out, encoder=encoder, before=known, reasons=reasons,
        )  # fmt: skip
        done = assemble(root, content, Stages(root), held)
        Stages(root).clear()
    return BuildReport(
        index=root, num_models=done.num_models, read=len(content.keys), skipped=skipped,
        missing_views={name: own for name, own in done.missing_views.items() if name in _names(chosen)},
        views=done.views, bytes_read=meter.bytes_read, seconds=meter.seconds,
        seconds_per_view=meter.seconds_per_view,
    )  # fmt: skip


def plan_of(known: Description, largest_probed: int = LARGEST_PROBED) -> ViewPlan:
    """How the models of an index were read."""
    views = tuple(name for name in in_order(known.specs) if name in READ_PER_MODEL)
    return ViewPlan(views, known.byte_budget or DEFAULT_BUDGET, largest_probed)


def same_encoder(known: Description, encoder: WeightEncoder | None) -> bool:
    """Whether an encoder is the one that made the codes of an index."""
    return encoder is not None and known.encoders.get("arch2vec") == encoder.id


def _check_growable(root: Path, known: Description, encoder: WeightEncoder | None) -> None:
    """Views of two specifications or of two encoders must never stand in one index."""
    if known.outdated:
        told = ", ".join(f"{name} as {spec}" for name, spec in known.outdated.items())
        hint = f"Run `hf-crosssight zoo upgrade {root}` first."
        raise UserError(f"The index {root} holds {told}, which this release does not make.", hint)
    if "arch2vec" in known.specs and not same_encoder(known, encoder):
        made_by = known.encoders.get("arch2vec", "an unnamed encoder")
        given = f", not by {encoder.id}" if encoder is not None else ""
        what = f"The arch2vec codes of {root} were made by {made_by}{given}."
        raise UserError(what, "Name that encoder with --encoder, or change the codes with `zoo upgrade --encoder`.")
    if encoder is not None and "arch2vec" not in known.specs:
        raise UserError(f"The index {root} holds no arch2vec codes.", "Run `zoo upgrade --encoder` first.")


def _names(chosen: Sequence[Outcome]) -> set[str]:
    return {name for outcome in chosen for name in (outcome.name, outcome.model_id)}
