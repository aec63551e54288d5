"""What is held out together when a view is judged: lineages or whole architecture families, and parents of datasets.

A prediction is only ever compared with predictions of the same training: over trainings, a mean that leaves a good
model out is lower, and models that a view cannot tell apart would seem to be ranked the wrong way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hf_crosssight.ground_truth.lineage import lineage_folds

UNSEEN_MODELS, UNSEEN_DATASETS, BOTH_UNSEEN = "unseen models", "unseen datasets", "both unseen"
ONE_FAMILY, TWO_FAMILIES = "one family unseen", "two families unseen"
ONE_FAMILY_BLIND, TWO_FAMILIES_BLIND = "one family and datasets unseen", "two families and datasets unseen"
SETTINGS = (
    UNSEEN_MODELS, BOTH_UNSEEN, UNSEEN_DATASETS, ONE_FAMILY, TWO_FAMILIES, ONE_FAMILY_BLIND, TWO_FAMILIES_BLIND,
)  # fmt: skip
FAMILY_SETTINGS = (ONE_FAMILY, TWO_FAMILIES, ONE_FAMILY_BLIND, TWO_FAMILIES_BLIND)


@dataclass(frozen=True)
class Split:
    """One training and what it is tested on; all arrays are indices.

    Attributes:
        setting: one of `SETTINGS`.
        group: what is held out, in words; splits of one setting and group are one unit of a bootstrap.
        seed: of the folds and of the learner.
        train_models, test_models: of models; they share no lineage, and no family in a setting of families.
        train_datasets, test_datasets: of datasets; they share no parent where datasets are unseen.
        by_family: whether inner folds hold out families as well.
    """

    setting: str
    group: str
    seed: int
    train_models: np.ndarray
    test_models: np.ndarray
    train_datasets: np.ndarray
    test_datasets: np.ndarray
    by_family: bool


def folds_by_group(groups: Sequence[str], count: int, seed: int) -> list[np.ndarray]:
    """`count` disjoint folds of indices; what is of one group is in one fold, empty folds are left out."""
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


def all_splits(
    lineages: Sequence[str],
    families: Sequence[str],
    parents: Sequence[str],
    *,
    settings: Sequence[str] = SETTINGS,
    seeds: int = 3,
    model_folds: int = 4,
    dataset_folds: int = 3,
    most_families: int = 12,
) -> Iterator[Split]:
    """Every split of the settings asked for.

    Args:
        lineages, families: M names each, of the models.
        parents: T names, of the datasets.
        settings: which.
        seeds: repetitions with folds of their own; families are held out once.
        model_folds, dataset_folds: how many folds of lineages and of parents.
        most_families: choices of families held out at most, drawn with a fixed seed.
    """
    every = np.arange(len(parents))
    for seed in range(seeds):
        by_parent = folds_by_group(parents, dataset_folds, seed)
        for number, fold in enumerate(folds_by_group(lineages, model_folds, seed)):
            blind = by_parent[number % len(by_parent)]
            name = f"seed {seed}, fold {number}"
            yield from _split(settings, UNSEEN_MODELS, name, seed, len(lineages), fold, every, every)
            yield from _split(
                settings, BOTH_UNSEEN, name, seed, len(lineages), fold, np.setdiff1d(every, blind), blind
            )
        for number, blind in enumerate(by_parent):
            if UNSEEN_DATASETS in settings:
                models, known = np.arange(len(lineages)), np.setdiff1d(every, blind)
                name = f"seed {seed}, parents {number}"
                yield Split(UNSEEN_DATASETS, name, seed, models, models, known, blind, False)
    for together, setting, blindly in ((1, ONE_FAMILY, ONE_FAMILY_BLIND), (2, TWO_FAMILIES, TWO_FAMILIES_BLIND)):
        for name, members in _some(families_held_out(families, together), most_families):
            yield from _split(settings, setting, name, 0, len(families), members, every, every, by_family=True)
            for blind in folds_by_group(parents, dataset_folds, 0):
                known = np.setdiff1d(every, blind)
                yield from _split(settings, blindly, name, 0, len(families), members, known, blind, by_family=True)


def _some(choices: list[tuple[str, np.ndarray]], most: int) -> list[tuple[str, np.ndarray]]:
    if len(choices) <= most:
        return choices
    kept = np.random.default_rng(0).choice(len(choices), most, replace=False)
    return [choices[i] for i in sorted(kept)]


def _split(
    settings: Sequence[str],
    setting: str,
    group: str,
    seed: int,
    models: int,
    held: np.ndarray,
    known: np.ndarray,
    tested: np.ndarray,
    *,
    by_family: bool = False,
) -> Iterator[Split]:
    rest = np.setdiff1d(np.arange(models), held)
    if setting in settings and len(rest) > 2:
        yield Split(setting, group, seed, rest, held, known, tested, by_family)
