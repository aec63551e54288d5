"""PACTran-Gamma: a PAC-Bayesian bound with independent Gamma priors on the source-to-target table.

Source: Ding, Levinboim, Grauman, Soricut, "PACTran" (ECCV 2022), section 3.3. As PACTran-Dirichlet, but the columns of
the table are not normalised; each image pays the log of its expected total rate instead.

Default: minus the bound per image (nats; higher is better), iterated until it stops moving (at most 200 rounds), with
the pseudo-counts and rates of the final q.

Public implementation (`pactran` = model-spider = emms): LOWER is better; ten rounds, 1e-10 added throughout,
pseudo-counts and rates one round older than q, divided by N times C, plus one.
"""

from __future__ import annotations

import numpy as np

from .classes import class_sums
from .inputs import Array, Inputs
from .source_mixture import SourceMixture


def score(inputs: Inputs) -> float:
    """Minus the PAC-Bayesian bound per image (nats)."""
    from scipy.special import digamma, gammaln

    mixture = SourceMixture(inputs)
    prior = mixture.prior
    constant = float(gammaln(prior).sum()) * mixture.start.shape[1]
    counts, last = prior + mixture.start, -np.inf
    for _ in range(200):
        summed, divergence = mixture.step(digamma(counts))
        counts = prior + summed
        fit = float(gammaln(counts).sum()) - constant
        bound = (fit - divergence - mixture.log_rates(counts.sum(axis=0))) / mixture.count + 1.0
        if abs(bound - last) < 1e-6:
            break
        last = bound
    return bound


def parity(inputs: Inputs, implementation: str) -> float:
    """What the public code returns: lower is better."""
    return public_bound(inputs.source_probs, inputs.labels, inputs.num_classes)


def public_bound(probabilities: Array, labels: Array, classes: int) -> float:
    """The public formula on any assignment of images to source classes."""
    from scipy.special import digamma, gammaln

    prior = (np.bincount(labels, minlength=classes) / len(labels))[:, None] + 1e-10
    offset = probabilities + 1e-10
    q = counts = probabilities
    for _ in range(10):
        counts = prior + class_sums(q, labels, classes)
        mixed = offset * np.exp(digamma(counts))[labels]
        q = mixed / mixed.sum(axis=1, keepdims=True)
    fit = float((gammaln(prior) - gammaln(counts)).sum())
    divergence = float((q * (np.log(q) - np.log(offset))).sum())
    rates = float(np.log(probabilities @ counts.sum(axis=0)).sum())
    return (fit + divergence + rates - len(labels)) / (len(labels) * classes) + 1.0
