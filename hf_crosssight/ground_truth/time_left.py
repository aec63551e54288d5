"""How long a computation of many pieces still takes, in words, from the pieces done so far."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeLeft:
    """Counts pieces of work; pieces found done already teach nothing about time and are not counted."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.clock = total, clock
        self.done, self.started = 0, clock()

    def add(self, pieces: int = 1) -> None:
        """Notes finished pieces."""
        self.done += pieces

    def __str__(self) -> str:
        if self.done == 0:
            return "time left unknown"
        seconds = (self.clock() - self.started) / self.done * max(0, self.total - self.done)
        return f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
