"""`GroundTruthTable`: measured fine-tuning results of one source under one protocol, models against datasets.

Scores of two tables are never compared: a table fixes the protocol (training images, recipe, metric), and a ranking is
only ever read within one row of one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from .datasets import parent_of


@dataclass(frozen=True)
class GroundTruthTable:
    """Results of M models on D datasets.

    Attributes:
        id (`str`): name of the table, e.g. `parc` or `transfergraph_full70`.
        licence (`str`): SPDX identifier of the source's licence, `none` where the source states none.
        source (`str`): where the numbers were published.
        unit (`str`): what a score is; higher is always better.
        datasets (`tuple[str, ...]`): D dataset keys.
        models (`tuple[str, ...]`): M model ids.
        scores (`np.ndarray`): float64 `[D, M]`, NaN where nothing was measured.
        self_transfer (`np.ndarray`): bool `[D, M]`, the model had been trained on the dataset itself.
        repeats (`np.ndarray`, *optional*): float64 `[D, M, R]`, one score per seed, NaN where there is none.
        auxiliary (`bool`): a signal to learn from, not a result of fine-tuning: never tested on.
    """

    id: str
    licence: str
    source: str
    unit: str
    datasets: tuple[str, ...]
    models: tuple[str, ...]
    scores: np.ndarray
    self_transfer: np.ndarray
    repeats: np.ndarray | None = None
    auxiliary: bool = False

    def __post_init__(self) -> None:
        shape = (len(self.datasets), len(self.models))
        if self.scores.shape != shape or self.self_transfer.shape != shape:
            raise ValueError(f"table {self.id}: scores must be [datasets, models] = {shape}, not {self.scores.shape}")

    @property
    def licensed(self) -> bool:
        """Whether the source states a licence (or the results are this project's own)."""
        return self.licence != "none"

    def row(self, dataset: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices `[m]` of the models measured on a dataset, self-transfer left out, and their scores `[m]`."""
        keep = np.flatnonzero(np.isfinite(self.scores[dataset]) & ~self.self_transfer[dataset])
        return keep, self.scores[dataset, keep]

    def keep_datasets(self, keep: Iterable[int]) -> GroundTruthTable:
        """The same table with some of its datasets."""
        index = np.asarray(sorted(keep), dtype=np.int64)
        return replace(
            self,
            datasets=tuple(self.datasets[i] for i in index),
            scores=self.scores[index],
            self_transfer=self.self_transfer[index],
            repeats=None if self.repeats is None else self.repeats[index],
        )

    def keep_models(self, keep: Iterable[int]) -> GroundTruthTable:
        """The same table with some of its models."""
        index = np.asarray(sorted(keep), dtype=np.int64)
        return replace(
            self,
            models=tuple(self.models[i] for i in index),
            scores=self.scores[:, index],
            self_transfer=self.self_transfer[:, index],
            repeats=None if self.repeats is None else self.repeats[:, index],
        )

    def without_degenerate_datasets(self, min_models: int = 5, min_distinct: int = 3) -> GroundTruthTable:
        """Datasets that rank nothing dropped: too few models, or too few distinct scores among them."""

        def ranks_something(dataset: int) -> bool:
            _, scores = self.row(dataset)
            return len(scores) >= min_models and len(np.unique(scores)) >= min_distinct

        return self.keep_datasets(i for i in range(len(self.datasets)) if ranks_something(i))


def table_from_rows(
    rows: Iterable[Mapping[str, object]], *, id: str, licence: str, source: str, unit: str, auxiliary: bool = False
) -> GroundTruthTable:
    """A table from rows with `model`, `dataset`, `score` and optionally `self_transfer` and `seed`.

    Several rows of one pair are repeats (seeds or runs): the score is their mean.
    """
    pairs: dict[tuple[str, str], list[float]] = {}
    own: set[tuple[str, str]] = set()
    for row in rows:
        pair = (str(row["dataset"]), str(row["model"]))
        pairs.setdefault(pair, []).append(float(str(row["score"])))
        if row.get("self_transfer"):
            own.add(pair)
    datasets, models = (tuple(sorted({pair[side] for pair in pairs})) for side in (0, 1))
    at_dataset, at_model = ({name: i for i, name in enumerate(names)} for names in (datasets, models))
    most = max((len(values) for values in pairs.values()), default=1)
    repeats = np.full((len(datasets), len(models), most), np.nan)
    self_transfer = np.zeros(repeats.shape[:2], dtype=bool)
    for (dataset, model), values in pairs.items():
        repeats[at_dataset[dataset], at_model[model], : len(values)] = values
        self_transfer[at_dataset[dataset], at_model[model]] = (dataset, model) in own
    known = np.isfinite(repeats)
    total = np.where(known, repeats, 0).sum(-1)
    scores = np.where(known.any(-1), total / np.maximum(known.sum(-1), 1), np.nan)
    return GroundTruthTable(
        id, licence, source, unit, datasets, models, scores, self_transfer,
        repeats if most > 1 else None, auxiliary,
    )  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One row of one table: what a ranker is trained and tested on."""

    table: str
    dataset: str
    models: tuple[str, ...]
    scores: np.ndarray

    @property
    def parent(self) -> str:
        return parent_of(self.dataset)


def tasks_of(tables: Iterable[GroundTruthTable]) -> Iterator[Task]:
    """Every dataset of every table, self-transfer pairs left out."""
    for table in tables:
        for i, dataset in enumerate(table.datasets):
            index, scores = table.row(i)
            yield Task(table.id, dataset, tuple(table.models[j] for j in index), scores)


def split_by_parent(tasks: Iterable[Task], held_out: set[str]) -> tuple[list[Task], list[Task]]:
    """Tasks whose dataset's parent is not among `held_out`, and those whose is."""
    tasks = list(tasks)
    return [t for t in tasks if t.parent not in held_out], [t for t in tasks if t.parent in held_out]
