"""The thesis' ground truth: reported source accuracy times a hand-set similarity of datasets. Exact, and no more.

Kept to be compared with: real fine-tuning replaces it. Its ranking is mostly the similarity that a person set (see
`benchmarks/ground_truth/thesis_formula.py`), its matrix is symmetric although transfer is not, and equal scores are
ordered by the models' position in the list.

Source: P. Patil, "Cross-Sight" (Master's thesis defence, Purdue, 2025), slides "Creating Ground Truth Rankings" and
"Dataset Similarity".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TextIO

import numpy as np

from ..errors import UserError

TIE_BREAK = 1e-6  # times the position of a model in the list


@dataclass(frozen=True)
class ReportedAccuracy:
    """One entry of P: a model's self-reported accuracy, 0 to 1, on the dataset that it was trained on."""

    dataset: str
    model: str
    accuracy: float


@dataclass(frozen=True)
class Similarity:
    """S: similarity of datasets.

    Attributes:
        datasets: D names.
        values: float64 `[D, D]`, 0 to 1; row = target, column = the dataset that a model was trained on.
    """

    datasets: tuple[str, ...]
    values: np.ndarray

    def index(self, dataset: str) -> int:
        """Position of a dataset; case, spaces and hyphens do not matter.

        Raises:
            UserError: it is not in the matrix.
        """
        keys = [_plain(name) for name in self.datasets]
        if _plain(dataset) not in keys:
            raise UserError(
                f"the similarity of {dataset!r} to other datasets is not known",
                f"Name one of {', '.join(self.datasets)}, or give a matrix with --similarity.",
            )
        return keys.index(_plain(dataset))

    def between(self, target: str, source: str) -> float:
        """sigma(target, source)."""
        return float(self.values[self.index(target), self.index(source)])


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(maxsize=1)
def thesis_similarity() -> Similarity:
    """The hand-set 16 x 16 matrix of the thesis, MNIST to Pets."""
    text = files("hf_crosssight.ground_truth").joinpath("thesis_similarity.csv").read_text(encoding="utf-8")
    return _similarity(csv.reader(text.splitlines()), "thesis_similarity.csv")


def read_similarity(path: Path | str) -> Similarity:
    """A matrix from a CSV file: names in the first row and column, in the same order.

    Raises:
        UserError: no such file, or no such matrix in it.
    """
    with _opened(path) as file:
        return _similarity(csv.reader(file), str(path))


def _similarity(lines: Iterable[Sequence[str]], where: str) -> Similarity:
    head, *rows = [line for line in lines if line]
    names = tuple(head[1:])
    try:
        values = np.array([[float(cell) for cell in row[1:]] for row in rows])
    except ValueError as error:
        raise UserError(f"{where} is no matrix of similarities: {error}", "Every cell is a number, 0 to 1.") from error
    if tuple(row[0] for row in rows) != names or values.shape != (len(names),) * 2:
        raise UserError(f"{where} is no square matrix of similarities", "Rows and columns name the same datasets.")
    if not ((values >= 0) & (values <= 1)).all():
        raise UserError(f"{where} holds similarities outside 0 to 1", "Every cell is a number from 0 to 1.")
    return Similarity(names, values)


def read_reported(path: Path | str) -> list[ReportedAccuracy]:
    """P from a CSV file with the columns `dataset`, `model`, `accuracy` (a share of 1).

    Raises:
        UserError: no such file, missing columns, an accuracy that is none.
    """
    with _opened(path) as file:
        reader = csv.DictReader(file)
        missing = {"dataset", "model", "accuracy"} - set(reader.fieldnames or ())
        if missing:
            raise UserError(f"{path} has no column {sorted(missing)[0]!r}", "It needs dataset, model and accuracy.")
        return [ReportedAccuracy(row["dataset"], row["model"], _accuracy(row["accuracy"], path)) for row in reader]


def _accuracy(text: str, where: object) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 <= value <= 1:
        raise UserError(f"{where} holds the accuracy {text!r}", "Accuracies are shares of 1, for example 0.93.")
    return value


def _opened(path: Path | str) -> TextIO:
    try:
        return Path(path).open(encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Name a CSV file.") from error


def weighted_scores(
    reported: Sequence[ReportedAccuracy], target: str, similarity: Similarity
) -> tuple[tuple[str, ...], np.ndarray]:
    """Steps 2 and 3: the score vector of a target, models in the order in which they first appear.

    accuracy + 1 if the model was trained on the target, else accuracy x sigma(target, source). A model that is
    reported on several datasets (the thesis has none) gets its best score.

    Returns:
        The M models, and float64 `[M]`, 0 to 2.

    Raises:
        UserError: a dataset whose similarity is not known.
    """
    row = similarity.index(target)
    best: dict[str, float] = {}
    for entry in reported:
        source = similarity.index(entry.dataset)
        score = entry.accuracy + 1 if source == row else entry.accuracy * float(similarity.values[row, source])
        best[entry.model] = max(score, best.get(entry.model, 0.0))
    return tuple(best), np.fromiter(best.values(), dtype=np.float64, count=len(best))


def ranking_indices(scores: np.ndarray) -> np.ndarray:
    """Steps 4 and 5: i x 1e-6 is added to the score at position i, then positions from the best, int64 `[M]`.

    Of equal scores the later model comes first, as the formula has it.
    """
    broken = scores + np.arange(len(scores)) * TIE_BREAK
    return np.argsort(-broken, kind="stable")


def thesis_ranking(
    reported: Sequence[ReportedAccuracy], target: str, similarity: Similarity | None = None
) -> list[tuple[str, float]]:
    """Models and their weighted scores for a target dataset, best first."""
    models, scores = weighted_scores(reported, target, similarity or thesis_similarity())
    return [(models[index], float(scores[index])) for index in ranking_indices(scores)]


def score_table(
    reported: Sequence[ReportedAccuracy], targets: Sequence[str], similarity: Similarity | None = None
) -> Mapping[str, np.ndarray]:
    """The score vector of each target, float64 `[M]`."""
    chosen = similarity or thesis_similarity()
    return {target: weighted_scores(reported, target, chosen)[1] for target in targets}
