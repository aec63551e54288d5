"""A user's own timings of a device, by which its predictions are sharpened: read, checked, joined with the models."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.model_shape import ModelShapes

MOST = 20
EXAMPLE = '[{"model_id": "timm/resnet50.a1_in1k", "latency_ms": 41.5, "batch_size": 1}]'


@dataclass(frozen=True)
class Anchors:
    """Timings of A models on one device.

    Attributes:
        shapes: the models.
        latency_ms (`np.ndarray`): `[A]`, milliseconds an image.
        batch_size (`np.ndarray`): `[A]`, images a pass.
    """

    shapes: ModelShapes
    latency_ms: np.ndarray
    batch_size: np.ndarray


@dataclass(frozen=True)
class Anchor:
    """One timing: a model and the milliseconds that a pass of `batch_size` images took."""

    model_id: str
    latency_ms: float
    batch_size: int = 1


def read_anchors(path: str | Path) -> tuple[Anchor, ...]:
    """The timings of a CSV or JSON file with `model_id`, `latency_ms` (of a whole pass) and, if not 1, `batch_size`.

    What `hardware measure --format json` prints can be read as it is.

    Raises:
        UserError: the file cannot be read, or an entry is not a timing.
    """
    entries = _entries(Path(path))
    anchors = tuple(_anchor(entry, number, path) for number, entry in enumerate(entries, start=1))
    if not anchors:
        raise UserError(f"{path} holds no timing.", f"Anchors look like {EXAMPLE}")
    return anchors


def _entries(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The anchors {path} cannot be read: {error}.", "Name a CSV or JSON file.") from error
    if path.suffix.lower() == ".csv":
        return list(csv.DictReader(text.splitlines()))
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}.", f"Anchors look like {EXAMPLE}") from error
    if isinstance(content, dict):
        content = content.get("measurements", [content])
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise UserError(f"{path} is no list of timings.", f"Anchors look like {EXAMPLE}")
    return content


def _anchor(entry: Mapping[str, Any], number: int, path: str | Path) -> Anchor:
    try:
        model_id, latency = str(entry["model_id"]), float(entry["latency_ms"])
        batch = int(entry.get("batch_size") or 1)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"Entry {number} of {path} is not a timing: {type(error).__name__}: {error}.",
            f"Anchors look like {EXAMPLE}",
        ) from error
    if not (math.isfinite(latency) and latency > 0 and batch >= 1):
        raise UserError(
            f"Entry {number} of {path}: {latency:g} ms for {batch} images cannot be.", "Give milliseconds above zero."
        )
    return Anchor(model_id, latency, batch)


def anchors_of(timings: Sequence[Anchor], shapes: ModelShapes) -> Anchors:
    """The timings with the shapes of their models, in order; those whose costs are not known are dropped.

    Raises:
        UserError: none is left, or there are more than `MOST`.
    """
    if len(timings) > MOST:
        raise UserError(f"{len(timings)} anchors are more than {MOST}.", "Take those most like what you will run.")
    known = np.flatnonzero(shapes.known)
    if not len(known):
        raise UserError(
            "The cost of no anchor's model is known.", "Time models of the starter zoo, or measure them here."
        )
    batch = np.array([timing.batch_size for timing in timings], np.float64)
    latency = np.array([timing.latency_ms for timing in timings]) / batch
    return Anchors(shapes.take(known), latency[known], batch[known])
