"""kNN: leave-one-out accuracy of the nearest neighbour, the baseline that every method must stand beside.

Default: one neighbour by cosine similarity, a fraction in [0, 1]. Duplicates are neighbours like any other; where
several images are equally near, their labels share the vote, so the order of the rows does not matter.
Distances are taken in float32 and every row that this leaves undecided is settled in float64.

Public implementations: `parc` in PERCENT (k = 1, l2; `parc-cosine`, `parc-cityblock`, `parc-5` with five neighbours,
`parc-split` trains on the first half) takes the first of the sorted distances for the image itself, so a duplicate may
count as itself; `transformer-ranker` a fraction (k = 3, euclidean, smallest label on ties; `-1` for one neighbour,
`-cosine`, `-1-cosine`).
"""

from __future__ import annotations

import numpy as np

from .classes import unit_rows
from .inputs import Array, Inputs

_BLOCK = 256
# Float32 similarities of unit rows are wrong by less than this.
_UNDECIDED = 2e-5


def score(inputs: Inputs) -> float:
    """Share of the images whose nearest other image (cosine) has the same class."""
    order = np.argsort(inputs.labels, kind="stable")
    labels, features = inputs.labels[order], inputs.features[order]
    norms = np.sqrt(np.einsum("ij,ij->i", features, features, dtype=np.float64))[:, None]
    unit = np.divide(features, np.where(norms > 0, norms, 1.0).astype(features.dtype)).astype(np.float32, copy=False)
    same, other = _nearest(unit, labels)
    hits = (same > other).astype(np.float64)
    undecided = np.flatnonzero(np.abs(same - other) < _UNDECIDED)
    if len(undecided):
        rows = unit_rows(features.astype(np.float64), overwrite=True)
        for start in range(0, len(undecided), _BLOCK):
            chosen = undecided[start : start + _BLOCK]
            hits[chosen] = _exact_hits(rows, labels, chosen)
    return float(hits.mean())


def _nearest(rows: Array, labels: Array) -> tuple[Array, Array]:
    """Highest similarity of each row to another of its class and of the other classes; each pair is computed once.

    The rows stand class by class: most pairs of blocks have no class in common and need no mask.
    """
    count = len(rows)
    same, other = np.full(count, -np.inf), np.full(count, -np.inf)
    for i in range(0, count, _BLOCK):
        for j in range(i, count, _BLOCK):
            block = rows[i : i + _BLOCK] @ rows[j : j + _BLOCK].T
            parts = [(other, block)]
            if labels[min(i + _BLOCK, count) - 1] >= labels[j]:
                if i == j:
                    np.fill_diagonal(block, -np.inf)
                agree = labels[i : i + _BLOCK, None] == labels[None, j : j + _BLOCK]
                parts = [(same, np.where(agree, block, -np.inf)), (other, np.where(agree, -np.inf, block))]
            for best, part in parts:
                np.maximum(best[i : i + _BLOCK], part.max(axis=1), out=best[i : i + _BLOCK])
                np.maximum(best[j : j + _BLOCK], part.max(axis=0), out=best[j : j + _BLOCK])
    return same, other


def _exact_hits(rows: Array, labels: Array, chosen: Array) -> Array:
    """Share of the equally near neighbours of each chosen row that have its class, in float64."""
    block = rows[chosen] @ rows.T
    block[np.arange(len(chosen)), chosen] = -np.inf
    tied = block >= block.max(axis=1, keepdims=True) - 1e-12
    agree = labels[chosen, None] == labels[None, :]
    return (tied & agree).sum(axis=1) / tied.sum(axis=1)


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns; higher is better."""
    from scipy.spatial.distance import cdist

    rows, labels = inputs.features.astype(np.float64), inputs.labels
    cosine, cityblock = implementation.endswith("cosine"), implementation.endswith("cityblock")
    metric = "cosine" if cosine else "cityblock" if cityblock else "euclidean"
    if implementation == "parc-split":
        half = len(rows) - len(rows) // 2
        nearest = cdist(rows[half:], rows[:half], metric).argmin(axis=1)
        return 100.0 * float((labels[:half][nearest] == labels[half:]).mean())
    distances = cdist(rows, rows, metric)
    if implementation.startswith("transformer-ranker"):
        np.fill_diagonal(distances, np.inf)
        order = np.argsort(distances, axis=1, kind="stable")[:, : 1 if "-1" in implementation else 3]
        votes = _count_votes(labels[order], inputs.num_classes)
        return float(np.float32((votes.argmax(axis=1) == labels).mean()))
    neighbours = 5 if implementation == "parc-5" else 1
    order = np.argsort(distances, axis=1)[:, 1 : neighbours + 1]
    votes = _count_votes(labels[order], inputs.num_classes)
    won = (votes.argmax(axis=1) == labels).astype(np.float64)
    single = (labels[order] == labels[:, None]).mean(axis=1)
    return 100.0 * float(np.where(votes.max(axis=1) > 1, won, single).mean())


def _count_votes(neighbours: Array, num_classes: int) -> Array:
    rows = np.arange(len(neighbours))[:, None] * num_classes
    return np.bincount((rows + neighbours).ravel(), minlength=len(neighbours) * num_classes).reshape(-1, num_classes)
