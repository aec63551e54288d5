"""Transferability scores of many models on many datasets: on several processes, each score computed once and kept.

A score depends on the features, the method's code and the seed: these name the file that it is kept in.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight import transferability
from hf_crosssight.errors import UserError
from hf_crosssight.hub.places import read_text, write_text

Progress = Callable[[str, int, int | None], None]
_WORTH_PROCESSES = 24  # tasks; fewer are done before processes have started


@dataclass(frozen=True)
class Scored:
    """One method on one model: a finite score, or the reason why there is none, and the processor seconds it took."""

    score: float | None
    reason: str | None
    seconds: float


@dataclass(frozen=True)
class ScoringTask:
    """One model on one dataset.

    Args:
        features: file with `pooled` `[N, D]` and, where the model has a trained head, `probs` `[N, Cs]`.
        labels: `[N]`.
        methods: names of `transferability`.
        source: file of the features of the model's own data and their labels, for methods that read them.
        embeddings: `[C, E, K]` of the class names, for methods that read them.
        seed: of the methods that start at random.
    """

    features: Path
    labels: np.ndarray
    methods: tuple[str, ...]
    source: tuple[Path, np.ndarray] | None = None
    embeddings: np.ndarray | None = None
    seed: int = 0

    def kept_in(self, folder: Path) -> Path:
        """The file of its scores."""
        digest = hashlib.sha256(f"{self.features.name}|{self.seed}|{_code()}|".encode())
        digest.update(self.labels.tobytes())
        return folder / f"{digest.hexdigest()[:32]}.json"

    def key(self, method: str) -> str:
        """What a score is called in that file: the method, and what else it reads."""
        needs = transferability.METHODS[method].needs
        source = self.source[0].stem if self.source and "source_features" in needs else ""
        texts = self.embeddings if "label_embeddings" in needs else None
        return "|".join([method, source, "" if texts is None else hashlib.sha256(texts.tobytes()).hexdigest()[:16]])


def score_all(
    tasks: Sequence[ScoringTask], folder: Path, *, workers: int = 1, progress: Progress | None = None
) -> list[dict[str, Scored]]:
    """Every method of every task, by name, in the order of the tasks.

    Args:
        folder: where scores are kept.
        workers: processes.
    """
    known = [_read(task.kept_in(folder)) for task in tasks]
    asked = [
        tuple(m for m in task.methods if task.key(m) not in kept) for task, kept in zip(tasks, known, strict=True)
    ]
    left = [place for place, methods in enumerate(asked) if methods]
    made = _run([(tasks[place], asked[place]) for place in left], workers)
    for done, (place, found) in enumerate(zip(left, made, strict=True)):
        if progress is not None:
            progress("scoring features", done, len(left))
        known[place] |= {tasks[place].key(method): one for method, one in found.items()}
        write_text(tasks[place].kept_in(folder), json.dumps({key: vars(one) for key, one in known[place].items()}))
    return [
        {method: kept[task.key(method)] for method in task.methods} for task, kept in zip(tasks, known, strict=True)
    ]


def _run(asked: Sequence[tuple[ScoringTask, tuple[str, ...]]], workers: int) -> Iterator[dict[str, Scored]]:
    if workers < 2 or len(asked) < _WORTH_PROCESSES:
        yield from map(_score, asked)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_score, asked, chunksize=4)


def _score(asked: tuple[ScoringTask, tuple[str, ...]]) -> dict[str, Scored]:
    """One task; on one thread, since small matrices gain nothing by several and seconds shall be comparable."""
    from threadpoolctl import threadpool_limits

    task, methods = asked
    with threadpool_limits(1):
        inputs = _inputs(task)
        return {method: _scored(method, task, inputs) for method in methods}


def _inputs(task: ScoringTask) -> dict[str, Any]:
    with np.load(task.features, allow_pickle=False) as kept:
        inputs: dict[str, Any] = {"features": kept["pooled"], "source_probs": kept.get("probs")}
    if task.source is not None:
        with np.load(task.source[0], allow_pickle=False) as kept:
            inputs |= {"source_features": kept["pooled"], "source_labels": task.source[1]}
    return inputs | {"label_embeddings": task.embeddings}


def _scored(method: str, task: ScoringTask, inputs: dict[str, Any]) -> Scored:
    needed: dict[str, Any] = {name: inputs.get(name) for name in transferability.METHODS[method].needs}
    absent = next((name for name, value in needed.items() if value is None), None)
    if absent is not None:
        return Scored(None, f"its {_IN_WORDS.get(absent, absent)} are not at hand", 0.0)
    begin = time.process_time()
    try:
        score = transferability.score(method, labels=task.labels, seed=task.seed, **needed)
    except UserError as error:
        return Scored(None, error.what, round(time.process_time() - begin, 6))
    return Scored(score, None, round(time.process_time() - begin, 6))


_IN_WORDS = {
    "source_probs": "source probabilities (it has no trained head)",
    "source_features": "source data",
    "label_embeddings": "class names",
}


def _read(path: Path) -> dict[str, Scored]:
    try:
        return {key: Scored(**one) for key, one in json.loads(read_text(path) or "{}").items()}
    except (ValueError, TypeError, AttributeError):  # damaged, or of another version: computed again
        return {}


@cache
def _code() -> str:
    """Names the code of all methods: a corrected method does not find its former scores."""
    digest = hashlib.sha256()
    for file in sorted(Path(transferability.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
