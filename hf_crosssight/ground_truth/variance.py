"""How much of a table is static (a model is good everywhere), how much is interaction, and how far recipes agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .tables import GroundTruthTable

Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the variance of accuracies z-scored within each dataset; they sum to 1.

    Attributes:
        static: between models' means over datasets.
        interaction: what is left, less noise: which model is good depends on the dataset.
        noise: between seeds, of a mean over the seeds; `None` for a table of one seed, and then within `interaction`.
        models, datasets: size of the part that was used: models measured on every dataset.
    """

    static: float
    interaction: float
    noise: float | None
    models: int
    datasets: int


def z_scores(scores: np.ndarray) -> np.ndarray:
    """Accuracies `[D, M]` z-scored within each dataset, NaN where there is none; 0 where all are equal."""
    spread = np.nanstd(scores, axis=1, keepdims=True)
    return (scores - np.nanmean(scores, axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)


def variance_shares(table: GroundTruthTable) -> VarianceShares | None:
    """Shares for the models that were measured on every dataset; `None` if that are fewer than two, or two datasets.

    The mean over D datasets of pure interaction and noise has a variance too: their share of 1 / D in the variance of
    the means is subtracted from the static part.
    """
    whole = np.isfinite(table.scores).all(0)
    scores = table.scores[:, whole]
    datasets, models = scores.shape
    spread = scores.std(1, keepdims=True)
    if models < 2 or datasets < 2 or not (spread > 0).all():
        return None
    z = z_scores(scores)
    means = z.mean(0)
    rest = float(((z - means) ** 2).sum() / ((datasets - 1) * models))  # unbiased: one mean a model is taken out
    static = max(float(means.var()) - rest / datasets, 0.0)
    total = static + rest
    noise = _noise(table, whole, spread)
    if noise is None:
        return VarianceShares(static / total, rest / total, None, models, datasets)
    noise = min(noise, rest)
    return VarianceShares(static / total, (rest - noise) / total, noise / total, models, datasets)


def _noise(table: GroundTruthTable, whole: np.ndarray, spread: np.ndarray) -> float | None:
    """Variance of a pair's mean over its seeds, in z-units, averaged over the pairs that have two seeds."""
    if table.repeats is None:
        return None
    runs = table.repeats[:, whole] / spread[..., None]
    counts = np.isfinite(runs).sum(-1)
    several = counts >= 2
    if not several.any():
        return None
    return float((np.nanvar(runs[several], axis=-1, ddof=1) / counts[several]).mean())


@dataclass(frozen=True)
class Agreement:
    """How far two recipes rank models alike: mean over datasets, and how many datasets both have."""

    mean: float
    datasets: int


def agreement(
    first: GroundTruthTable,
    second: GroundTruthTable,
    metric: Metric,
    min_models: int = 5,
) -> Agreement | None:
    """Agreement over the datasets on which both tables have at least `min_models` models; `None` if there is none."""
    found = []
    at_dataset = {name: row for row, name in enumerate(second.datasets)}
    shared = [name for name in first.models if name in set(second.models)]
    columns = tuple([table.models.index(name) for name in shared] for table in (first, second))
    for row, dataset in enumerate(first.datasets):
        if dataset not in at_dataset:
            continue
        x, y = first.scores[row, columns[0]], second.scores[at_dataset[dataset], columns[1]]
        both = np.isfinite(x) & np.isfinite(y)
        if both.sum() >= min_models:
            found.append(metric(x[both], y[both]))
    return Agreement(float(np.mean(found)), len(found)) if found else None


def ranking_similarity(table: GroundTruthTable, metric: Metric, min_models: int = 5) -> np.ndarray:
    """How alike two datasets rank the models, `[D, D]`: 1 on the diagonal, NaN where they share too few models.

    Self-transfer is left out: a model is good on its own dataset because it has seen it.
    """
    scores = np.where(table.self_transfer, np.nan, table.scores)
    found = np.eye(len(scores))
    for first in range(len(scores)):
        for second in range(first):
            both = np.isfinite(scores[first]) & np.isfinite(scores[second])
            alike = metric(scores[first][both], scores[second][both]) if both.sum() >= min_models else np.nan
            found[first, second] = found[second, first] = alike
    return found


def share_of_groups(table: GroundTruthTable, group_of: Mapping[str, str]) -> float | None:
    """Share of the static part that a grouping of models (their families, say) explains, corrected for its size.

    The adjusted R squared of the models' mean z-scores on the groups; `None` if there are too few models.
    """
    whole = np.isfinite(table.scores).all(0)
    names = [name for name, kept in zip(table.models, whole, strict=True) if kept]
    scores = table.scores[:, whole]
    groups = sorted({group_of[name] for name in names})
    if len(names) <= len(groups) + 1 or len(groups) < 2 or not (scores.std(1) > 0).all():
        return None
    means = z_scores(scores).mean(0)
    labels = np.asarray([group_of[name] for name in names])
    within = sum(float(((means[labels == group] - means[labels == group].mean()) ** 2).sum()) for group in groups)
    total = float(((means - means.mean()) ** 2).sum())
    return 1 - (within / (len(names) - len(groups))) / (total / (len(names) - 1))
