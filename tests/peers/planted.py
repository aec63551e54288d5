"""A synthetic history with planted structure: models and datasets with hidden tastes, seen through features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hf_crosssight.peers import Candidates, History, Target


@dataclass(frozen=True)
class World:
    """Accuracy = quality + taste x place + noise; tokens show the dataset's place, features the model's taste."""

    history: History
    targets: tuple[Target, ...]
    accuracies: tuple[np.ndarray, ...]


def make_world(
    models: int = 24, datasets: int = 14, blind_models: int = 8, blind_datasets: int = 6, seed: int = 0
) -> World:
    rng = np.random.default_rng(seed)
    count, total = models + blind_models, datasets + blind_datasets
    quality, taste = 0.5 * rng.normal(size=count), rng.normal(size=(count, 2))
    place = rng.normal(size=(total, 2))
    accuracies = 0.7 + 0.05 * (quality[:, None] + taste @ place.T + 0.1 * rng.normal(size=(count, total)))
    shows = rng.normal(size=(2, 10))
    tokens = [place[d] @ shows + 0.3 * rng.normal(size=(5, 10)) for d in range(total)]
    features = np.column_stack([taste, quality, rng.normal(size=(count, 3))]) @ rng.normal(size=(6, 6))
    ids = tuple(f"org/model-{i}" for i in range(count))
    facts = {
        "params": 10.0 ** (7 + quality),
        "gmacs": 2.0**quality,
        "source_accuracy": 70 + quality,
        "popularity": np.where(np.arange(count) % 4 == 0, np.nan, 100 + quality),
    }

    def candidates(rows: np.ndarray) -> Candidates:
        chosen = {name: values[rows] for name, values in facts.items()}
        names = tuple(f"feature_{j}" for j in range(6))
        return Candidates(tuple(ids[i] for i in rows), features[rows], names, chosen)

    known, everyone = np.arange(models), np.arange(count)
    measured = np.where(rng.random((models, datasets)) < 0.2, np.nan, accuracies[:models, :datasets])
    past = tuple(f"past-{d}" for d in range(datasets))
    history = History(candidates(known), past, measured, tuple(tokens[:datasets]))
    targets = tuple(Target(candidates(everyone), tokens[d], f"blind-{d}") for d in range(datasets, total))
    return World(history, targets, tuple(accuracies[:, d] for d in range(datasets, total)))
