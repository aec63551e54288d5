"""What views earn on held-out models: one cell a training and dataset, figures over cells, paired differences, a gate.

Spread: a two-way bootstrap that draws both what is held out and the parents of datasets with replacement, since cells
of one training, or of one dataset, are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .family_pairs import PairCount, family_pairs
from .metrics import weighted_tau
from .model_splits import Split

_DRAWS = 1000


@dataclass(frozen=True)
class Cell:
    """One training on one test dataset.

    Attributes:
        setting, group: of the split.
        seed: of the split.
        dataset, parent: of the test dataset.
        tau: weighted tau over the held-out models; NaN for fewer than three.
        pairs: held-out models of one family.
    """

    setting: str
    group: str
    seed: int
    dataset: str
    parent: str
    tau: float
    pairs: PairCount


@dataclass(frozen=True)
class Figure:
    """A mean over cells with its 90 % interval, and its standard deviation over what was held out (or over seeds)."""

    mean: float
    low: float
    high: float
    spread: float


def cells_of(
    predicted: np.ndarray,
    scores: np.ndarray,
    split: Split,
    datasets: Sequence[str],
    parents: Sequence[str],
    families: Sequence[str],
    noise: float = 0.0,
) -> list[Cell]:
    """Cells of one split.

    Args:
        predicted: `[t, m]` for the split's test datasets and test models.
        scores: `[T, M]`, NaN where nothing was measured or counts.
        split: what was held out.
        datasets, parents: T names.
        families: M names.
        noise: standard deviation of one measured accuracy; pairs closer than that of a difference are not clear.
    """
    own = [families[i] for i in split.test_models]
    cells = []
    for row, dataset in zip(predicted, split.test_datasets, strict=True):
        measured = scores[dataset, split.test_models]
        kept = np.isfinite(measured)
        tau = weighted_tau(row[kept], measured[kept]) if kept.sum() >= 3 else float("nan")
        pairs = family_pairs(row, measured, own, noise * 2**0.5)
        cells.append(
            Cell(split.setting, split.group, split.seed, datasets[dataset], parents[dataset], tau, pairs)
        )  # fmt: skip
    return cells


def tau_figure(cells: Sequence[Cell]) -> Figure:
    """Mean weighted tau over cells."""
    return _figure(cells, np.array([cell.tau for cell in cells]), np.ones(len(cells)))


def pair_figure(cells: Sequence[Cell], *, clear: bool = False) -> Figure:
    """Share of pairs of one family that were ordered rightly, of all cells' pairs together."""
    right = np.array([cell.pairs.clear_right if clear else cell.pairs.right for cell in cells], float)
    count = np.array([cell.pairs.clear if clear else cell.pairs.pairs for cell in cells], float)
    return _figure(cells, np.where(count > 0, right / np.maximum(count, 1), np.nan), count)


def difference(first: Sequence[Cell], second: Sequence[Cell], *, pairs: bool = False) -> Figure:
    """First less second over the same cells, in weighted tau or in pair accuracy.

    Raises:
        ValueError: the cells are not those of the same splits.
    """
    if [_key(cell) for cell in first] != [_key(cell) for cell in second]:
        raise ValueError("only results of the same splits can be paired")
    if not pairs:
        return _figure(
            first, np.array([a.tau - b.tau for a, b in zip(first, second, strict=True)]), np.ones(len(first))
        )
    count = np.array([cell.pairs.pairs for cell in first], float)
    right = np.array([a.pairs.right - b.pairs.right for a, b in zip(first, second, strict=True)])
    return _figure(first, np.where(count > 0, right / np.maximum(count, 1), np.nan), count)


def gated_off(added: Figure, alone: Figure, *, tolerance: float = 0.01, floor: float = 0.30) -> bool:
    """Whether a view should be ignored for families unlike those in training.

    It should where adding it lowers tau by more than `tolerance`, or where alone it does not reach `floor`.
    """
    return added.mean < -tolerance or alone.mean < floor


def _key(cell: Cell) -> tuple[str, str, str]:
    return cell.setting, cell.group, cell.dataset


def _figure(cells: Sequence[Cell], values: np.ndarray, weights: np.ndarray) -> Figure:
    kept = np.isfinite(values) & (weights > 0)
    if not kept.any():
        return Figure(*[float("nan")] * 4)
    chosen = [cell for cell, keep in zip(cells, kept, strict=True) if keep]
    values, weights = values[kept], weights[kept]
    drawn = _bootstrap(chosen, values, weights)
    units: Callable[[Cell], str] = (
        (lambda c: str(c.seed)) if len({c.seed for c in chosen}) > 1 else (lambda c: c.group)
    )
    names = np.array([units(cell) for cell in chosen])
    means = [np.average(values[names == name], weights=weights[names == name]) for name in sorted(set(names))]
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    low, high = np.quantile(drawn, [0.05, 0.95])
    return Figure(float(np.average(values, weights=weights)), float(low), float(high), spread)


def _bootstrap(cells: Sequence[Cell], values: np.ndarray, weights: np.ndarray, seed: int = 0) -> np.ndarray:
    """Means with groups and parents drawn with replacement; a draw without a cell is the plain mean."""
    rng = np.random.default_rng(seed)
    drawn = np.ones((_DRAWS, len(cells)))
    for names in ([cell.group for cell in cells], [cell.parent for cell in cells]):
        distinct, at = np.unique(np.asarray(names, dtype=str), return_inverse=True)
        counts = rng.multinomial(len(distinct), np.full(len(distinct), 1 / len(distinct)), size=_DRAWS)
        drawn *= counts[:, at]
    total = (drawn * weights).sum(1)
    plain = np.average(values, weights=weights)
    return np.asarray(np.where(total > 0, (drawn * weights * values).sum(1) / np.maximum(total, 1e-12), plain))
