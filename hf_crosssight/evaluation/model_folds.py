"""Which models are held out together: folds of whole lineages, or whole architecture families."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from hf_crosssight.ground_truth.lineage import lineage_folds


def folds_by_group(groups: Sequence[str], count: int, seed: int) -> list[np.ndarray]:
    """`count` disjoint folds of indices; models of one group (a lineage) are in one fold, empty folds are left out."""
    names = [str(row) for row in range(len(groups))]
    fold_of = lineage_folds(dict(zip(names, groups, strict=True)), names, count, seed)
    at = np.array([fold_of[name] for name in names])
    return [np.flatnonzero(at == fold) for fold in range(count) if (at == fold).any()]


def families_held_out(families: Sequence[str], together: int, smallest: int = 3) -> list[tuple[str, np.ndarray]]:
    """(name, indices) of every choice of `together` families of at least `smallest` models each.

    Models of other families, the rare ones included, are what is left to train on.
    """
    values, counts = np.unique(np.asarray(families, dtype=str), return_counts=True)
    large = [str(value) for value, count in zip(values, counts, strict=True) if count >= smallest]
    own = np.asarray(families, dtype=str)
    return [(" + ".join(chosen), np.flatnonzero(np.isin(own, chosen))) for chosen in combinations(large, together)]


def inner_folds(groups: Sequence[str], count: int, seed: int) -> list[np.ndarray]:
    """Folds inside training models; with fewer groups than `count`, one fold a group.

    Raises:
        ValueError: the models are all of one group, so none can be held out.
    """
    distinct = len(set(groups))
    if distinct < 2:
        raise ValueError("the training models are of one group: there is nothing to choose a learner on")
    return folds_by_group(groups, min(count, distinct), seed)
