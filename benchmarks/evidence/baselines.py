"""What views are compared with: rankings by a stated fact, by other datasets' results, by LogME run on the target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.evaluation.family_pairs import family_pairs, total
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.evaluation.stated_accuracy import stated_accuracy
from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.evaluation.view_regression import z_targets

from .material import Models, Problem
from .plain_statistics import plain_statistics

PLAIN, STATED = "[75 weight statistics]", "[family, source, epochs, source accuracy]"


def with_plain_statistics(models: Models) -> Models:
    """The models with the reference view of plain weight statistics, where their files are at hand."""
    if models.folders:
        models.views[PLAIN] = plain_statistics(models.folders, models.ids)
    return models


def with_reference_views(models: Models) -> Models:
    """The models with two reference views: plain weight statistics, and what a card states, accuracy included."""
    if models.folders:
        models.views[STATED] = _stated(models)
    return with_plain_statistics(models)


def _stated(models: Models) -> ViewFeatures:
    words = np.hstack([_one_hot(models.families), _one_hot(models.sources)])
    accuracy = source_accuracies(models)
    epochs = np.array([_epochs(models.folders.get(model)) for model in models.ids])
    known = np.isfinite(accuracy)
    return ViewFeatures(np.column_stack([words, np.nan_to_num(accuracy), known, epochs]), np.ones(len(known), bool))


def _one_hot(values: Sequence[str]) -> np.ndarray:
    return np.array([[float(own == name) for name in sorted(set(values))] for own in values])


def source_accuracies(models: Models) -> np.ndarray:
    """What each model's card states that it reached on its own data `[M]`, NaN where it states nothing."""
    found = [stated_accuracy(models.folders[model]) if model in models.folders else None for model in models.ids]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _epochs(folder: Path | None) -> float:
    readme = folder / "README.md" if folder else None
    text = readme.read_text(encoding="utf-8", errors="replace") if readme and readme.is_file() else ""
    found = re.search(r"(\d+) epochs", text)
    return float(found.group(1)) if found else 0.0


def fixed_rankings(problem: Problem, logme: np.ndarray | None) -> dict[str, np.ndarray]:
    """Baselines that are fitted to nothing: predictions `[T, M]` by name."""
    models, shape = problem.models, problem.scores.shape
    stated = source_accuracies(models)
    stated = np.where(np.isfinite(stated), stated, np.nanmean(stated) if np.isfinite(stated).any() else 0.0)
    found = {
        "parameter count": np.broadcast_to(np.log(np.nan_to_num(models.params, nan=1.0)), shape),
        "stated source accuracy": np.broadcast_to(stated, shape),
        "mean of other datasets (model known)": _other_datasets(problem),
    }
    if logme is not None:
        found["LogME run on the target"] = np.nan_to_num(logme, nan=float(np.nanmin(logme)))
    return found


def _other_datasets(problem: Problem) -> np.ndarray:
    """The static ranking: a model's mean z-score on datasets of other parents, for which its results are known."""
    scores = np.where(problem.own_data, np.nan, problem.scores)
    parents = np.array(problem.parents)
    return np.stack([z_targets(scores[parents != own]).mean(1) for own in problem.parents])


def ceiling_line(problem: Problem) -> str:
    """How well one seed ranks what another measured, overall and within families."""
    repeats = problem.table.repeats
    if repeats is None:
        return "no pair was measured twice: the noise ceiling is not known"
    taus, pairs = [], []
    for runs, own in zip(repeats, problem.own_data, strict=True):
        kept = np.isfinite(runs[:, :2]).all(1) & ~own
        if kept.sum() >= 5:
            families = [problem.models.families[i] for i in np.flatnonzero(kept)]
            taus.append(weighted_tau(runs[kept, 0], runs[kept, 1]))
            pairs.append(family_pairs(runs[kept, 0], runs[kept, 1], families, problem.noise * 2**0.5))
    if not taus:
        return "too few pairs were measured twice: the noise ceiling is not known"
    whole, truth = total(pairs), [one.with_truth for one in ceilings(problem.table)]
    return (
        f"noise ceiling, {len(taus)} datasets run twice: between two seeds tau {np.mean(taus):.3f} "
        f"({min(taus):.2f} to {max(taus):.2f}), family pairs {whole.accuracy:.3f}, clear ones "
        f"{whole.clear_accuracy:.3f}; of the table with endless seeds tau {np.mean(truth):.3f}"
    )
