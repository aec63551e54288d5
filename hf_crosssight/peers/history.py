"""What learning rankers are given: candidates, a history of measured accuracies, and the task to rank for.

Every ranker of this room and every baseline of `evaluation/baselines.py` has one signature,
`fit(history) -> itself` and `score(target) -> [M]`, higher is better, finite for every candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hf_crosssight.errors import UserError

Array = NDArray[Any]

# Known only once the fine-tuning that is to be predicted has run: a ranker that reads them ranks by the answer.
LEAKS = frozenset(
    {"elapsed_time", "train_runtime", "train_loss", "train_samples_per_second", "train_steps_per_second"}
    | {"eval_accuracy", "eval_loss", "eval_runtime", "test_accuracy", "finetune_accuracy"}
)


@dataclass(frozen=True)
class Candidates:
    """M models and what is known of them without running them.

    Args:
        ids: M model ids.
        features: `[M, F]`, numbers that a new model has as well (structure, card, ...); may have no columns.
        names: F names of the columns; those of `LEAKS` are refused.
        facts: single numbers by name (`params`, `gmacs`, `source_accuracy`, `popularity`), `[M]` each, NaN unknown.
    """

    ids: tuple[str, ...]
    features: Array
    names: tuple[str, ...] = ()
    facts: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or len(self.features) != len(self.ids):
            raise UserError(
                f"features of {len(self.ids)} models must be [{len(self.ids)}, F], not {self.features.shape}",
                "give one row for each model",
            )
        if len(set(self.ids)) != len(self.ids):
            raise UserError("a model stands twice among the candidates", "give each once")
        if not np.isfinite(self.features).all():
            raise UserError("model features must be finite", "write 0 where a value is unknown, and a flag beside it")
        leaks = sorted(LEAKS & set(self.names))
        if leaks:
            raise UserError(
                f"model features hold {', '.join(leaks)}, which only the fine-tuning itself tells", "leave them out"
            )
        for name, values in self.facts.items():
            if np.shape(values) != (len(self.ids),):
                raise UserError(f"fact '{name}' must have one value for each model", "write NaN where it is unknown")


@dataclass(frozen=True)
class History:
    """Accuracies of M known models on D past datasets.

    Args:
        models: the M models.
        datasets: D dataset ids.
        accuracies: `[M, D]`, NaN where nothing was measured; higher is better, compared within a dataset only.
        tokens: D arrays `[S_d, E]`, a past dataset's class prototypes (or other tokens) in one common space.
        specific: by (model id, dataset id), `[S_d, E_m]`: the same classes' prototypes in the model's own features.
    """

    models: Candidates
    datasets: tuple[str, ...]
    accuracies: Array
    tokens: tuple[Array, ...]
    specific: Mapping[tuple[str, str], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.models.ids), len(self.datasets))
        if self.accuracies.shape != shape:
            raise UserError(
                f"a history's accuracies must be [models, datasets] = {shape}, not {self.accuracies.shape}",
                "write NaN where nothing was measured",
            )
        if len(self.tokens) != shape[1] or len({array.shape[1] for array in self.tokens}) > 1:
            raise UserError("every past dataset needs tokens of one common size", "use one extractor for all")
        if (np.isfinite(self.accuracies).sum(axis=0) < 2).any():
            raise UserError("a past dataset has fewer than two measured models", "leave it out: it ranks nothing")

    def measured(self, dataset: int) -> tuple[Array, Array]:
        """Rows `[m]` of the models measured on a dataset, and their accuracies `[m]`."""
        rows = np.flatnonzero(np.isfinite(self.accuracies[:, dataset]))
        return rows, self.accuracies[rows, dataset]

    def ranks(self) -> Array:
        """`[M, D]` gaussianised ranks of each dataset, NaN where nothing was measured."""
        found = np.full(self.accuracies.shape, np.nan)
        for d in range(len(self.datasets)):
            rows, values = self.measured(d)
            found[rows, d] = gaussianised(values)
        return found

    def summaries(self) -> Array:
        """`[D, 2 E]`, one vector a dataset (see `summary`)."""
        return np.stack([summary(array) for array in self.tokens])


@dataclass(frozen=True)
class Target:
    """The dataset to rank for.

    Args:
        models: the candidates, known or not.
        tokens: `[S, E]`, its class prototypes in the history's space.
        dataset: its id; a history entry of the same id is left out by rankers that look at neighbours.
        specific: by model id, `[S, E_m]` prototypes in the model's own features, where they were computed.
        features: by model id, `[N, D_m]` features of its images, for heuristics.
        labels: `[N]` class numbers of those images.
        class_names: the classes' names, by ascending label.
    """

    models: Candidates
    tokens: Array
    dataset: str = ""
    specific: Mapping[str, Array] = field(default_factory=dict)
    features: Mapping[str, Array] = field(default_factory=dict)
    labels: Array | None = None
    class_names: tuple[str, ...] = ()


class Ranker(Protocol):
    """What this room and the baselines are made of."""

    def fit(self, history: History) -> Ranker:
        """Learns from the history; returns itself."""
        ...

    def score(self, target: Target) -> Array:
        """`[M]` scores of the target's candidates, higher is better, finite."""
        ...


def gaussianised(scores: Array) -> Array:
    """Normal quantiles of the ranks, mean rank for ties."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(scores) - 0.5) / len(scores)))


def summary(tokens: Array) -> Array:
    """A set of tokens `[S, E]` as one vector `[2 E]`: mean and spread over the set, whatever its size."""
    return np.concatenate([tokens.mean(axis=0), tokens.std(axis=0)])


def known_rows(known: tuple[str, ...], models: Candidates) -> Array:
    """For each candidate its row among the known models, -1 for a blind one."""
    at = {model: row for row, model in enumerate(known)}
    return np.array([at.get(model, -1) for model in models.ids], dtype=np.int64)
