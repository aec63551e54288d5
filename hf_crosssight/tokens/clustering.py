"""Deterministic k-means for prototypes: the groups do not depend on the order of the points, nor on a seed."""

from __future__ import annotations

import numpy as np

_ROUNDS = 50


def cluster(points: np.ndarray, k: int) -> np.ndarray:
    """Group points into at most `k` clusters: farthest-point start, then Lloyd's iterations.

    Args:
        points (`np.ndarray`): float64 `[N, D]`, N >= 1.
        k (`int`): clusters wanted; fewer come back if there are fewer distinct points.

    Returns:
        `np.ndarray`: int64 `[N]`, cluster of each point, numbered 0.. by falling size, then by rising distance of
        the centre to the mean of all points. No cluster is empty.
    """
    centres = _farthest_points(points, k)
    assigned = _squared_distances(points, centres).argmin(1)
    for _ in range(_ROUNDS):
        used = np.unique(assigned)
        centres = np.stack([points[assigned == c].mean(0) for c in used])
        renewed = _squared_distances(points, centres).argmin(1)
        if np.array_equal(renewed, np.searchsorted(used, assigned)):
            break
        assigned = renewed
    return _renumbered(points, assigned)


def _farthest_points(points: np.ndarray, k: int) -> np.ndarray:
    """Start with the point farthest from the mean, then always the one farthest from all chosen so far."""
    distance = _squared_distances(points, points.mean(0, keepdims=True))[:, 0]
    chosen = [int(distance.argmax())]
    distance = np.full(len(points), np.inf)
    while len(chosen) < k:
        distance = np.minimum(distance, _squared_distances(points, points[chosen[-1:]])[:, 0])
        if distance.max() <= 1e-12:  # only copies of chosen points are left
            break
        chosen.append(int(distance.argmax()))
    return points[chosen]


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances `[N, K]`, never negative."""
    squares = (points**2).sum(1)[:, None] + (centres**2).sum(1)[None] - 2 * points @ centres.T
    return np.maximum(squares, 0.0)


def _renumbered(points: np.ndarray, assigned: np.ndarray) -> np.ndarray:
    used = np.unique(assigned)
    sizes = np.array([(assigned == c).sum() for c in used])
    centres = np.stack([points[assigned == c].mean(0) for c in used])
    remote = _squared_distances(centres, points.mean(0, keepdims=True))[:, 0]
    order = np.lexsort((remote.round(9), -sizes))
    rank = np.empty(len(used), dtype=np.int64)
    rank[order] = np.arange(len(used))
    return rank[np.searchsorted(used, assigned)]
