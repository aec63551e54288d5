"""The lineage view of the models of a zoo: what each was made from, and which known model its weights are nearest to.

A fine-tuned network stays near the one that it started from, whatever its card says, so the nearest known weights tell
its relatives (Horwitz et al., 2024, On the Origin of Llamas: model tree heritage recovery). Nothing but names, shapes
and weight statistics is read: no accuracy can leak. The view of a model depends on the other models of the zoo, so it
is made for all of them together and made anew when the zoo grows.

Distances are between summary rows of the weights view, standardised over the zoo, and between structure views as they
are. What is told of a relative itself is projected by fixed signs, so that it means the same in every zoo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LINEAGE_SPEC = "lineage/1"
PROJECTED = 16
"""Numbers that are kept of a summary row."""

COLUMNS = (
    "valid",
    "base_stated",  # the card names a base model
    "base_held",  # which stands in the zoo
    "base_same_architecture",
    "weights_known",  # there is another model with weights
    "weights_distance",  # log(1 + distance) to the nearest
    "weights_gap",  # by how much the second nearest is farther, in the same unit
    "weights_nearest_is_base",
    "weights_nearest_same_family",
    "shapes_known",
    "shapes_distance",
    "shapes_gap",
    "shapes_equal",  # log(1 + number of other models of the very same shapes)
    "relative_known",  # the base model if the zoo holds its weights, else the nearest
    "relative_is_base",
    *(f"relative_{i}" for i in range(PROJECTED)),
    *(f"difference_{i}" for i in range(PROJECTED)),
)
LINEAGE_SHAPE = (1, len(COLUMNS))

_COLUMN = {name: i for i, name in enumerate(COLUMNS)}
_CHUNK = 1024
_SMALLEST_SPREAD = 1e-2
_LIMIT = 50.0


@dataclass(frozen=True)
class Names:
    """What the records of M models say: each list in the order of the models, `None` where a fact is unknown."""

    model_ids: Sequence[str]
    base_models: Sequence[str | None]
    families: Sequence[str | None]
    architectures: Sequence[str | None]


@dataclass(frozen=True)
class Neighbours:
    """The nearest other model of each: int `[M]` (-1: none), distances `[M]` to it and to the second (inf: none)."""

    index: np.ndarray
    nearest: np.ndarray
    second: np.ndarray


def lineage_views(names: Names, views: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """The lineage views of all models of a zoo.

    Args:
        names (`Names`): ids, base models, families and architectures of the M models.
        views, masks: per view `[M, n, Dv]` and bool `[M]`; `weights` and `structure` are read where they are there.

    Returns:
        `np.ndarray`: float32 `[M, *LINEAGE_SHAPE]`.
    """
    count = len(names.model_ids)
    view = np.zeros((count, len(COLUMNS)), np.float32)
    view[:, 0] = 1.0
    base = _bases(names)
    _tell_base(view, names, base)
    weights, known = _weight_summaries(views, masks, count)
    near = nearest_others(standardised(weights, known), known)
    _tell_distance(view, "weights", near)
    found = near.index >= 0
    view[:, _COLUMN["weights_nearest_is_base"]] = found & (near.index == base)
    view[:, _COLUMN["weights_nearest_same_family"]] = found & _equal(names.families, near.index)
    shapes, shaped = _shapes(views, masks, count)
    _tell_distance(view, "shapes", nearest_others(shapes, shaped))
    view[:, _COLUMN["shapes_equal"]] = np.log1p(_others_equal(shapes, shaped))
    _tell_relative(view, weights, known, near, base)
    return np.clip(view, -_LIMIT, _LIMIT)[:, None, :]


def nearest_others(points: np.ndarray, known: np.ndarray) -> Neighbours:
    """The nearest other point of each of M points `[M, D]`, among those that are known; ties go to the first."""
    count = len(points)
    index = np.full(count, -1, np.int64)
    first, second = np.full(count, np.inf), np.full(count, np.inf)
    rows = np.flatnonzero(known)
    if len(rows) < 2:
        return Neighbours(index, first, second)
    own = points[rows].astype(np.float64)
    squares = (own**2).sum(1)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        distances = np.maximum(squares[part, None] + squares - 2.0 * own[part] @ own.T, 0.0)
        line = np.arange(len(distances))
        distances[line, line + start] = np.inf
        best = distances.argmin(1)
        index[rows[part]], first[rows[part]] = rows[best], np.sqrt(distances[line, best])
        distances[line, best] = np.inf
        second[rows[part]] = np.sqrt(distances.min(1))
    return Neighbours(index, first, second)


def _bases(names: Names) -> np.ndarray:
    """Row of the base model that each card states, int `[M]`, -1 where the zoo does not hold it."""
    rows = {model_id.lower(): row for row, model_id in enumerate(names.model_ids)}
    found = [rows.get((base or "").lower(), -1) for base in names.base_models]
    return np.array([-1 if base == row else base for row, base in enumerate(found)], np.int64).reshape(-1)


def _tell_base(view: np.ndarray, names: Names, base: np.ndarray) -> None:
    view[:, _COLUMN["base_stated"]] = [bool(stated) for stated in names.base_models]
    view[:, _COLUMN["base_held"]] = base >= 0
    view[:, _COLUMN["base_same_architecture"]] = (base >= 0) & _equal(names.architectures, base)


def _tell_distance(view: np.ndarray, what: str, near: Neighbours) -> None:
    found, two = near.index >= 0, np.isfinite(near.second)
    distance = np.log1p(np.where(found, near.nearest, 0.0))
    farther = np.log1p(np.where(two, near.second, 0.0))
    view[:, _COLUMN[f"{what}_known"]] = found
    view[:, _COLUMN[f"{what}_distance"]] = np.where(found, distance, 0.0)
    view[:, _COLUMN[f"{what}_gap"]] = np.where(two, farther - distance, 0.0)


def _tell_relative(
    view: np.ndarray, weights: np.ndarray, known: np.ndarray, near: Neighbours, base: np.ndarray
) -> None:
    """The relative's summary and what the model has more than it, both projected."""
    by_base = known & (base >= 0) & known[base]
    relative = np.where(by_base, base, near.index)
    told = known & (relative >= 0)
    projected = weights @ _signs(weights.shape[1]) if weights.shape[1] else np.zeros((len(view), PROJECTED))
    place = _COLUMN["relative_0"]
    view[:, _COLUMN["relative_known"]] = told
    view[:, _COLUMN["relative_is_base"]] = by_base
    view[told, place : place + PROJECTED] = projected[relative[told]]
    view[told, place + PROJECTED : place + 2 * PROJECTED] = projected[told] - projected[relative[told]]


def _weight_summaries(
    views: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Summary rows of the weights views without their validity, float32 `[M, D]`, and which models have one."""
    if "weights" not in views:
        return np.zeros((count, 0), np.float32), np.zeros(count, bool)
    return np.asarray(views["weights"][:, 0, 1:], np.float32), np.asarray(masks["weights"], bool)


def _shapes(
    views: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Structure views as one vector a model, float32 `[M, D]`; groups of tensors stand in a fixed order in them."""
    if "structure" not in views:
        return np.zeros((count, 0), np.float32), np.zeros(count, bool)
    return np.asarray(views["structure"], np.float32).reshape(count, -1), np.asarray(masks["structure"], bool)


def standardised(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Each column less its mean, over its spread in the zoo, over the root of their number."""
    if not known.any() or not points.shape[1]:
        return points
    held = points[known].astype(np.float64)
    spread = held.std(0)
    alive = spread > _SMALLEST_SPREAD
    scaled = (points - held.mean(0)) / np.where(alive, spread, 1.0)
    return np.where(alive, scaled, 0.0) / np.sqrt(max(int(alive.sum()), 1))


def _others_equal(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How many other models have the very same shapes, int `[M]`."""
    keys = [point.tobytes() if has else b"" for point, has in zip(points, known, strict=True)]
    counts: dict[bytes, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return np.array([counts[key] - 1 if key else 0 for key in keys], np.int64)


def _equal(texts: Sequence[str | None], other: np.ndarray) -> np.ndarray:
    """Whether a text of each model is known and the same as that of another, bool `[M]`."""
    known = [(text or "").lower() for text in texts]
    return np.array(
        [bool(own) and row >= 0 and own == known[row] for own, row in zip(known, other, strict=True)], bool
    )


def _signs(columns: int) -> np.ndarray:
    """The fixed projection `[columns, PROJECTED]`: signs drawn from hashes, over the root of their number."""
    digests = [hashlib.sha256(f"{LINEAGE_SPEC} {column}".encode()).digest() for column in range(columns)]
    bits = np.unpackbits(np.frombuffer(b"".join(digests), np.uint8).reshape(columns, -1), axis=1)[:, :PROJECTED]
    return (2.0 * bits - 1.0) / np.sqrt(columns)
