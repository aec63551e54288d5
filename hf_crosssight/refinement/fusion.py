"""h(m, d), late fusion: what measured evidence adds to the ranker's score of a model on a dataset.

Each method's scores are centred and scaled over the models that were run, so that only differences between them count,
and enter with fixed weights that were fitted to fine-tuning results (`benchmarks/fit_refinement.py`). The sum is in
the unit of the ranker's score. Of models that the ranker was not trained on, its own differences are shrunk by what
they proved to be worth. All this stands outside the network: the weights are few, can be read, and are fitted again
without training a ranker; the network's own evidence input holds what is known of all models, not of the best K alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

FORMAT = "crosssight-refinement/1"


@dataclass(frozen=True)
class Fusion:
    """Weights of transferability methods.

    Attributes:
        weights: score units for one standard deviation of a method's scores, by method.
        trust: what part of the ranker's differences between models is kept, of those that it was not trained on.
        fitted_on: what they were fitted on and how they validated.
    """

    weights: dict[str, float]
    trust: float = 1.0
    fitted_on: dict[str, Any] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are needed."""
        return tuple(self.weights)

    def added(self, before: np.ndarray, unseen: np.ndarray, values: Sequence[Mapping[str, float]]) -> np.ndarray:
        """h `[K]` of K models that were run.

        Args:
            before: the ranker's scores `[K]`.
            unseen: bool `[K]`, whether the ranker was trained without the model.
            values: their scores by method; a method that a model lacks adds nothing to it.
        """
        total = np.where(unseen, (self.trust - 1.0) * (before - before.mean()), 0.0)
        for method, weight in self.weights.items():
            column = np.array([found.get(method, np.nan) for found in values], dtype=np.float64)
            total += weight * standardised(column)
        return total


def standardised(values: np.ndarray) -> np.ndarray:
    """Deviations from the mean in standard deviations `[K]`, 0 where a value is NaN.

    Few models hardly tell what a large difference is: the factor sqrt((n-1)/(n+1)) keeps two that differ by anything
    from being set apart as much as the best and the worst of ten.
    """
    known = np.isfinite(values)
    if known.sum() < 2:
        return np.zeros(len(values))
    deviations = np.where(known, values - values[known].mean(), 0.0)
    spread = np.sqrt((deviations**2).sum() / known.sum())
    if spread <= 1e-12 * np.abs(values[known]).max():
        return np.zeros(len(values))
    return deviations / spread * np.sqrt((known.sum() - 1) / (known.sum() + 1))


@lru_cache(maxsize=1)
def bundled_fusion() -> Fusion:
    """The weights that come with the package."""
    found = json.loads(files("hf_crosssight").joinpath("assets/refinement.json").read_text(encoding="utf-8"))
    return Fusion(dict(found["weights"]), float(found["trust"]), dict(found["fitted_on"]))
