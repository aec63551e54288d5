"""`build_zoo`: from names of models to an index, in parallel, resumable, whatever the models are.

Every model that has been read lies on the disk as a stage; the index is put together from the stages at the end, in
the order of the names. So a build that is killed at any moment and run again gives the same bytes as one that was not,
and readers never see half of it. A model that cannot be used costs a line in the report.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import CrossSightError, HubError, UserError
from hf_crosssight.tokens.views import VIEWS, in_order
from hf_crosssight.zoo.assemble import IndexContent, assemble
from hf_crosssight.zoo.crew import Crew, StoppedError
from hf_crosssight.zoo.held_models import HeldModels
from hf_crosssight.zoo.model_source import ModelSource
from hf_crosssight.zoo.model_views import READ_PER_MODEL, ViewPlan, make_views
from hf_crosssight.zoo.repo_files import UnreadableRepoError
from hf_crosssight.zoo.stages import MadeModel, Stages, sole_writer, stage_key

if TYPE_CHECKING:
    from hf_crosssight.zoo.assemble import WeightEncoder

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
DEFAULT_VIEWS = ("structure", "card", "weights", "probe", "lineage")
_NAMED_REASONS = 5


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        index (`Path`): the folder.
        num_models (`int`): models of the index.
        read (`int`): models that were read now; the others were held already.
        skipped (`dict[str, str]`): name → why it was left out.
        missing_views (`dict[str, dict[str, str]]`): model → view → why it lacks it.
        views (`dict[str, int]`): view → models that have it.
        bytes_read (`int`): bytes of weights and headers that were read now.
        seconds (`float`): time of it all.
        seconds_per_view (`dict[str, float]`): view → time of the models read now, summed over workers.
        removed (`tuple[str, ...]`): models of the index that stood there which are not in this one.
        removed_views (`tuple[str, ...]`): likewise views.
    """

    index: Path
    num_models: int
    read: int
    skipped: dict[str, str]
    missing_views: dict[str, dict[str, str]]
    views: dict[str, int]
    bytes_read: int
    seconds: float
    seconds_per_view: dict[str, float] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    removed_views: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "index": str(self.index),
            "num_models": self.num_models,
            "read": self.read,
            "held_already": self.num_models - self.read,
            "views": self.views,
            "bytes_read": self.bytes_read,
            "seconds": round(self.seconds, 2),
            "models_per_second": round(self.read / max(self.seconds, 1e-9), 2),
            "megabytes_per_second": round(self.bytes_read / 1e6 / max(self.seconds, 1e-9), 2),
            "seconds_per_view": {name: round(value, 2) for name, value in self.seconds_per_view.items()},
            "removed": list(self.removed),
            "removed_views": list(self.removed_views),
            "skipped": [{"model_id": name, "reason": reason} for name, reason in self.skipped.items()],
            "missing_views": [
                {"model_id": name, "view": view, "reason": reason}
                for name, own in self.missing_views.items()
                for view, reason in own.items()
            ],
        }


@dataclass(frozen=True)
class Outcome:
    """What became of one name: a stage, or the reason why not."""

    name: str
    key: str = ""
    model_id: str = ""
    read: bool = False
    failure: Exception | None = None

    @property
    def reason(self) -> str:
        """Why the model was left out, in a few words."""
        if isinstance(self.failure, CrossSightError):
            return self.failure.what
        if isinstance(self.failure, UnreadableRepoError):
            return str(self.failure)
        return f"it cannot be read: {type(self.failure).__name__}: {self.failure}"


class Meter:
    """How fast a build is: what progress lines tell beside done and total. Safe for threads."""

    def __init__(self, source: ModelSource) -> None:
        self._source, self._before = source, source.bytes_read() or 0
        self._lock = threading.Lock()
        self._weights = 0
        self.models = 0
        self.seconds_per_view: dict[str, float] = {}
        self.began = time.perf_counter()

    def count(self, made: MadeModel) -> None:
        """Adds a model that was read."""
        with self._lock:
            self.models += 1
            self._weights += made.bytes_read
            for name, value in made.seconds.items():
                self.seconds_per_view[name] = self.seconds_per_view.get(name, 0.0) + value

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def bytes_read(self) -> int:
        """Bytes fetched, or read of local weights."""
        fetched = self._source.bytes_read()
        return self._weights if fetched is None else fetched - self._before

    def told(self) -> str:
        """`3.1 models/s, 45.0 MB, 11.2 MB/s`."""
        seconds, megabytes = max(self.seconds, 1e-9), self.bytes_read / 1e6
        return f"{self.models / seconds:.1f} models/s, {megabytes:.1f} MB, {megabytes / seconds:.1f} MB/s"


def build_zoo(
    source: ModelSource,
    out: str | Path,
    *,
    views: Sequence[str] | None = None,
    plan: ViewPlan | None = None,
    encoder: WeightEncoder | None = None,
    workers: int = 8,
    progress: Progress | None = None,
    told: Callable[[Meter], None] | None = None,
) -> BuildReport:
    """Builds an index; run again after an interruption, it goes on where it was.

    Args:
        source (`ModelSource`): the models, `HubSource` or `FolderSource`.
        out: folder of the index; one that stands there is replaced in one step, and what it holds of the same
            models, revisions and specifications is not read again.
        views (*optional*): names of views; by default structure, card, weights, probe and lineage.
        plan (`ViewPlan`, *optional*): byte budget and the size up to which models are run; its views do not count.
        encoder (`WeightEncoder`, *optional*): adds the arch2vec view.
        workers (`int`, defaults to 8): models that are read at once.
        progress (*optional*): called as `progress(step, done, total)`.
        told (*optional*): given the `Meter` at the beginning, for those who show speed.

    Raises:
        UserError: nothing of what was named can be used.
        HubError: the Hub or the network failed for all of them.
    """
    wanted = checked_views(views if views is not None else DEFAULT_VIEWS, encoder)
    plan = replace(plan or ViewPlan(()), views=tuple(name for name in wanted if name in READ_PER_MODEL))
    root = Path(out)
    names = list(dict.fromkeys(source.names()))
    with sole_writer(root, progress):
        held = HeldModels.of(root, plan)
        meter = Meter(source)
        if told is not None:
            told(meter)
        outcomes = read_models(source, names, plan, Stages(root), held, meter, workers, progress)
        chosen, skipped = settle(outcomes)
        if not chosen:
            raise nothing_usable(skipped, outcomes)
        if progress is not None:
            progress("writing the index", 0, None)
        kept = {outcome.model_id for outcome in chosen}
        stood, shown = held.contents()
        content = IndexContent(
            keys=[outcome.key for outcome in chosen], views=wanted, byte_budget=plan.byte_budget, skipped=skipped,
            encoder=encoder,
        )  # fmt: skip
        done = assemble(root, content, Stages(root), held)
        Stages(root).clear()
    return BuildReport(
        index=root, num_models=done.num_models, read=sum(outcome.read for outcome in chosen), skipped=skipped,
        missing_views=done.missing_views, views=done.views, bytes_read=meter.bytes_read, seconds=meter.seconds,
        seconds_per_view=meter.seconds_per_view,
        removed=tuple(name for name in stood if name not in kept),
        removed_views=tuple(name for name in shown if name not in wanted),
    )  # fmt: skip


def checked_views(views: Sequence[str], encoder: object | None = None) -> tuple[str, ...]:
    """The views to make, in order; those of a default list that this release lacks are left out.

    Raises:
        UserError: one is not known, or needs another that is not asked for.
    """
    if views is not DEFAULT_VIEWS:
        unknown = [name for name in views if name not in VIEWS]
        if unknown or not views:
            raise UserError(f"{', '.join(unknown) or 'nothing'!r} is no view.", f"Views are {', '.join(VIEWS)}.")
    wanted = in_order([*views, *(["arch2vec"] if encoder is not None else [])])
    if "arch2vec" in wanted and encoder is None:
        raise UserError("the view arch2vec needs an encoder.", "Name its folder or Hub id with --encoder.")
    if "arch2vec" in wanted and "weights" not in wanted:
        raise UserError("the view arch2vec is made from the weights view.", "Ask for weights as well.")
    if not set(wanted) & set(READ_PER_MODEL):
        raise UserError(f"{', '.join(wanted)} alone is no zoo.", "Ask for structure, card, weights or probe as well.")
    return wanted


def read_models(
    source: ModelSource, names: Sequence[str], plan: ViewPlan, stages: Stages, held: HeldModels, meter: Meter,
    workers: int, progress: Progress | None,
) -> list[Outcome]:  # fmt: skip
    """Every named model as a stage, or the reason why not, in the order of the names."""
    crew = Crew(workers)

    def read(name: str) -> Outcome:
        try:
            return _read_model(source, name, plan, stages, held, meter, crew)
        except StoppedError:
            raise
        except Exception as error:  # a stranger's files raise whatever they can: they cost one model, not the build
            if not isinstance(error, CrossSightError | UnreadableRepoError):
                logger.debug("%s cannot be read", name, exc_info=True)
            return Outcome(name, failure=error)

    outcomes: list[Outcome | None] = [None] * len(names)
    if progress is not None:
        progress("reading models", 0, len(names))
    for done, (position, outcome) in enumerate(crew.each(names, read), start=1):
        outcomes[position] = outcome
        if progress is not None:
            progress("reading models", done, len(names))
    return [outcome for outcome in outcomes if outcome is not None]


def _read_model(
    source: ModelSource, name: str, plan: ViewPlan, stages: Stages, held: HeldModels, meter: Meter, crew: Crew
) -> Outcome:
    crew.check()
    found = source.find(name)
    key = stage_key(found.model_id, found.revision, plan.views, plan.byte_budget)
    if held.has(key) or stages.get(key) is not None:
        return Outcome(name, key, found.model_id)
    have = held.views_of(found.model_id, found.revision)
    made = make_views(found, plan, stages.folder, have=have, check=crew.check)
    stages.put(key, made)
    meter.count(made)
    return Outcome(name, key, found.model_id, read=True)


def settle(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], dict[str, str]]:
    """The models to keep, one a repository, and the others with their reasons."""
    chosen: dict[str, Outcome] = {}
    skipped: dict[str, str] = {}
    for outcome in outcomes:
        if outcome.failure is not None:
            skipped[outcome.name] = outcome.reason
        elif outcome.model_id in chosen:
            skipped[outcome.name] = f"it is {outcome.model_id}, which {chosen[outcome.model_id].name} names already"
        else:
            chosen[outcome.model_id] = outcome
    return list(chosen.values()), skipped


def nothing_usable(skipped: Mapping[str, str], outcomes: Sequence[Outcome]) -> CrossSightError:
    """The error of a build that read no model: the Hub's fault if it was that for all."""
    named = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in list(skipped.items())[:_NAMED_REASONS])
    more = f"; and {len(skipped) - _NAMED_REASONS} more" if len(skipped) > _NAMED_REASONS else ""
    if outcomes and all(isinstance(outcome.failure, HubError) for outcome in outcomes):
        first = outcomes[0].failure
        hint = first.hint if isinstance(first, HubError) else ""
        return HubError(f"No model could be read from the Hub. {named}{more}.", hint or "Try again later.")
    if not outcomes:
        return UserError("No model was named, or none matches.", "Name models, a folder, or a wider search.")
    return UserError(
        f"No model can be used. {named}{more}.",
        "A model needs a config.json that can be read and whole safetensors weights; pickled ones are never loaded.",
    )
