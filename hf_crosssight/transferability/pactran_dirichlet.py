"""PACTran-Dirichlet: a PAC-Bayesian bound with a Dirichlet prior on how source classes map to target classes.

Source: Ding, Levinboim, Grauman, Soricut, "PACTran: PAC-Bayesian metrics for estimating the transferability of
pretrained models to classification tasks" (ECCV 2022), section 3.2. The prior of each source class is the class
shares; q_iz, the source class responsible for image i, starts at the source probabilities and is refined by
variational rounds.

Default: minus the bound per image (nats; higher is better), iterated until it stops moving (at most 200 rounds), with
the pseudo-counts of the final q. Source probabilities of zero are handled exactly rather than by an added 1e-10.

Public implementation (`pactran` = model-spider = emms): LOWER is better; ten rounds, 1e-10 added throughout,
pseudo-counts one round older than q, divided by N times C.
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
    constant = gammaln(prior.sum()) - gammaln(prior).sum()
    counts, last = prior + mixture.start, -np.inf
    for _ in range(200):
        summed, divergence = mixture.step(digamma(counts) - digamma(counts.sum(axis=0)))
        counts = prior + summed
        fit = float((gammaln(counts).sum(axis=0) - gammaln(counts.sum(axis=0)) + constant).sum())
        bound = (fit - divergence) / mixture.count
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
        mixed = offset * np.exp(digamma(counts) - digamma(counts.sum(axis=0)))[labels]
        q = mixed / mixed.sum(axis=1, keepdims=True)
    constant = gammaln(prior.sum()) - gammaln(prior).sum()
    fit = gammaln(counts.sum(axis=0)) - gammaln(counts).sum(axis=0)
    divergence = (q * (np.log(q) - np.log(offset))).sum()
    return -float((constant - fit).sum() - divergence) / (len(labels) * classes)
