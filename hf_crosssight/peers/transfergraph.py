"""A regression on graph features in the manner of TransferGraph, without what leaks the answer.

Source: Li, van den Heuvel, Zhang, et al., "Model selection with model zoo via graph learning" (ICDE 2024): models and
datasets are nodes, past results and similarities are edges, and a regression predicts accuracies from node features
and metadata. The published regressions also read `elapsed_time` and `train_runtime` of the very run that they predict;
`history.LEAKS` are refused here, and every feature of a training pair is computed with that pair's dataset taken out
of the graph, as the target's will be.

Features of a (model, dataset) pair: the model's metadata and the dataset's summary; over the model's edges to the
other datasets, the plain and the similarity-weighted mean rank, their spread and number, and its rank on the nearest
datasets; the same means over the models that resemble it. A blind model has no edges: every training pair is seen
twice, with its model's edges and without. Extremely randomised trees do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hf_crosssight.errors import UserError

from .history import Array, History, Target, known_rows, summary
from .scaling import Scaling, nearness

_NEAREST_DATASETS = 3
_NEAREST_MODELS = 5


@dataclass(frozen=True)
class TransferGraphConfig:
    """trees: how many; leaf: fewest pairs in a leaf."""

    trees: int = 200
    leaf: int = 3
    seed: int = 0


class TransferGraph:
    """Trees on metadata and leave-one-dataset-out graph features."""

    def __init__(self, config: TransferGraphConfig | None = None) -> None:
        self.config = config or TransferGraphConfig()

    def fit(self, history: History) -> TransferGraph:
        """Builds the graph and fits the trees to gaussianised ranks."""
        from sklearn.ensemble import ExtraTreesRegressor

        if len(history.datasets) < 2 or len(history.models.ids) < 2:
            raise UserError("transfergraph needs two past datasets and two models", "give a longer history")
        self._history, self._ranks = history, history.ranks()
        self._features = Scaling.of(history.models.features)
        self._metadata = self._features(history.models.features)
        summaries = history.summaries()
        self._scaling = Scaling.of(summaries)
        self._summaries = self._scaling(summaries)
        self._directions = np.linalg.svd(self._summaries, full_matrices=False)[2][:4]
        rows, targets = [], []
        everyone = np.arange(len(history.models.ids))
        for d in range(len(history.datasets)):
            measured, _ = history.measured(d)
            for edges in (everyone, np.full(len(everyone), -1)):
                pairs = self._pairs(self._metadata, edges, self._summaries[d], leave_out=d, same=True)
                rows.append(pairs[measured])
                targets.append(self._ranks[measured, d])
        self._trees = ExtraTreesRegressor(
            self.config.trees, min_samples_leaf=self.config.leaf, max_features=0.4, random_state=self.config.seed
        ).fit(np.vstack(rows), np.concatenate(targets))
        return self

    def score(self, target: Target) -> Array:
        """`[M]` predicted ranks."""
        place = self._scaling(summary(target.tokens))
        history = self._history
        own = history.datasets.index(target.dataset) if target.dataset in history.datasets else None
        metadata = self._features(target.models.features)
        edges = known_rows(history.models.ids, target.models)
        return np.asarray(self._trees.predict(self._pairs(metadata, edges, place, own, same=False)))

    def _pairs(self, metadata: Array, edges: Array, place: Array, leave_out: int | None, same: bool) -> Array:
        """Features of each model's pair with one dataset.

        Args:
            metadata: `[M, F]` scaled.
            edges: `[M]`, the model's row in the history or -1.
            place: the dataset's scaled summary.
            leave_out: the history's column that is the dataset itself.
            same: the models are those of the history in its order, so that none is its own neighbour.
        """
        others = np.array([d for d in range(len(self._summaries)) if d != leave_out], dtype=np.int64)
        ranks = self._ranks[:, others]
        weights = nearness(place, self._summaries[others])
        graph = np.vstack([_edge_features(ranks, weights), np.zeros((1, 4 + _NEAREST_DATASETS))])
        like = self._alike(metadata, same)
        neighbours = graph[like][:, :, :2].mean(axis=1)
        whole = np.broadcast_to(self._directions @ place, (len(metadata), len(self._directions)))
        return np.hstack([metadata, graph[edges], neighbours, whole])

    def _alike(self, metadata: Array, same: bool) -> Array:
        """`[M, k]` rows of the history's models that are most like each."""
        squares = ((metadata[:, None, :] - self._metadata[None, :, :]) ** 2).sum(axis=2)
        if same:
            np.fill_diagonal(squares, np.inf)
        count = min(_NEAREST_MODELS, squares.shape[1] - 1)
        return np.argsort(squares, axis=1, kind="stable")[:, :count]


def _edge_features(ranks: Array, weights: Array) -> Array:
    """`[M, 4 + n]`: mean rank, weighted mean rank, spread, log count, and the ranks on the n nearest datasets."""
    known = np.isfinite(ranks)
    filled, count = np.where(known, ranks, 0.0), known.sum(axis=1)
    mean = filled.sum(axis=1) / np.maximum(count, 1)
    weighted = (filled @ weights) / np.maximum(known @ weights, 1e-12)
    spread = np.sqrt(np.where(known, (ranks - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(count, 1))
    nearest = np.argsort(-weights, kind="stable")[:_NEAREST_DATASETS]
    found = np.where(known, ranks, mean[:, None])[:, nearest]
    padded = np.pad(found, ((0, 0), (0, _NEAREST_DATASETS - found.shape[1])))
    return np.column_stack([mean, weighted, spread, np.log1p(count), padded])
