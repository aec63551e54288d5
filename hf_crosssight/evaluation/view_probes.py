"""Linear probes of frozen views: what can be read off a view, of models whose lineage the probe never saw.

Logistic regression for classes and ridge regression for values, on standardised features of equal weight a view; the
penalty is chosen by inner folds. All folds hold out whole lineages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .family_pairs import family_pairs
from .model_splits import folds_by_group, inner_folds
from .view_regression import block_scaling

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_FOLDS, _INNER = 5, 3
Blocks = Sequence[np.ndarray]


@dataclass(frozen=True)
class ClassProbe:
    """How well classes were predicted; each array holds one number a seed.

    Attributes:
        accuracy: share of models named rightly.
        balanced: mean over classes of the share of its models named rightly.
        majority: accuracy of always naming the most frequent class of the training models.
        permuted: accuracy of the same probe trained on labels that were shuffled.
        models, classes: how many.
    """

    accuracy: np.ndarray
    balanced: np.ndarray
    majority: np.ndarray
    permuted: np.ndarray
    models: int
    classes: int


@dataclass(frozen=True)
class ValueProbe:
    """How well a value was predicted; each array holds one number a seed.

    Attributes:
        r2: share of the variance explained; 0 is the training models' mean, and it may be negative.
        spearman: rank correlation, mean over folds.
        pairs: share of pairs of one group (a source dataset) of one fold that were ordered rightly.
        permuted: R2 of the same probe trained on values that were shuffled.
        models: how many.
    """

    r2: np.ndarray
    spearman: np.ndarray
    pairs: np.ndarray
    permuted: np.ndarray
    models: int


def usable_classes(labels: Sequence[str], lineages: Sequence[str], fewest: int = 3) -> np.ndarray:
    """Indices of models whose class has at least `fewest` lineages; a class of fewer cannot be learnt from others."""
    kin: dict[str, set[str]] = {}
    for label, lineage in zip(labels, lineages, strict=True):
        kin.setdefault(label, set()).add(lineage)
    return np.array([i for i, label in enumerate(labels) if len(kin[label]) >= fewest], dtype=np.int64)


def probe_classes(blocks: Blocks, labels: Sequence[str], lineages: Sequence[str], seeds: int = 3) -> ClassProbe:
    """Predicts a class of each model from views `[M, F]`, five folds of lineages a seed."""
    names = np.asarray(labels, dtype=str)
    classes = np.unique(names)
    found: dict[str, list[float]] = {"accuracy": [], "balanced": [], "majority": [], "permuted": []}
    for seed in range(seeds):
        shuffled = names[np.random.default_rng(seed).permutation(len(names))]
        predicted, blindly = np.empty_like(names), np.empty_like(names)
        common = np.empty_like(names)
        for fold, rest in _folds(lineages, seed):
            kin = [lineages[i] for i in rest]
            predicted[fold] = _fit_classes(blocks, names, rest, kin, seed)([b[fold] for b in blocks])
            blindly[fold] = _fit_classes(blocks, shuffled, rest, kin, seed, (0.1,))([b[fold] for b in blocks])
            values, counts = np.unique(names[rest], return_counts=True)
            common[fold] = values[counts.argmax()]
        right = predicted == names
        found["accuracy"].append(float(right.mean()))
        found["balanced"].append(float(np.mean([right[names == one].mean() for one in classes])))
        found["majority"].append(float((common == names).mean()))
        found["permuted"].append(float((blindly == names).mean()))
    return ClassProbe(**{key: np.array(own) for key, own in found.items()}, models=len(names), classes=len(classes))


def probe_values(
    blocks: Blocks, values: np.ndarray, groups: Sequence[str], lineages: Sequence[str], seeds: int = 3
) -> ValueProbe:
    """Predicts a value of each model `[M]` from views `[M, F]`; `groups` are those within which pairs are counted."""
    from scipy.stats import spearmanr

    found: dict[str, list[float]] = {"r2": [], "spearman": [], "pairs": [], "permuted": []}
    for seed in range(seeds):
        shuffled = values[np.random.default_rng(seed).permutation(len(values))]
        predicted, mean, blindly = np.zeros(len(values)), np.zeros(len(values)), np.zeros(len(values))
        ranks, right, count = [], 0.0, 0
        for fold, rest in _folds(lineages, seed):
            kin, held = [lineages[i] for i in rest], [block[fold] for block in blocks]
            predicted[fold] = _fit_values(blocks, values, rest, kin, seed)(held)
            blindly[fold] = _fit_values(blocks, shuffled, rest, kin, seed, (1.0,))(held)
            mean[fold] = values[rest].mean()
            if len(fold) > 2 and np.ptp(predicted[fold]) > 0:
                ranks.append(float(spearmanr(predicted[fold], values[fold]).statistic))
            pairs = family_pairs(predicted[fold], values[fold], [groups[i] for i in fold])
            right, count = right + pairs.right, count + pairs.pairs
        total = float(((values - mean) ** 2).sum())
        found["r2"].append(1 - float(((values - predicted) ** 2).sum()) / total)
        found["spearman"].append(float(np.mean(ranks)) if ranks else 0.0)
        found["pairs"].append(right / count if count else float("nan"))
        found["permuted"].append(1 - float(((values - blindly) ** 2).sum()) / total)
    return ValueProbe(**{key: np.array(own) for key, own in found.items()}, models=len(values))


def _folds(lineages: Sequence[str], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(held out, rest) of each fold."""
    return [(fold, np.setdiff1d(np.arange(len(lineages)), fold)) for fold in folds_by_group(lineages, _FOLDS, seed)]


def _fit_classes(
    blocks: Blocks,
    labels: np.ndarray,
    rest: np.ndarray,
    kin: Sequence[str],
    seed: int,
    penalties: Sequence[float] = PENALTIES,
) -> Callable[[Blocks], np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    def fit(rows: np.ndarray, penalty: float) -> Callable[[Blocks], np.ndarray]:
        scale = block_scaling([block[rows] for block in blocks], None, unit_blocks=True)
        features = scale([block[rows] for block in blocks])
        if len(np.unique(labels[rows])) < 2:
            return lambda others: np.full(len(others[0]), labels[rows][0])
        model = LogisticRegression(C=1 / penalty, max_iter=500).fit(features, labels[rows])
        return lambda others: np.asarray(model.predict(scale(others)))

    def worth(predict: Callable[[Blocks], np.ndarray], rows: np.ndarray) -> float:
        return float((predict([block[rows] for block in blocks]) == labels[rows]).mean())

    return _best(fit, worth, rest, kin, seed, penalties)


def _fit_values(
    blocks: Blocks,
    values: np.ndarray,
    rest: np.ndarray,
    kin: Sequence[str],
    seed: int,
    penalties: Sequence[float] = (1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0),
) -> Callable[[Blocks], np.ndarray]:
    from sklearn.linear_model import Ridge

    def fit(rows: np.ndarray, penalty: float) -> Callable[[Blocks], np.ndarray]:
        scale = block_scaling([block[rows] for block in blocks], None, unit_blocks=True)
        model = Ridge(alpha=penalty).fit(scale([block[rows] for block in blocks]), values[rows])
        return lambda others: np.asarray(model.predict(scale(others)))

    def worth(predict: Callable[[Blocks], np.ndarray], rows: np.ndarray) -> float:
        return -float(((predict([block[rows] for block in blocks]) - values[rows]) ** 2).mean())

    return _best(fit, worth, rest, kin, seed, penalties)


def _best(
    fit: Callable[[np.ndarray, float], Callable[[Blocks], np.ndarray]],
    worth: Callable[[Callable[[Blocks], np.ndarray], np.ndarray], float],
    rest: np.ndarray,
    kin: Sequence[str],
    seed: int,
    penalties: Sequence[float],
) -> Callable[[Blocks], np.ndarray]:
    """Fitted to all of `rest` with the penalty that does best on inner folds of it; the largest wins a tie."""
    if len(penalties) == 1:
        return fit(rest, penalties[0])
    inner = inner_folds(kin, _INNER, seed)
    worths = {
        penalty: np.mean([worth(fit(np.delete(rest, fold), penalty), rest[fold]) for fold in inner])
        for penalty in sorted(penalties, reverse=True)
    }
    return fit(rest, max(worths, key=lambda penalty: worths[penalty]))
