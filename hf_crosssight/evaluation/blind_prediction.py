"""Predictions for one split: fitted to its training models and datasets alone, learner chosen inside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .model_splits import Split, inner_folds
from .view_features import ViewFeatures
from .view_regression import dataset_weights, fit

_INNER = 4


def predict_split(
    views: Sequence[ViewFeatures],
    scores: np.ndarray,
    descriptors: np.ndarray,
    parents: Sequence[str],
    lineages: Sequence[str],
    families: Sequence[str],
    split: Split,
) -> np.ndarray:
    """Scores `[t, m]` of a split's test datasets and test models.

    Args:
        views: of all M models.
        scores: `[T, M]`, NaN where nothing was measured or may be learnt from.
        descriptors: `[T, k]` of the datasets.
        parents: T names.
        lineages, families: M names; inner folds hold out what the split holds out.
        split: what may be seen.
    """
    rest, held, known = split.train_models, split.test_models, split.train_datasets
    groups = families if split.by_family else lineages
    inner = inner_folds([groups[i] for i in rest], _INNER, split.seed)
    blocks = [with_flag(view) for view in views]
    seen = scores[np.ix_(known, rest)]
    usable = np.isfinite(seen).sum(1) > 2
    known, seen = known[usable], seen[usable]
    fitted = fit(
        [b[rest] for b in blocks], seen, descriptors[known], [parents[i] for i in known], inner, seed=split.seed
    )
    outputs = fitted.predict([b[held] for b in blocks])
    unseen = np.array([parents[i] not in {parents[j] for j in known} for i in split.test_datasets])
    near, far = (
        dataset_weights(descriptors[split.test_datasets], descriptors[known], width)
        for width in (fitted.known_width, fitted.blind_width)
    )
    return np.asarray(np.where(unseen[:, None], far, near) @ outputs.T)


def with_flag(view: ViewFeatures) -> np.ndarray:
    """Features `[M, F]`, and where some models lack the view, a column that says which have it."""
    return view.values if view.known.all() else np.hstack([view.values, view.known[:, None].astype(float)])
