"""Work in a thread that reports its steps and can be stopped: what a page shows while a user waits."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Progress = Callable[[str, int, int | None], None]
_EVERY = 0.2  # seconds between two looks


class StoppedError(Exception):
    """The user cancelled."""


@dataclass(frozen=True)
class Step:
    """Where the work is: what it does, how much of it is done, of how much."""

    name: str
    done: int = 0
    total: int | None = None


class Job(Generic[Result]):
    """One piece of work. Iterate over `steps()`, then read `result()`.

    Args:
        work: called in a thread with a progress function, in which it is stopped.
    """

    def __init__(self, work: Callable[[Progress], Result]) -> None:
        self._work = work
        self._told: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._outcome: list[Any] = []

    def steps(self) -> Generator[Step, None, None]:
        """The latest step, now and then, until the work is done. Closing the generator stops the work."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        step: Step | None = Step("starting")
        try:
            while step is not None:
                yield step
                step = self._latest(step)
        finally:
            self._stop.set()

    def result(self) -> Result:
        """What the work returned; raises what it raised."""
        kind, value = self._outcome
        if kind == "error":
            raise value
        return value

    def _latest(self, step: Step) -> Step | None:
        """The last step told within a moment; None once the work is over."""
        until = time.monotonic() + _EVERY
        latest: Step | None = step
        while latest is not None:
            try:
                latest = self._told.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                return latest
        return None

    def _run(self) -> None:
        try:
            self._outcome = ["value", self._work(self._tell)]
        except BaseException as error:  # handed to the caller of result()
            self._outcome = ["error", error]
        self._told.put(None)

    def _tell(self, name: str, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise StoppedError
        self._told.put(Step(name, done, total))
