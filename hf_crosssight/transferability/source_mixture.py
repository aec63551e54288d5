"""The variational step that PACTran's Dirichlet and Gamma bounds share: which source class answers for which image.

q_iz is proportional to P_iz w_{y_i z}. Only its sums by class and its normalisers enter the bounds, and both are two
matrix-vector products a class, so q itself is never held.
"""

from __future__ import annotations

import numpy as np

from .classes import class_rows
from .inputs import Array, Inputs


class SourceMixture:
    """Source probabilities laid out class by class, source classes without any mass left out.

    Args:
        inputs: checked inputs with `source_probs` [N, Cs].

    Attributes: `blocks`, the rows `[n_c, Z]` of each class; `prior` `[C, 1]`, the class shares; `count`, N;
    `start` `[C, Z]`, the sums by class of the source probabilities themselves.
    """

    def __init__(self, inputs: Inputs) -> None:
        probabilities = inputs.probabilities
        alive = probabilities.any(axis=0)
        kept = probabilities if alive.all() else probabilities[:, alive]
        self.blocks = [np.ascontiguousarray(kept[own]) for own in class_rows(inputs.labels, inputs.num_classes)]
        self.count = len(kept)
        self.prior = np.array([[len(block) / self.count] for block in self.blocks])
        self.start = np.stack([block.sum(axis=0) for block in self.blocks])

    def step(self, logs: Array) -> tuple[Array, float]:
        """Sums by class of the q of weights exp(logs) `[C, Z]`, and sum over images of KL(q_i | P_i).

        The logs are taken relative to the largest of each class: rare classes have digammas in the thousands.
        """
        logs = logs - logs.max(axis=1, keepdims=True)
        weights, summed, log_mass = np.exp(logs), np.empty_like(logs), 0.0
        for c, block in enumerate(self.blocks):
            mass = np.maximum(block @ weights[c], np.finfo(np.float64).tiny)
            summed[c] = weights[c] * ((1.0 / mass) @ block)
            log_mass += float(np.log(mass).sum())
        return summed, float((summed * logs).sum()) - log_mass

    def log_rates(self, totals: Array) -> float:
        """Sum over images of log sum_z P_iz totals_z."""
        return sum(float(np.log(block @ totals).sum()) for block in self.blocks)
