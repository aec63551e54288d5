"""LEEP: the mean log of the expected empirical prediction.

Source: Nguyen, Hassner, Seeger, Archambeau, "LEEP: a new measure to evaluate transferability of learned
representations" (ICML 2020), equations 1 and 2: P(y | z) from the source probabilities summed by class, then
mean over images of log sum_z P(y_i | z) P_iz. Nats, <= 0.

Default: that formula in float64; source classes with no mass at all are left out (they give 0/0 in public code).
Computed class by class, so no second table of N x Cs is held.

Public implementations: `thuml` (= tllib) and `parc` are the formula, in the input's precision in places;
`model-spider` adds 1e-10 to the source class' share and to the prediction; `pactran` is the same with the OPPOSITE
SIGN (lower is better); `sfda` (= ncti = etran = emms) forgets the log: mean of the prediction; `transferability-graph`
takes a softmax over the C predictions before the log.
"""

from __future__ import annotations

import numpy as np

from .classes import class_rows, class_sums
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """Mean log expected empirical prediction (nats)."""
    return mean_log_prediction(inputs.source_probs, inputs.labels, inputs.num_classes)


def mean_log_prediction(probabilities: Array, labels: Array, num_classes: int) -> float:
    """LEEP of any assignment `[N, Z]` of images to source classes or clusters, rows at a sum near one."""
    members = class_rows(labels, num_classes)
    joint, sums = np.empty((num_classes, probabilities.shape[1])), np.empty(len(labels))
    for c, own in enumerate(members):
        block = probabilities[own].astype(np.float64)
        sums[own] = block.sum(axis=1)
        joint[c] = (1.0 / sums[own]) @ block
    mass = joint.sum(axis=0)
    conditional = joint / np.where(mass > 0, mass, 1.0)
    logs = 0.0
    for c, own in enumerate(members):
        logs += float(np.log((probabilities[own].astype(np.float64) @ conditional[c]) / sums[own]).sum())
    return logs / len(labels)


def _predictions(probabilities: Array, labels: Array, num_classes: int, eps: float = 0.0) -> Array:
    """`[N]`, the expected empirical prediction of each image's own class."""
    joint = class_sums(probabilities, labels, num_classes) / len(labels)
    conditional = joint / (joint.sum(axis=0) + eps)
    return np.einsum("nz,nz->n", probabilities, conditional[labels])


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns (see the module for signs)."""
    return public_leep(inputs.source_probs, inputs.labels, inputs.num_classes, implementation)


def public_leep(probabilities: Array, labels: Array, num_classes: int, implementation: str) -> float:
    """The public forms on any assignment, also used by N-LEEP."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if implementation in ("model-spider", "pactran"):
            # Both write -log(e + 1e-10) against a label of 1 + 1e-10; the signs of that last term differ.
            value = float(np.log(_predictions(probabilities, labels, num_classes, eps=1e-10) + 1e-10).mean())
            return (
                value - float(np.log1p(1e-10)) if implementation == "model-spider" else -value + float(np.log1p(1e-10))
            )
        if implementation == "sfda":
            return float(_predictions(probabilities, labels, num_classes).mean())
        if implementation == "transferability-graph":
            joint = class_sums(probabilities, labels, num_classes)
            expected = probabilities @ (joint / joint.sum(axis=0)).T
            own = expected[np.arange(len(labels)), labels]
            return float((own - np.log(np.exp(expected).sum(axis=1))).mean())
        if implementation == "parc":
            conditional = class_sums(probabilities, labels, num_classes) / probabilities.sum(axis=0)
            return float(np.log(np.einsum("nz,nz->n", probabilities, conditional[labels])).mean())
        return float(np.log(_predictions(probabilities, labels, num_classes)).mean())
