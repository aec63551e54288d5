"""`HeldFile`: ranges of a file that huggingface_hub's cache holds, read as those of a remote one are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hf_crosssight.errors import UserError


class HeldFile:
    """A local file with the interface of `RangeReader`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each half-open range, in the order asked for; a range beyond the end is a `UserError`."""
        pieces = []
        with self._path.open("rb") as opened:
            for start, stop in ranges:
                opened.seek(start)
                pieces.append(opened.read(stop - start))
                if len(pieces[-1]) < stop - start:
                    raise UserError(
                        f"{self._path.name} ends before byte {stop}.", "The file is truncated or was replaced."
                    )
        return pieces

    def read_part(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`."""
        return self.read([(start, stop)])[0]
