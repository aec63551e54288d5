"""Columns brought to mean zero and unit variance by the training part alone, and distances between datasets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .history import Array


@dataclass(frozen=True)
class Scaling:
    """Mean and spread `[F]` of training columns; columns that never changed become zeros."""

    mean: Array
    spread: Array

    @classmethod
    def of(cls, rows: Array) -> Scaling:
        """From training rows `[n, F]`."""
        spread = rows.std(axis=0)
        return cls(rows.mean(axis=0), np.where(spread > 1e-12, spread, np.inf))

    def __call__(self, rows: Array) -> Array:
        """Scaled rows, at most ten spreads from the mean: a blind row may be far off."""
        return np.clip((rows - self.mean) / self.spread, -10.0, 10.0)


def nearness(target: Array, others: Array) -> Array:
    """Weights `[D]` that sum to one: how near each of `others` `[D, F]` is to `target` `[F]`.

    A Gaussian kernel as wide as the median distance to the others.
    """
    squares = ((others - target) ** 2).sum(axis=1)
    weights = np.exp(-squares / max(float(np.median(squares)), 1e-12))
    return np.asarray(weights / weights.sum())
