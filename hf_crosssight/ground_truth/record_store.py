"""An append-only table that several processes write at once and that a kill at any moment leaves whole.

Every process appends JSON lines to a file of its own, flushed to the disk line by line, and reads the others' files.
What is being computed is claimed by a lock on one byte of `claims.lock`, which the system releases when the process
ends, however it ends; so nothing is computed twice, and what a killed process had begun is simply begun again.
Works on any POSIX system and file system with `fcntl` locks.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UserError

Record = dict[str, Any]
Key = tuple[str, ...]


def key_of(record: Mapping[str, Any]) -> Key:
    """What a record is about; a field that does not apply is empty.

    A result has no learning rate in its key: there is one result of a seed, whichever rate was chosen.
    """
    fields = ("kind", "model_id", "dataset_id", "recipe", "protocol", "seed")
    rate = record.get("learning_rate") if record.get("kind") == "trial" else None
    texts = ["" if record.get(field) is None else str(record[field]) for field in fields]
    return (*texts, "" if rate is None else f"{rate:g}")


class RecordStore:
    """The records of a folder.

    Args:
        folder: made if it does not exist.
    """

    def __init__(self, folder: Path | str) -> None:
        if find_spec("fcntl") is None:
            raise UserError("this system has no fcntl locks", "Collect on Linux or macOS, or in WSL on Windows.")
        self.folder = Path(folder)
        self.parts = self.folder / "records"
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
            self._claims = os.open(self.folder / "claims.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written: {error}", "Name another folder.") from error
        self._by_key: dict[Key, Record] = {}
        self._read_up_to: dict[Path, int] = {}
        self._own: int | None = None
        self.broken_lines = 0
        self.refresh()

    def close(self) -> None:
        """Gives the files back; claims end here."""
        for descriptor in (self._own, self._claims):
            if descriptor is not None:
                os.close(descriptor)
        self._own, self._claims = None, -1

    def __enter__(self) -> RecordStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Reads what other processes have appended since the last look; a line that is cut short is left out."""
        for path in sorted(self.parts.glob("*.jsonl")):
            start = self._read_up_to.get(path, 0)
            if path.stat().st_size <= start:
                continue
            with path.open("rb") as file:
                file.seek(start)
                text = file.read()
            whole = text.rfind(b"\n") + 1  # what follows may be a line that is just being written
            self._read_up_to[path] = start + whole
            for line in text[:whole].splitlines():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            key = key_of(record)
        except (ValueError, AttributeError, TypeError):
            self.broken_lines += bool(line.strip())
            return
        before = self._by_key.get(key)
        if before is None or before.get("status") == "failed":
            self._by_key[key] = record

    def append(self, record: Record) -> None:
        """Adds a record; when the call returns it is on the disk.

        Raises:
            UserError: the disk is full or cannot be written. Nothing of the record is left then.
        """
        line = json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False).encode() + b"\n"
        try:
            if self._own is None:
                self._open_own()
            assert self._own is not None
            end = os.lseek(self._own, 0, os.SEEK_END)
            try:
                written = 0
                while written < len(line):
                    written += os.write(self._own, line[written:])
                os.fsync(self._own)
            except OSError:
                os.ftruncate(self._own, end)
                raise
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be written: {error}", "Free space, then run the same command to go on."
            ) from error
        self._take(line)

    def _open_own(self) -> None:
        """A file that no other process has, nor had: appending after another's cut line would lose both lines."""
        path = self.parts / f"{os.getpid()}-{secrets.token_hex(6)}.jsonl"
        self._own = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def get(self, key: Key) -> Record | None:
        """The record of a key: the first that did not fail, else the first that failed."""
        return self._by_key.get(key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Record]:
        """All records in the order of their keys, which does not depend on who computed them when."""
        for key in sorted(self._by_key):
            yield self._by_key[key]

    @contextmanager
    def claim(self, what: str) -> Iterator[bool]:
        """Whether this process may compute something now; look it up again inside, another may just have finished.

        Two names that share a lock byte (one pair in 2**62) merely wait for each other.
        """
        import fcntl

        offset = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big") >> 2
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset, os.SEEK_SET)
        except OSError:  # EACCES or EAGAIN, as the system pleases
            yield False
            return
        try:
            self.refresh()
            yield True
        finally:
            fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, offset, os.SEEK_SET)
