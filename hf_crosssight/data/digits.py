"""`digits`: 1,797 real handwritten digits of 8x8 pixels that come with scikit-learn; works with no network at all.

The file is read directly: importing scikit-learn costs more than a second.
Source: E. Alpaydin and C. Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI repository, test part.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .labels import Labels
from .request import SampleRequest
from .rows import Origin, Rows

DESCRIPTION = "Handwritten digits 0 to 9, scanned from forms filled in by 43 people, 8x8 grey pixels, centred."
_BRIGHTEST = 16  # the file counts the inked ones of 4x4 scanned pixels


def digits_origin() -> Origin:
    return Origin("digits", "train", description=DESCRIPTION)


def digits_rows(request: SampleRequest) -> Rows:
    """The digits as rows, `[8, 8]` uint8 each.

    Raises:
        `UserError`: another configuration, split or column than the one there is.
    """
    for wanted, there, what in (
        (request.config, "default", "configuration"),
        (request.split, "train", "split"),
        (request.image_column, "image", "column"),
        (request.label_column, "label", "column"),
    ):
        if wanted not in (None, there):
            raise UserError(f"digits has no {what} {wanted!r}", f"It has the {what} {there!r}.")
    pixels, codes = _load()

    def read(rows: np.ndarray) -> Iterator[tuple[int, Any]]:
        for row in rows:
            yield int(row), pixels[row]

    labels = Labels(codes, tuple(map(str, range(10))), declared=True)
    return Rows(len(codes), labels, read, lambda row: f"digit {row}", total_rows=len(codes))


def _load() -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 `[1797, 8, 8]` and digits int64 `[1797]`."""
    package = find_spec("sklearn")
    file = Path(package.origin).parent / "datasets/data/digits.csv.gz" if package and package.origin else None
    if file is not None and file.is_file():
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    else:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        table = np.column_stack([bunch.data, bunch.target])
    pixels = np.round(table[:, :-1] * (255 / _BRIGHTEST)).astype(np.uint8)
    return pixels.reshape(-1, 8, 8), table[:, -1].astype(np.int64)
