"""The labelled reference tasks that every image model is probed with: small images that come with the project.

Fifteen tasks of different kinds stand in `assets/probe_tasks.parquet` (digits, letters, invented script, textures,
materials, lesions, shapes, counts, silhouettes, landscapes, photographs, clip art, line drawings, symbols, emoji), 64
pixels each. They are drawn by rule or made from packages with free licences; `benchmarks/build_probe_tasks.py` made
them once and names every source. None of them is, or is taken from, a benchmark that models are ranked on.

The file is only read if its sha256 is the one below: a view computed on other images could not be compared.
"""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError

PROBE_TASKS = (
    "digits", "letters", "strokes", "textures", "materials", "lesions", "shapes", "counts", "objects", "scenes",
    "photographs", "clip art", "sketches", "symbols", "emoji",
)  # fmt: skip
"""Their names, in the order of the probe view's columns."""

SHA256 = "9583d1f1fd71429c59c4e169e0efac0d807fbd8d0e5234fb2f5c86907bb83a5a"
_FILE = Path(__file__).parent.parent / "assets/probe_tasks.parquet"


@dataclass(frozen=True)
class ProbeTask:
    """One task.

    Attributes:
        name: what it shows.
        images: uint8 `[N, 64, 64, 3]`, the classes taking turns, so that any beginning is balanced.
        labels: int64 `[N]`, from 0.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray


@functools.cache
def probe_tasks() -> tuple[ProbeTask, ...]:
    """All tasks, in the order of `PROBE_TASKS`.

    Raises:
        UserError: the installed file is missing or another one.
    """
    return read_tasks(_FILE, SHA256)


def read_tasks(path: Path, sha256: str) -> tuple[ProbeTask, ...]:
    """The tasks of a file with this sha256.

    Raises:
        UserError: the file is missing or another one.
    """
    import pyarrow.parquet as pq

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}", "Install hf_crosssight again.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{path} is not the file that the probe view is defined on", "Install hf_crosssight again.")
    columns = pq.read_table(io.BytesIO(content)).to_pydict()
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(columns["task"]):
        rows.setdefault(name, []).append(row)
    return tuple(
        ProbeTask(
            name,
            np.stack([_pixels(columns["image"][row]) for row in chosen]),
            _codes([columns["label"][row] for row in chosen]),
        )
        for name in PROBE_TASKS
        if (chosen := rows.get(name))
    )


def _codes(names: list[str]) -> np.ndarray:
    """Classes as numbers from 0, in the order in which they first appear."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _pixels(encoded: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)
