"""PARC: the rank correlation of how unlike images are in the features and in the labels.

Source: Bolya, Mittapalli, Hoffman, "Scalable diverse model selection for accessible transfer learning" (NeurIPS 2021),
section 4: Spearman correlation over pairs of 1 - Pearson(row, row) of the standardised features and of the one-hot
labels, times 100.

Default: exact, with the two values that the labels' distance has (same class or not) tied as they are. The Spearman
correlation with a two-valued variable needs only the ranks of the feature distances. Above 5,000 images a seeded
sample of as many, balanced over the classes, stands in: there are N^2/2 pairs to sort.

Public implementations: `parc` lets rounding break the labels' ties, which moves the score by up to 0.2 and differs
between machines; `parc-32` (= sfda) projects on 32 randomised components (seed 1919) first. `exact` and `exact-32` are
these two without the broken ties.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import UserError

from .classes import one_hot, standardise
from .inputs import Array, Inputs

_MOST_ROWS = 5_000


def score(inputs: Inputs) -> float:
    """100 x Spearman correlation over pairs, ties exact; in [-100, 100]."""
    rows, labels = inputs.features, inputs.labels
    if len(rows) > _MOST_ROWS:
        kept = balanced_sample(labels, _MOST_ROWS, inputs.seed)
        rows, labels = rows[kept], labels[kept]
    return _two_valued_spearman(standardise(rows, overwrite=True), labels)


def balanced_sample(labels: Array, count: int, seed: int) -> Array:
    """`count` row numbers in ascending order, as even over the classes as their sizes allow."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), dtype=np.int64)
    for c in np.unique(labels):
        own = order[labels[order] == c]
        turn[own] = np.arange(len(own))
    return np.sort(order[np.argsort(turn[order], kind="stable")[:count]])


def _two_valued_spearman(rows: Array, labels: Array) -> float:
    from scipy.stats import rankdata

    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(norms > 0, norms, 1.0)
    upper = np.triu_indices(len(rows), k=1)
    ranks = rankdata(-(unit @ unit.T)[upper])
    if ranks[0] == ranks[-1] and (ranks == ranks[0]).all():
        raise UserError(
            "parc: every pair of images is equally far apart in these features", "give features of more dimensions"
        )
    different = labels[upper[0]] != labels[upper[1]]
    share = different.mean()
    covariance = (ranks * different).mean() - ranks.mean() * share
    return 100.0 * float(covariance / (ranks.std() * np.sqrt(share * (1.0 - share))))


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns; higher is better."""
    from scipy.stats import spearmanr

    rows = inputs.features
    if implementation.endswith("32"):
        rows = public_components(rows, 32)
    rows = public_standardise(rows)
    if implementation.startswith("exact"):
        return _two_valued_spearman(rows.astype(np.float64), inputs.labels)
    upper = np.triu_indices(len(rows), k=1)
    features = (1.0 - np.corrcoef(rows))[upper]
    targets = (1.0 - np.corrcoef(one_hot(inputs.labels, inputs.num_classes)))[upper]
    return 100.0 * float(spearmanr(features, targets).statistic)


def public_components(rows: Array, dims: int) -> Array:
    """The PARC code's projection: randomised PCA, seed 1919, one power iteration."""
    from sklearn.decomposition import PCA

    dims = min(dims, len(rows))
    if rows.shape[1] < dims:
        raise ValueError(f"its projection needs {dims} features, there are {rows.shape[1]}")
    return np.asarray(
        PCA(n_components=dims, svd_solver="randomized", random_state=1919, iterated_power=1).fit_transform(rows)
    )


def public_standardise(rows: Array) -> Array:
    """scikit-learn's StandardScaler in the input's precision."""
    from sklearn.preprocessing import StandardScaler

    return np.asarray(StandardScaler().fit_transform(rows))
