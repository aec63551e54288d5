"""The simple baselines by the names of the command line, with the peers' signature: `fit(history)`, `score(target)`.

`make_baseline(name)` makes one of `BASELINES`. Facts are unknown for some models, past results for blind ones: these
get the middle of the others, and where that would be all of them, the baseline raises instead of tying them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.peers.history import Array, Candidates, History, Ranker, Target, gaussianised, known_rows
from hf_crosssight.peers.scaling import Scaling

from .baselines import quantiles, z_scores


class RandomRanking:
    """A number for each pair of model and dataset that only the seed and their ids decide."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, history: History) -> RandomRanking:
        return self

    def score(self, target: Target) -> Array:
        """`[M]` in [0, 1)."""
        keys = [zlib.crc32(f"{self.seed}/{target.dataset}/{model}".encode()) for model in target.models.ids]
        return np.array([np.random.default_rng(key).random() for key in keys])


class FactRanking:
    """Ranks by one stated fact: `params`, `gmacs`, `source_accuracy`, `popularity` (downloads); more is better."""

    def __init__(self, fact: str) -> None:
        self.fact = fact

    def fit(self, history: History) -> FactRanking:
        return self

    def score(self, target: Target) -> Array:
        """`[M]` the fact itself, its median where it is unknown."""
        values = np.asarray(target.models.facts.get(self.fact, np.full(len(target.models.ids), np.nan)), np.float64)
        return _middle_for_unknown(self.fact, values, "no candidate states it")


class StaticMean:
    """The mean over the history of a model's share of beaten models, or of its z-score: looks at no dataset."""

    def __init__(self, name: str, value: Callable[[Array], Array]) -> None:
        self.name, self.value = name, value

    def fit(self, history: History) -> StaticMean:
        table = np.full(history.accuracies.shape, np.nan)
        for d in range(len(history.datasets)):
            rows, accuracies = history.measured(d)
            table[rows, d] = self.value(accuracies)
        known = np.isfinite(table)
        self._known = history.models.ids
        self._means = np.where(known, table, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        self._means[~known.any(axis=1)] = np.nan
        return self

    def score(self, target: Target) -> Array:
        """`[M]`; the median of the known ones for blind models."""
        rows = known_rows(self._known, target.models)
        return _middle_for_unknown(
            self.name, np.where(rows >= 0, self._means[rows], np.nan), "no candidate is in the history"
        )


class NearestDataset:
    """A model's rank on the past dataset that is nearest by its tokens and on which it was measured."""

    def fit(self, history: History) -> NearestDataset:
        summaries = history.summaries()
        self._history, self._scaling = history, Scaling.of(summaries)
        self._summaries = self._scaling(summaries)
        self._ranks = np.full(history.accuracies.shape, np.nan)
        for d in range(len(history.datasets)):
            rows, accuracies = history.measured(d)
            self._ranks[rows, d] = quantiles(accuracies)
        return self

    def score(self, target: Target) -> Array:
        """`[M]`; the median for blind models. The target itself is no past dataset of its own."""
        from hf_crosssight.peers.history import summary

        squares = ((self._summaries - self._scaling(summary(target.tokens))) ** 2).sum(axis=1)
        order = [d for d in np.argsort(squares, kind="stable") if self._history.datasets[d] != target.dataset]
        found = np.full(len(self._history.models.ids), np.nan)
        for d in order:
            found = np.where(np.isnan(found), self._ranks[:, d], found)
        rows = known_rows(self._history.models.ids, target.models)
        return _middle_for_unknown(
            "nearest_dataset", np.where(rows >= 0, found[rows], np.nan), "no candidate is in the history"
        )


class MetadataRegression:
    """`ridge` or `trees` (ExtraTrees) from plain metadata of model and dataset to gaussianised ranks.

    Metadata are the candidates' features and facts, the dataset's summary on its leading directions, and, for the
    linear one, their products.
    """

    def __init__(self, kind: str, seed: int = 0) -> None:
        self.kind, self.seed = kind, seed

    def fit(self, history: History) -> MetadataRegression:
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.linear_model import RidgeCV

        self._facts = sorted(history.models.facts)
        raw = _metadata(history.models, self._facts)
        self._models, summaries = Scaling.of(raw), history.summaries()
        self._scaling = Scaling.of(summaries)
        scaled = self._scaling(summaries)
        self._directions = np.linalg.svd(scaled, full_matrices=False)[2][:4]
        rows, targets = [], []
        for d in range(len(history.datasets)):
            measured, accuracies = history.measured(d)
            rows.append(self._pairs(raw[measured], scaled[d]))
            targets.append(gaussianised(accuracies))
        if self.kind == "ridge":
            self._fitted = RidgeCV(np.logspace(-1, 4, 11))
        else:
            self._fitted = ExtraTreesRegressor(200, min_samples_leaf=3, max_features=0.4, random_state=self.seed)
        self._fitted.fit(np.vstack(rows), np.concatenate(targets))
        return self

    def score(self, target: Target) -> Array:
        """`[M]` predicted ranks."""
        from hf_crosssight.peers.history import summary

        place = self._scaling(summary(target.tokens))
        return np.asarray(self._fitted.predict(self._pairs(_metadata(target.models, self._facts), place)))

    def _pairs(self, metadata: Array, place: Array) -> Array:
        """Features `[M, F]` of the models' pairs with the dataset at `place`."""
        own, whole = self._models(metadata), self._directions @ place
        shared = np.broadcast_to(whole, (len(own), len(whole)))
        if self.kind != "ridge":
            return np.hstack([own, shared])
        # Scaled like the others, lest the strength of the ridge mean another thing for them.
        crossed = own[:, :, None] * (whole / np.maximum(np.abs(whole).max(), 1.0))[None, None, :]
        return np.hstack([own, crossed.reshape(len(own), -1)])


def _metadata(models: Candidates, facts: list[str]) -> Array:
    """Features, and for each fact its value (log10 for counts) with a flag that it is known."""
    columns = [np.asarray(models.features, np.float64)]
    for name in facts:
        values = np.asarray(models.facts.get(name, np.full(len(models.ids), np.nan)), np.float64)
        known = np.isfinite(values)
        logged = np.log10(np.maximum(np.where(known, values, 1.0), 1e-9)) if name != "source_accuracy" else values
        columns.append(np.column_stack([np.where(known, logged, 0.0), known]))
    return np.hstack(columns)


def _middle_for_unknown(name: str, values: Array, reason: str) -> Array:
    if not np.isfinite(values).any():
        raise UserError(f"{name}: {reason}, so all would tie", "leave this baseline out")
    return np.where(np.isfinite(values), values, np.nanmedian(values))


BASELINES: dict[str, Callable[[int], Ranker]] = {
    "random": RandomRanking,
    "params": lambda seed: FactRanking("params"),
    "gmacs": lambda seed: FactRanking("gmacs"),
    "source_accuracy": lambda seed: FactRanking("source_accuracy"),
    "popularity": lambda seed: FactRanking("popularity"),
    "static_mean_rank": lambda seed: StaticMean("static_mean_rank", quantiles),
    "static_mean_z": lambda seed: StaticMean("static_mean_z", z_scores),
    "nearest_dataset": lambda seed: NearestDataset(),
    "ridge": lambda seed: MetadataRegression("ridge", seed),
    "trees": lambda seed: MetadataRegression("trees", seed),
}


def make_baseline(name: str, seed: int = 0) -> Ranker:
    """An unfitted baseline."""
    if name not in BASELINES:
        raise UserError(f"'{name}' is not a baseline", f"known: {', '.join(BASELINES)}")
    return BASELINES[name](seed)
