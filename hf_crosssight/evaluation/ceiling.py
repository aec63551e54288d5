"""The noise ceiling: how well one set of seeds ranks what another set measured. No ranker can be asked for more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hf_crosssight.ground_truth.tables import GroundTruthTable

from .metrics import weighted_tau


@dataclass(frozen=True)
class Ceiling:
    """Ceiling of one dataset of a table.

    Attributes:
        dataset: key.
        between_seeds: mean agreement of two disjoint halves of the seeds.
        with_truth: expected agreement of the published score (mean of all seeds) with the mean of endless seeds, by
            simulation: each model's true score is shrunk towards the mean by the share of noise in the variance.
    """

    dataset: str
    between_seeds: float
    with_truth: float


def ceilings(
    table: GroundTruthTable,
    metric: Callable[[np.ndarray, np.ndarray], float] = weighted_tau,
    draws: int = 50,
    seed: int = 0,
) -> list[Ceiling]:
    """Ceiling of each dataset of which at least five models were run with two seeds; none for single-seed tables."""
    if table.repeats is None:
        return []
    rng = np.random.default_rng(seed)
    found = []
    for row, dataset in enumerate(table.datasets):
        runs = table.repeats[row]
        counts = np.isfinite(runs).sum(-1)
        kept = runs[counts >= 2]
        if len(kept) >= 5:
            found.append(Ceiling(dataset, _halves(kept, metric, draws, rng), _truth(kept, metric, draws, rng)))
    return found


def _halves(runs: np.ndarray, metric: Callable[..., float], draws: int, rng: np.random.Generator) -> float:
    agreement = []
    for _ in range(draws):
        halves = [_split(one[np.isfinite(one)], rng) for one in runs]
        first, second = (np.array(side) for side in zip(*halves, strict=True))
        agreement.append(metric(first, second))
    return float(np.mean(agreement))


def _split(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    order = rng.permutation(values)
    half = len(order) // 2
    return float(order[:half].mean()), float(order[half : 2 * half].mean())


def _truth(runs: np.ndarray, metric: Callable[..., float], draws: int, rng: np.random.Generator) -> float:
    counts = np.isfinite(runs).sum(-1)
    means = np.nanmean(runs, axis=-1)
    noise = float(np.nanmean(np.nanvar(runs, axis=-1, ddof=1)))
    error = noise / counts
    kept = max(1.0 - float(error.mean()) / max(float(means.var(ddof=1)), 1e-12), 0.0)
    true = means.mean() + np.sqrt(kept) * (means - means.mean())
    return float(np.mean([metric(true + rng.normal(size=len(true)) * np.sqrt(error), true) for _ in range(draws)]))
