"""Models that were read but are in no index yet: one file each, whole or not there, so that a kill costs one model.

Stages lie in `.stages` of the index folder. A stage's name says what it was made of (model, revision, views with
their specifications, byte budget), so that none is taken for another; all are removed once the index holds them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.hub.places import atomic_file
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo.record import ModelRecord

FOLDER = ".stages"
LOCK = ".lock"


@dataclass(frozen=True)
class MadeModel:
    """One model as the index will hold it.

    Attributes:
        record (`ModelRecord`): its facts.
        views (`dict[str, np.ndarray]`): float16 `[n, Dv]` by name.
        reasons (`dict[str, str]`): view → why the model lacks it.
        bytes_read (`int`): bytes of its weights that were read for it now.
        seconds (`dict[str, float]`): view → time that it took now.
    """

    record: ModelRecord
    views: dict[str, np.ndarray]
    reasons: dict[str, str] = field(default_factory=dict)
    bytes_read: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def stage_key(model_id: str, revision: str, views: tuple[str, ...], byte_budget: int) -> str:
    """The name of a model's stage: a hash of all that decides what stands in it."""
    made_of = {"id": model_id, "revision": revision, "views": {name: VIEWS[name].spec for name in views}}
    text = json.dumps({**made_of, "byte_budget": byte_budget}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class Stages:
    """The stages of one index folder; safe for many threads and for a death at any moment."""

    def __init__(self, index: Path) -> None:
        self.folder = index / FOLDER

    def put(self, key: str, made: MadeModel) -> None:
        """Keeps a model; what it cost is not kept."""
        from safetensors.numpy import save

        told = {"record": json.dumps(dataclasses.asdict(made.record)), "reasons": json.dumps(made.reasons)}
        content = save({name: np.ascontiguousarray(view) for name, view in made.views.items()}, metadata=told)
        with atomic_file(self._file(key)) as temporary:
            temporary.write_bytes(content)

    def get(self, key: str) -> MadeModel | None:
        """A model that was kept, `None` if there is none or it cannot be read."""
        from safetensors import SafetensorError, safe_open

        file = self._file(key)
        if not file.is_file():
            return None
        try:
            with safe_open(file, framework="np") as opened:
                told = opened.metadata()
                views = {name: opened.get_tensor(name) for name in VIEWS if name in set(opened.keys())}
            return MadeModel(_record(json.loads(told["record"])), views, json.loads(told["reasons"]))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None

    def clear(self) -> None:
        """Removes all stages and whatever else was left there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


@contextlib.contextmanager
def sole_writer(index: Path, progress: Any = None) -> Iterator[None]:
    """Holds an index folder for one process: others wait, and go on when it has ended or died."""
    from filelock import FileLock, Timeout

    index.mkdir(parents=True, exist_ok=True)
    lock = FileLock(index / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress is not None:
            progress(f"waiting for another process that writes {index}", 0, None)
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


def _record(row: Mapping[str, Any]) -> ModelRecord:
    """A record from JSON, whose lists are tuples in a record."""
    facts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return ModelRecord(**facts)
