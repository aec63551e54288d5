"""From views of models to scores on datasets: trees and ridge regression, chosen by inner folds of training models.

What a model is worth on a dataset is learnt as one output per training dataset (z-scored accuracy). A dataset's score
is a mean of these outputs, weighted by how near the datasets' descriptors are: with an endless width it is the static
score of a model, with a narrow one that of the dataset itself or of its nearest known one. Learner and widths are
chosen on models held out of the training models, and for unseen datasets with each dataset's own outputs left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Blocks = Sequence[np.ndarray]
WIDTHS = (np.inf, 1.0, 0.5, 0.2)


@dataclass(frozen=True)
class Learner:
    """How features become outputs.

    Attributes:
        kind: `trees` (ExtraTrees) or `ridge`.
        components: principal components that each wider block is reduced to; `None` leaves it as it is.
        strength: ridge penalty, for blocks of a variance of one in all; of trees, samples in a leaf.
    """

    kind: str
    components: int | None
    strength: float


TREES = Learner("trees", None, 1)
LEARNERS = (
    TREES,
    Learner("trees", 8, 2),
    Learner("ridge", None, 0.3),
    Learner("ridge", None, 1.0),
    Learner("ridge", None, 10.0),
)
# All learners' mean, the trees, the ridge regressions: few enough that some twenty models can choose among them.
COMMITTEES: tuple[tuple[Learner, ...], ...] = (LEARNERS, (TREES,), LEARNERS[2:])


@dataclass(frozen=True)
class Fitted:
    """The learners whose mean is taken, with the widths that inner folds chose for known and for unseen datasets."""

    learners: tuple[Learner, ...]
    known_width: float
    blind_width: float
    predict: Callable[[Blocks], np.ndarray]


def z_targets(scores: np.ndarray) -> np.ndarray:
    """Outputs `[m, T]` of scores `[T, m]`: z-scored by dataset; where nothing was measured, the model's mean."""
    mean = np.nanmean(scores, axis=1, keepdims=True)
    spread = np.nanstd(scores, axis=1, keepdims=True)
    values = ((scores - mean) / np.maximum(spread, 1e-9)).T
    known = np.isfinite(values)
    own = np.where(known, values, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    return np.asarray(np.where(known, values, own))


def dataset_weights(descriptors: np.ndarray, known: np.ndarray, width: float) -> np.ndarray:
    """Weights `[S, T]` of T known datasets `[T, k]` for S datasets `[S, k]`; each row sums to one.

    `width` is in units of the median distance between known datasets.
    """
    if not np.isfinite(width):
        return np.full((len(descriptors), len(known)), 1.0 / len(known))
    squared = ((descriptors[:, None] - known[None]) ** 2).sum(-1)
    among = ((known[:, None] - known[None]) ** 2).sum(-1)[np.triu_indices(len(known), 1)]
    scale = np.median(among) if len(among) else 1.0
    logits = -squared / (2 * width**2 * max(float(scale), 1e-12))
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def fit(
    blocks: Blocks,
    scores: np.ndarray,
    descriptors: np.ndarray,
    parents: Sequence[str],
    inner: Sequence[np.ndarray],
    *,
    seed: int = 0,
    committees: Sequence[tuple[Learner, ...]] = COMMITTEES,
    trees: int = 80,
) -> Fitted:
    """The committee and the widths that do best on inner folds, fitted to all training models.

    Args:
        blocks: features `[m, F]`, one array a view.
        scores: `[T, m]`, NaN where nothing was measured.
        descriptors: `[T, k]` of the datasets.
        parents: T names; datasets of one parent count as one for the choice of `blind_width`.
        inner: arrays of model indices, each held out in turn.
        seed: of the trees.
        committees: candidates; the first wins a tie.
        trees: in the final forest (a third of them in inner folds).
    """
    targets = z_targets(scores)
    members = dict.fromkeys(learner for committee in committees for learner in committee)
    held = {one: _held_out_outputs(one, blocks, targets, inner, seed, max(trees // 3, 20)) for one in members}

    def worth(committee: tuple[Learner, ...], width: float, blind: bool) -> float:
        outputs = np.mean([held[one] for one in committee], axis=0)
        return _agreement(outputs, scores, descriptors, parents, inner, width, blind=blind)

    known = {(c, w): worth(c, w, False) for c in committees for w in WIDTHS}
    best, known_width = max(known, key=lambda choice: known[choice])
    blind_width = max(WIDTHS, key=lambda w: worth(best, w, True))
    fitted = [fit_learner(one, blocks, targets, seed, trees) for one in best]
    return Fitted(best, known_width, blind_width, lambda others: np.mean([own(others) for own in fitted], axis=0))


def _held_out_outputs(
    learner: Learner, blocks: Blocks, targets: np.ndarray, inner: Sequence[np.ndarray], seed: int, trees: int
) -> np.ndarray:
    """Outputs `[m, T]` of each model by a learner that did not see its inner fold."""
    held = np.zeros_like(targets)
    for fold in inner:
        rest = np.setdiff1d(np.arange(len(targets)), fold)
        predict = fit_learner(learner, [block[rest] for block in blocks], targets[rest], seed, trees)
        held[fold] = predict([block[fold] for block in blocks])
    return held


def _agreement(
    outputs: np.ndarray,
    scores: np.ndarray,
    descriptors: np.ndarray,
    parents: Sequence[str],
    inner: Sequence[np.ndarray],
    width: float,
    *,
    blind: bool,
) -> float:
    """Mean agreement over datasets and inner folds; `blind` leaves out the outputs of the dataset's own parent."""
    names = np.asarray(parents, dtype=object)
    mixed = np.zeros_like(scores)
    ranked = np.zeros(len(scores), bool)
    for row in range(len(scores)):
        kept = np.flatnonzero(names != names[row]) if blind else np.arange(len(scores))
        if len(kept):
            weights = dataset_weights(descriptors[row : row + 1], descriptors[kept], width)[0]
            mixed[row], ranked[row] = outputs[:, kept] @ weights, True
    found = [top_weighted_agreement(mixed[ranked][:, fold], scores[ranked][:, fold]) for fold in inner]
    values = np.concatenate(found) if found else np.zeros(0)
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


def top_weighted_agreement(predicted: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Concordance of each row `[T, m]`, pairs weighted by the true ranks as in a weighted tau; NaN without a pair.

    The hyperbolic weights are 1/(1 + r_i) + 1/(1 + r_j), r from 0 for the best. Unmeasured scores (NaN) count nowhere.
    """
    i, j = np.triu_indices(scores.shape[1], 1)
    ranks = np.argsort(np.argsort(-scores, axis=1), axis=1)  # NaN is last, behind all that was measured
    weights = 1.0 / (1 + ranks[:, i]) + 1.0 / (1 + ranks[:, j])
    difference = np.sign(scores[:, i] - scores[:, j])
    weights = np.where(np.isfinite(difference) & (difference != 0), weights, 0.0)
    right = np.nan_to_num(difference) * np.sign(predicted[:, i] - predicted[:, j])
    total = weights.sum(1)
    return np.asarray(np.where(total > 0, (right * weights).sum(1) / np.maximum(total, 1e-12), np.nan))


def fit_learner(
    learner: Learner, blocks: Blocks, targets: np.ndarray, seed: int, trees: int
) -> Callable[[Blocks], np.ndarray]:
    """A learner fitted to targets `[m, T]`; it maps blocks of other models to outputs `[m', T]`."""
    from sklearn.linear_model import Ridge

    scale = block_scaling(blocks, learner.components, unit_blocks=learner.kind == "ridge")
    features = scale(blocks)
    if learner.kind == "trees":
        predict = _forest(features, targets, int(learner.strength), seed, trees)
    else:
        predict = Ridge(alpha=learner.strength).fit(features, targets).predict
    return lambda others: np.asarray(predict(scale(others))).reshape(-1, targets.shape[1])


def _forest(
    features: np.ndarray, targets: np.ndarray, leaf: int, seed: int, trees: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Extremely randomised trees (Geurts, Ernst, Wehenkel, 2006): half of the features a split, no bootstrap.

    Grown one by one: for tables of some twenty models, a forest's bookkeeping costs more than its trees.
    """
    from sklearn.tree import ExtraTreeRegressor

    inputs, outputs = np.ascontiguousarray(features, np.float32), np.ascontiguousarray(targets, np.float64)
    grown = [
        ExtraTreeRegressor(min_samples_leaf=leaf, max_features=0.5, random_state=1000 * seed + number).fit(
            inputs, outputs, check_input=False
        )
        for number in range(trees)
    ]

    def predict(others: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(others, np.float32)
        return np.mean([tree.predict(rows, check_input=False).reshape(len(rows), -1) for tree in grown], axis=0)

    return predict


def block_scaling(blocks: Blocks, components: int | None, *, unit_blocks: bool) -> Callable[[Blocks], np.ndarray]:
    """Standardised (by the training models) and joined blocks; of `unit_blocks` each has a variance of one in all."""
    fitted = []
    for block in blocks:
        mean, spread = block.mean(0), block.std(0)
        kept = spread > 1e-6
        directions = None
        if components is not None and kept.sum() > components:
            whole = (block[:, kept] - mean[kept]) / spread[kept]
            directions = np.linalg.svd(whole, full_matrices=False)[2][:components].T
        fitted.append((mean, spread, kept, directions, np.sqrt(max(int(kept.sum()), 1)) if unit_blocks else 1.0))

    def apply(others: Blocks) -> np.ndarray:
        parts = []
        for block, (mean, spread, kept, directions, size) in zip(others, fitted, strict=True):
            part = np.clip((block[:, kept] - mean[kept]) / spread[kept], -10, 10)
            parts.append((part if directions is None else part @ directions) / size)
        joined = np.hstack(parts)
        return joined if joined.shape[1] else np.zeros((len(joined), 1))

    return apply
