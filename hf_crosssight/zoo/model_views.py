"""The views of one model, each read as cheaply as it can be; what cannot be made is told with its reason.

Structure and weights need numpy alone. The card's text is embedded and the probe runs the network: both load torch,
one model at a time, when they are first asked for.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET
from hf_crosssight.zoo.model_facts import ModelFacts, card_of, structure_of
from hf_crosssight.zoo.model_source import FoundModel
from hf_crosssight.zoo.repo_files import UnreadableRepoError
from hf_crosssight.zoo.stages import MadeModel

LARGEST_PROBED = 400 << 20
"""Bytes of weights up to which a model is loaded and run for its probe view, by default."""

READ_PER_MODEL = ("structure", "card", "weights", "probe")
"""Views that are made from a model itself; lineage and arch2vec are made from these."""

_LARGEST_HALF = 60_000.0
_NO_IMAGES = re.compile(
    r"text|token|fill-mask|audio|speech|question|translation|summarization|sentence|table|tabular|reinforcement"
    r"|time-series|voice|robotics"
)
_TAKES_IMAGES_TOO = re.compile(r"image|visual|zero-shot-image|object|depth|mask-generation|video")

Check = Callable[[], None]


class NoViewError(Exception):
    """A view that this model cannot have; the text is the reason."""


@dataclass(frozen=True)
class ViewPlan:
    """What to make of each model.

    Attributes:
        views (`tuple[str, ...]`): of `READ_PER_MODEL`.
        byte_budget (`int`): bytes of weights to read for the weights view.
        largest_probed (`int`): bytes of weights up to which a model is run.
    """

    views: tuple[str, ...]
    byte_budget: int = DEFAULT_BUDGET
    largest_probed: int = LARGEST_PROBED


_one_at_a_time = threading.Lock()


class _Clock:
    """Seconds of one view, without those of waiting for the turn to use torch."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._waited = 0.0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """One thread at a time: torch's own threads are enough, and two networks at once need twice the memory."""
        begun = time.perf_counter()
        with _one_at_a_time:
            self._waited += time.perf_counter() - begun
            yield

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began - self._waited


def make_views(
    found: FoundModel,
    plan: ViewPlan,
    scratch: Path,
    *,
    have: Mapping[str, np.ndarray] | None = None,
    check: Check = lambda: None,
) -> MadeModel:
    """Reads one model.

    Args:
        scratch (`Path`): a folder for files that have to be fetched whole for a while.
        have (*optional*): views that it has already.
        check: called between steps; what it raises ends the reading.

    Raises:
        UserError, HubError, UnreadableRepoError: the model cannot be used, or not now.
    """
    seconds: dict[str, float] = {}
    _ = found.config  # a model without one costs no header
    facts = found.facts()
    check()
    views = dict(have or {})
    reasons: dict[str, str] = {}
    read = 0
    for name in plan.views:
        if name in views:
            continue
        clock = _Clock()
        try:
            view, cost = _made(name, found, facts, plan, scratch, check, clock)
            views[name] = _as_halves(view)
            read += cost
        except NoViewError as error:
            reasons[name] = str(error)
        seconds[name] = clock.seconds
        check()
    return MadeModel(facts.record, views, reasons, read, seconds)


def _made(
    name: str, found: FoundModel, facts: ModelFacts, plan: ViewPlan, scratch: Path, check: Check, clock: _Clock
) -> tuple[np.ndarray, int]:
    """One view, and the bytes of weights that were read for it."""
    if name == "structure":
        return structure_of(facts), 0
    if name == "card":
        with clock.turn():
            return card_of(facts), 0
    if name == "weights":
        return _weights(found, plan.byte_budget, check)
    return _probe(found, facts, plan.largest_probed, scratch, check, clock), 0


def _weights(found: FoundModel, budget: int, check: Check) -> tuple[np.ndarray, int]:
    from hf_crosssight.tokens.weights import weights_view

    try:
        reading = weights_view(found.weights, budget=budget, progress=lambda *_: check())
    except HubError:
        raise
    except UserError as error:
        raise NoViewError(error.what) from error
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise NoViewError(str(error) or type(error).__name__) from error
    return reading.view, reading.bytes_read


def _probe(
    found: FoundModel, facts: ModelFacts, largest: int, scratch: Path, check: Check, clock: _Clock
) -> np.ndarray:
    """Loads the network and runs it over the reference images; no code of the repository is run."""
    task, size = facts.record.task or "", found.weight_bytes
    if _NO_IMAGES.search(task) and not _TAKES_IMAGES_TOO.search(task):
        raise NoViewError(f"its task is {task}: it takes no images")
    if not {"model_type", "architecture"} & set(found.config):
        raise NoViewError("its config.json names no architecture that could be loaded")
    if size > largest:
        raise NoViewError(f"its weights are {size / 1e6:.0f} MB; models up to {largest / 1e6:.0f} MB are run")
    with found.whole(scratch) as folder, clock.turn():
        check()
        from hf_crosssight.features.load import UnusableModelError, load_image_model
        from hf_crosssight.tokens.probe import probe_view

        try:
            return np.asarray(probe_view(load_image_model(folder, revision=found.revision)))
        except UnusableModelError as error:
            raise NoViewError(str(error)) from error
        except (UnreadableRepoError, UserError, ValueError, RuntimeError, MemoryError) as error:
            raise NoViewError(f"it does not run: {str(error).splitlines()[0] if str(error) else error!r}") from error


def _as_halves(view: np.ndarray) -> np.ndarray:
    """A view as float16.

    Raises:
        NoViewError: it holds values that are no numbers or that float16 cannot hold.
    """
    if not np.isfinite(view).all() or np.abs(view).max(initial=0.0) > _LARGEST_HALF:
        raise NoViewError("it holds values that are no numbers")
    return np.asarray(view, np.float16)
