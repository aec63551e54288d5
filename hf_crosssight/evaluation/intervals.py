"""Bootstrap intervals over parent datasets: datasets whose images have one source are drawn together or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LOW, HIGH = 0.05, 0.95
DRAWS = 2000


def parent_weights(parents: Sequence[str], draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each of T datasets counts in each draw, `[draws, T]`; whole parents are drawn, with replacement."""
    names = sorted(set(parents))
    own = np.array([names.index(parent) for parent in parents])
    rng = np.random.default_rng(seed)
    counts = np.stack(
        [np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names)) for _ in range(draws)]
    )
    return counts[:, own].astype(float)


def mean_interval(
    values: Sequence[float], parents: Sequence[str], draws: int = DRAWS, seed: int = 0
) -> tuple[float, float] | None:
    """90 % interval of the mean of one value a dataset; `None` for a single parent, of which nothing can be drawn."""
    if len(set(parents)) < 2:
        return None
    weights = parent_weights(parents, draws, seed)
    means = (weights @ np.asarray(values, np.float64)) / weights.sum(axis=1)
    low, high = np.quantile(means, [LOW, HIGH])
    return float(low), float(high)
