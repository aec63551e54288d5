"""What goes wrong on the loopback Hub, on demand: a table of faults by path, and the log of what was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        status (`int`, *optional*): answer this error instead.
        headers (`dict`): further headers of that answer, e.g. `Retry-After`.
        delay (`float`): seconds to wait before answering.
        cut_after (`int`, *optional*): send this many bytes of the body, then close the connection.
        ignore_range (`bool`): answer 200 and the whole file to a ranged request.
        wrong_length (`int`): tell (HEAD) or send (GET) this many bytes too many or, negative, too few.
        told (`dict`): headers of a file's answer to replace or add, e.g. another `ETag`.
        stall_after (`int`, *optional*): pause in the body after every so many bytes, for `stall` seconds.
        stall (`float`): how long.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    ignore_range: bool = False
    wrong_length: int = 0
    told: dict[str, str] = field(default_factory=dict)
    stall_after: int | None = None
    stall: float = 0.0


class FaultTable:
    """Faults by method and path pattern, each for a number of requests; the first that matches applies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[list] = []

    def add(self, pattern: str, fault: Fault, times: int = 1, method: str = "*") -> None:
        """Let the next `times` requests fail whose path matches the glob `pattern` (the query does not count)."""
        with self._lock:
            self._rows.append([pattern, method, times, fault])

    def clear(self) -> None:
        """Be well again."""
        with self._lock:
            self._rows.clear()

    def take(self, method: str, path: str) -> Fault:
        """The fault of this request, used up by one; a `Fault()` without any effect if there is none."""
        with self._lock:
            for row in self._rows:
                if row[2] > 0 and row[1] in ("*", method) and fnmatchcase(path, row[0]):
                    row[2] -= 1
                    return row[3]
        return Fault()


@dataclass
class Request:
    """One line of the log: what was asked, by whom, and the payload bytes that have been sent so far."""

    method: str
    path: str
    query: str
    range: str | None
    user: str | None = None
    status: int = 0
    bytes_sent: int = 0
