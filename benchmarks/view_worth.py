"""What each view of a model is worth for ranking models that were not seen in training.

    python benchmarks/view_worth.py --models FOLDER [--models FOLDER ...] --ground-truth TABLE [--ground-truth TABLE]
        --datasets FOLDER [--views FILE.npz ...] [--cache FOLDER] [--seeds 3] [--only weights,structure+probe]

`--models` are folders of model repositories (`org/name/`), `--zoo` an index; their views are read, and those of every
`.npz` file (array `ids` of model ids, and one array `[M, n, Dv]` or `[M, D]` a view) are added. `--ground-truth` is a
tidy table (`model_id, dataset_id, seed, accuracy`, a column `recipe` allowed) or a folder of them; each table and
recipe is a problem of its own. `--datasets` holds the datasets' images, whose tokens are cached under `--cache`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evidence.material import Models, Problem, read_models, read_problems

from hf_crosssight.evaluation.family_pairs import PairCount, family_pairs, total
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.evaluation.model_folds import families_held_out, folds_by_group, inner_folds
from hf_crosssight.evaluation.view_regression import dataset_weights, fit

COMBINATIONS = (
    "structure",
    "card",
    "weights",
    "probe",
    "lineage",
    "arch2vec",
    "structure+weights+probe",
    "structure+card+probe",
    "structure+card+probe+weights",
    "structure+card+weights+probe+lineage+arch2vec",
)


def main() -> None:
    options = _options()
    models = read_models(options.models, options.zoo, options.views)
    for problem in read_problems(options.ground_truth, models, options.datasets, options.cache, options.recipe):
        print(f"\n{problem.name}: {len(problem.models.ids)} models, {len(problem.datasets)} datasets, "
              f"{len(set(problem.models.families))} families, noise {problem.noise:.4f}")  # fmt: skip
        for name in _combinations(problem.models, options.only):
            _report(problem, name, options.seeds)


def _report(problem: Problem, name: str, seeds: int) -> None:
    started = time.perf_counter()
    taus, pairs = [], []
    for seed in range(seeds):
        predicted = unseen_models(problem, name.split("+"), seed)
        taus.append(_mean_tau(predicted, problem))
        pairs.append(_pairs(predicted, problem))
    counts = total(pairs)
    held = [
        family_tau(problem, name.split("+"), members) for _, members in families_held_out(problem.models.families, 2)
    ]
    print(f"{name:<48} unseen models: tau {np.mean(taus):.3f} ± {np.std(taus):.3f}, pairs {counts.accuracy:.3f} "
          f"(± {np.std([p.accuracy for p in pairs]):.3f}; clear {counts.clear_accuracy:.3f}) | two families out: tau "
          f"{np.mean(held):.3f} ± {np.std(held):.3f} [{time.perf_counter() - started:.0f} s]", flush=True)  # fmt: skip


def unseen_models(problem: Problem, views: Sequence[str], seed: int, folds: int = 4) -> np.ndarray:
    """Predictions `[T, M]`, each model's by a training without its lineage."""
    lineage = problem.models.lineages
    predicted = np.full(problem.scores.shape, np.nan)
    for fold in folds_by_group(lineage, folds, seed):
        predicted[:, fold] = _predict(problem, views, fold, lineage, seed)
    return predicted


def family_tau(problem: Problem, views: Sequence[str], members: np.ndarray, seed: int = 0) -> float:
    """Mean weighted tau over datasets of models of families that training did not see."""
    predicted = np.full(problem.scores.shape, np.nan)
    predicted[:, members] = _predict(problem, views, members, problem.models.families, seed)
    return _mean_tau(predicted, problem)


def _predict(problem: Problem, views: Sequence[str], held: np.ndarray, groups: Sequence[str], seed: int) -> np.ndarray:
    """Scores `[T, len(held)]` of held-out models; `groups` are what inner folds keep together as well."""
    rest = np.setdiff1d(np.arange(len(problem.models.ids)), held)
    blocks = [problem.models.views[name].values for name in views]
    own = [groups[i] for i in rest]
    inner = inner_folds(own, 4, seed)
    scores = np.where(problem.own_data, np.nan, problem.scores)[:, rest]
    fitted = fit([b[rest] for b in blocks], scores, problem.descriptors, problem.parents, inner, seed=seed)
    outputs = fitted.predict([b[held] for b in blocks])
    return (outputs @ dataset_weights(problem.descriptors, problem.descriptors, fitted.known_width).T).T


def _mean_tau(predicted: np.ndarray, problem: Problem, *, with_own: bool = False) -> float:
    found = []
    for row, own in zip(predicted, np.arange(len(predicted)), strict=True):
        kept = np.isfinite(row) & np.isfinite(problem.scores[own]) & (with_own | ~problem.own_data[own])
        if kept.sum() >= 3:
            found.append(weighted_tau(row[kept], problem.scores[own][kept]))
    return float(np.mean(found))


def _pairs(predicted: np.ndarray, problem: Problem, *, with_own: bool = False) -> PairCount:
    scores = np.where(problem.own_data & (not with_own), np.nan, problem.scores)
    noise = problem.noise * 2**0.5
    families = problem.models.families
    return total(family_pairs(p, s, families, noise) for p, s in zip(predicted, scores, strict=True))


def _combinations(models: Models, only: str | None) -> list[str]:
    """The combinations whose views are there; views of a file under other names are judged alone as well."""
    asked = (
        only.split(",") if only else [*COMBINATIONS, *sorted(set(models.views) - {*"+".join(COMBINATIONS).split("+")})]
    )
    return [name for name in asked if all(view in models.views for view in name.split("+"))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, action="append", default=[], help="folder of model repositories")
    parser.add_argument("--zoo", help="zoo index")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="tidy table or folder")
    parser.add_argument("--recipe", action="append", default=[], help="only this recipe of the tables")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of datasets")
    parser.add_argument("--views", type=Path, action="append", default=[], help=".npz file of views")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens and features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="combinations, with commas between")
    return parser.parse_args()


if __name__ == "__main__":
    main()
