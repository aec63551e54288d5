"""Fennec: past results as a low-rank transfer space, into which new datasets and new models are mapped.

Source: Bai, Zhang, Cai, Zhu, "Pre-trained model recommendation for downstream fine-tuning" (2024), section 3: the
matrix of results is factorised, a proxy model's features of the target carry it into the space of the datasets'
factors, an architecture vector ("archi2vec") carries a new model into the models', and the score is their product.

Here the matrix holds gaussianised ranks, R ~ b + U V', by alternating ridge regressions over what was measured. A
target's factors are a ridge regression or a kNN average of the past ones from the summary of its tokens (`mapping`);
a blind model's b and u are a ridge regression from its features. Ridge strengths come from leave-one-out errors
within the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError

from .history import Array, History, Target, known_rows, summary
from .scaling import Scaling, nearness

_STRENGTHS = np.logspace(-1, 4, 11)


@dataclass(frozen=True)
class FennecConfig:
    """rank: size of the transfer space; ridge: of the factorisation; mapping: `ridge` or `knn`."""

    rank: int = 3
    ridge: float = 1.0
    mapping: str = "ridge"
    rounds: int = 50
    seed: int = 0


class Fennec:
    """Factorised history with mapped datasets and models."""

    def __init__(self, config: FennecConfig | None = None) -> None:
        self.config = config or FennecConfig()
        if self.config.mapping not in ("ridge", "knn"):
            raise UserError(f"fennec: no mapping is called '{self.config.mapping}'", "known: ridge, knn")

    def fit(self, history: History) -> Fennec:
        """Factorises the history and learns the two maps into it."""
        rank = max(1, min(self.config.rank, len(history.datasets) - 1, len(history.models.ids) - 1))
        bias, users, items = factorise(history.ranks(), rank, self.config)
        self._known, self._models = history.models.ids, np.hstack([bias[:, None], users])
        summaries = history.summaries()
        self._scaling, self._items = Scaling.of(summaries), items
        self._summaries = self._scaling(summaries)
        self._to_item = _ridge(self._summaries, items) if self.config.mapping == "ridge" else None
        self._features = Scaling.of(history.models.features)
        self._to_model = _ridge(self._features(history.models.features), self._models)
        return self

    def score(self, target: Target) -> Array:
        """`[M]`: b + u v of each candidate, blind ones by their features."""
        place = self._scaling(summary(target.tokens))
        if self._to_item is not None:
            factors = self._to_item.predict(place[None])[0]
        else:
            factors = nearness(place, self._summaries) @ self._items
        rows = known_rows(self._known, target.models)
        models = np.asarray(self._to_model.predict(self._features(target.models.features)))
        models[rows >= 0] = self._models[rows[rows >= 0]]
        return models @ np.append(1.0, factors)


def factorise(table: Array, rank: int, config: FennecConfig) -> tuple[Array, Array, Array]:
    """`b` [M], `U` [M, rank] and `V` [D, rank] of least |R - b - UV'|^2 + ridge (|b|^2 + |U|^2 + |V|^2).

    Alternating least squares over what is known, from the leading singular vectors of the table with its gaps at the
    row means.
    """
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    bias = filled.sum(axis=1) / (known.sum(axis=1) + config.ridge)
    left, values, right = np.linalg.svd(np.where(known, table - bias[:, None], 0.0), full_matrices=False)
    users, items = left[:, :rank] * np.sqrt(values[:rank]), right[:rank].T * np.sqrt(values[:rank])
    for _ in range(config.rounds):
        wide = np.hstack([np.ones((len(items), 1)), items])
        solved = _row_ridges(filled, known, wide, config.ridge)
        bias, users = solved[:, 0], solved[:, 1:]
        moved = _row_ridges(np.where(known, table - bias[:, None], 0.0).T, known.T, users, config.ridge)
        if np.abs(moved - items).max() < 1e-8:
            break
        items = moved
    return bias, users, items


def _row_ridges(values: Array, known: Array, basis: Array, ridge: float) -> Array:
    """For each row its ridge coefficients `[rows, k]` on `basis` [columns, k], over its known columns."""
    squares = np.einsum("rc,ck,cl->rkl", known.astype(np.float64), basis, basis, optimize=True)
    squares[:, np.arange(basis.shape[1]), np.arange(basis.shape[1])] += ridge
    return np.asarray(np.linalg.solve(squares, (values @ basis)[:, :, None])[:, :, 0])


def _ridge(rows: Array, targets: Array) -> Any:
    """Ridge regression, its strength by leave-one-out error; the mean alone where there are no columns."""
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import RidgeCV

    return (RidgeCV(_STRENGTHS) if rows.shape[1] else DummyRegressor()).fit(rows, targets)
