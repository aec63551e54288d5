"""Works through pieces of a computation whose results go into a `RecordStore`, beside other processes if any.

A piece knows which records it gives. One whose records are there is passed over; one that another process has claimed
is left to it and looked at again at the end, in case that process was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .record_store import Key, RecordStore
from .time_left import TimeLeft

Progress = Callable[[str, int, int | None], None]
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes:
        name: names it among all pieces; what is claimed.
        keys: of the records that it gives in the end, failed runs included.
        run: computes what is missing in the store and appends it.
    """

    name: str
    keys: tuple[Key, ...]
    run: Callable[[RecordStore], None]


def work_through(
    store: RecordStore,
    pieces: Sequence[Piece],
    *,
    retry_failed: bool = False,
    stop_after: float | None = None,
    progress: Progress | None = None,
) -> int:
    """Does what is missing; returns how many pieces are still missing, which is 0 unless time ran out.

    Args:
        retry_failed: runs that failed are tried once more.
        stop_after: seconds after which no new piece is begun.
    """
    started = time.monotonic()

    def is_missing(piece: Piece) -> bool:
        found = [store.get(key) for key in piece.keys]
        return any(record is None or (retry_failed and record.get("status") == "failed") for record in found)

    waiting = [piece for piece in pieces if is_missing(piece)]
    left = TimeLeft(len(waiting))
    while waiting:
        held: list[Piece] = []
        for position, piece in enumerate(waiting):
            if stop_after is not None and time.monotonic() - started > stop_after:
                return len(held) + len(waiting) - position
            if progress:
                progress(f"{piece.name}, {left}", len(pieces) - len(waiting) + position - len(held), len(pieces))
            with store.claim(piece.name) as ours:
                if not ours:
                    held.append(piece)
                    continue
                if is_missing(piece):
                    piece.run(store)
            left.add()
        store.refresh()
        retry_failed = False  # once, not for ever
        waiting = [piece for piece in held if is_missing(piece)]
        if waiting and len(waiting) == len(held):
            time.sleep(_POLL_SECONDS)
    return 0
