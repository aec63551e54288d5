"""Threads that read many models at once.

They are daemons: whoever presses Ctrl-C does not wait for a stalled server, and what they have finished by then is on
the disk already.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class StoppedError(Exception):
    """The work was called off."""


class Crew:
    """A number of workers and the sign to stop.

    Args:
        workers (`int`): threads.
    """

    def __init__(self, workers: int) -> None:
        self.workers = max(1, workers)
        self._stop = threading.Event()

    def check(self) -> None:
        """For the workers, between two steps: raises `StoppedError` if the work was called off."""
        if self._stop.is_set():
            raise StoppedError

    def each(self, tasks: Sequence[Task], work: Callable[[Task], Answer]) -> Iterator[tuple[int, Answer]]:
        """(position, answer) of every task, as they are done; what `work` raises ends the work and is raised here."""
        todo: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Answer | None, BaseException | None]] = queue.SimpleQueue()
        for position in range(len(tasks)):
            todo.put(position)

        def serve() -> None:
            while not self._stop.is_set() and (position := todo.get()) is not None:
                try:
                    done.put((position, work(tasks[position]), None))
                except BaseException as error:
                    done.put((position, None, error))

        for _ in range(min(self.workers, len(tasks))):
            todo.put(None)
            threading.Thread(target=serve, daemon=True).start()
        try:
            for _ in tasks:
                position, answer, error = done.get()
                if error is not None:
                    raise error
                yield position, answer  # type: ignore[misc]
        finally:
            self._stop.set()
