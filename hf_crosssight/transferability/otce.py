"""OTCE: what it costs to carry the source images onto the target images, and how uncertain that leaves the labels.

Source: Tan, Li, Huang, "OTCE: a transferability metric for cross-domain cross-task representations" (CVPR 2021),
equations 3 to 8: the optimal coupling of the two feature sets under squared Euclidean cost, its cost W, and the
conditional entropy CE of the target label given the source label under the coupling; OTCE = l1 W + l2 CE + b with l1
and l2 fitted on auxiliary tasks, both negative.

Default, with no auxiliary tasks at hand: -(W / W0 + CE / log C), W0 the cost of the independent coupling and log C the
most that CE can be, so that both terms run from 0 to 1 and the features' scale and the number of classes are of no
account; in [-2, 0], higher is better. Plans are exact. Above 2,000 images on a side a seeded sample, balanced over the
classes, stands in for them.

Public implementation (`model-spider`): W + CE as they stand, LOWER is better, and W is all but everything;
`model-spider-w` and `model-spider-ce` are the two terms.
"""

from __future__ import annotations

import numpy as np

from .inputs import Array, Inputs
from .parc import balanced_sample
from .transport import optimal_plan, squared_distances

_MOST_ROWS = 2_000


def score(inputs: Inputs) -> float:
    """-(W / W0 + CE / log C), in [-2, 0]."""
    target, labels = _sampled(inputs.features, inputs.labels, inputs.seed)
    source, source_labels = _sampled(inputs.source_features, inputs.source_labels, inputs.seed)
    # Measured from one of the images, so that large common offsets do not cost digits.
    source, target = source - target[0], target - target[0]
    scale = max(np.abs(target).max(), np.abs(source).max())
    cost = squared_distances(source / scale, target / scale)
    distance, entropy = _terms(cost, source_labels, labels)
    return -(distance / float(cost.mean()) + entropy / np.log(inputs.num_classes))


def _sampled(rows: Array, labels: Array, seed: int) -> tuple[Array, Array]:
    if len(rows) <= _MOST_ROWS:
        return rows, labels
    kept = balanced_sample(labels, _MOST_ROWS, seed)
    return rows[kept], labels[kept]


def _terms(cost: Array, source_labels: Array, labels: Array) -> tuple[float, float]:
    """Transport cost W and conditional entropy CE (nats) of the optimal plan."""
    rows, columns, mass = optimal_plan(cost)
    joint = np.zeros((source_labels.max() + 1, labels.max() + 1))
    np.add.at(joint, (source_labels[rows], labels[columns]), mass)
    conditional = joint / np.maximum(joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    seen = joint > 0
    entropy = -float((joint[seen] * np.log(conditional[seen])).sum())
    return float((mass * cost[rows, columns]).sum()), entropy


def parity(inputs: Inputs, implementation: str) -> float:
    """What the public implementation returns: lower is better."""
    source, target = inputs.source_features, inputs.features
    squares = (source**2).sum(axis=1)[:, None] - 2.0 * (source @ target.T) + (target**2).sum(axis=1)
    distance, entropy = _terms(squares.astype(np.float64), inputs.source_labels, inputs.labels)
    return {"model-spider": distance + entropy, "model-spider-w": distance, "model-spider-ce": entropy}[implementation]
