"""Fits the weights of `rank --refine` to fine-tuning results, and says what they are worth on unseen parents.

    python benchmarks/fit_refinement.py --table TABLE [--table TABLE=RECIPE ...] --zoo MODELS [--zoo ...] \
        --datasets DATASETS --cache FEATURES --work FOLDER [--ranker R] [--k 10] [--write]

TABLE holds fine-tuning results of the models of the folders MODELS on DATASETS; FEATURES is the cache of `ground-truth
collect --cache` (what it lacks is computed); FOLDER keeps what was measured. Run it again for another ranker.

Weights are fitted to random sets of K models, since K models are what a user's evidence is standardised over: z-scored
accuracy is regressed on the evidence and the ranker's score, without negative weights; the score's is the `trust` in
differences between models that the ranker was not trained on, at most 1. Where it was trained on results of the very
models of a table its scores are left out, and the evidence has to rank them alone. Methods are added one by one while
the weighted tau on held-out parents, all models refined, rises by at least 0.01, every table counting the same. That
choice is made anew without each parent, so the figures that are printed are of parents that neither choice nor fit has
seen. `--write` chooses and fits on all parents and writes `hf_crosssight/assets/refinement.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from refinement.evidence_table import METHODS
from refinement.ranking_tasks import (
    RankingTask,
    Scored,
    add_inputs,
    by_method,
    gathered,
    mean_tau,
    print_qualities,
    refined,
    without,
)
from scipy.optimize import nnls

from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.hub.places import write_text
from hf_crosssight.refinement import RULES
from hf_crosssight.refinement.fusion import FORMAT, Fusion, standardised

ASSET = Path(__file__).parents[1] / "hf_crosssight" / "assets" / "refinement.json"
SETS, RIDGE, LEAST_GAIN, MOST_METHODS = 40, 0.02, 0.01, 4


@dataclass(frozen=True)
class Sums:
    """Normal equations of one task over its random sets, per row: evidence by method, then the ranker's score."""

    products: np.ndarray  # [F + 1, F + 1]
    targets: np.ndarray  # [F + 1]


AllSums = Mapping[tuple[str, str], Sums]  # by table and dataset


def sums_of(task: RankingTask, k: int, seed: int = 0) -> Sums:
    """One task's regression on random sets of `k` models."""
    rng = np.random.default_rng(seed)
    columns = np.stack([by_method(task, method) for method in METHODS], axis=1)
    size, rows = len(METHODS) + 1, 0
    products, targets = np.zeros((size, size)), np.zeros(size)
    for _ in range(SETS):
        chosen = rng.choice(len(task.models), size=min(k, len(task.models)), replace=False)
        prior = without(task)[chosen]
        evidence = np.stack([*map(standardised, columns[chosen].T), prior - prior.mean()], axis=1)
        products += evidence.T @ evidence
        targets += evidence.T @ (task.target[chosen] - task.target[chosen].mean())
        rows += len(chosen)
    return Sums(products / rows, targets / rows)


def by_table(tasks: Sequence[RankingTask]) -> dict[str, list[RankingTask]]:
    """The tasks of each table."""
    return {table: [task for task in tasks if task.table == table] for table in sorted({t.table for t in tasks})}


def fitted(tasks: Sequence[RankingTask], sums: AllSums, methods: Sequence[str]) -> Fusion:
    """Least squares without negative weights; every table counts the same, and in it every task."""
    at = [*(METHODS.index(method) for method in methods), -1]
    products, targets = np.zeros((len(at), len(at))), np.zeros(len(at))
    for own in by_table(tasks).values():
        found = [sums[task.table, task.dataset] for task in own]
        products += np.mean([each.products for each in found], axis=0)[np.ix_(at, at)]
        targets += np.mean([each.targets for each in found], axis=0)[at]
    root = np.linalg.cholesky(products + RIDGE * np.eye(len(at)))
    *weights, trust = nnls(root.T, np.linalg.solve(root, targets))[0].tolist()
    kept = {method: round(weight, 4) for method, weight in zip(methods, weights, strict=True) if weight > 0}
    return Fusion(kept, round(min(trust, 1.0), 4))


def chosen_methods(tasks: Sequence[RankingTask], sums: AllSums) -> list[str]:
    """Methods added one by one, as long as parents that are left out in turn are ranked better."""
    chosen: list[str] = []
    best = table_tau([(without(task), task) for task in tasks])
    while len(chosen) < MOST_METHODS:
        left = [method for method in METHODS if method not in chosen]
        tried = {method: table_tau(held_out(tasks, sums, [*chosen, method])) for method in left}
        method = max(tried, key=lambda name: tried[name])
        if tried[method] < best + LEAST_GAIN:
            break
        chosen, best = [*chosen, method], tried[method]
    return chosen


def held_out(tasks: Sequence[RankingTask], sums: AllSums, methods: Sequence[str]) -> list[Scored]:
    """Every task, all its models refined by weights that were fitted without its parent."""
    found = []
    for parent in sorted({task.parent for task in tasks}):
        fusion = fitted([task for task in tasks if task.parent != parent], sums, methods)
        found += [(refined(task, fusion, len(task.models)), task) for task in tasks if task.parent == parent]
    return found


def table_tau(scored: Sequence[Scored]) -> float:
    """Mean weighted tau, every table counting the same."""
    tables = sorted({task.table for _, task in scored})
    return float(np.mean([mean_tau([pair for pair in scored if pair[1].table == table]) for table in tables]))


def nested(tasks: Sequence[RankingTask], sums: AllSums) -> dict[str, Fusion]:
    """Weights for each parent, methods and fit chosen without it."""
    found = {}
    for parent in sorted({task.parent for task in tasks}):
        others = [task for task in tasks if task.parent != parent]
        found[parent] = fitted(others, sums, chosen_methods(others, sums))
        print(f"without {parent}: {found[parent].weights}, trust {found[parent].trust}")
    return found


def report(name: str, tasks: Sequence[RankingTask], blind: Mapping[str, Fusion], k: int) -> dict[str, list[Scored]]:
    """Prints what refinement is worth on a table's parents, none of which its weights have seen."""
    models = {model for task in tasks for model in task.models}
    known = tasks[0].prior is None
    print(f"\n{name}: {len(tasks)} datasets, {len(models)} models{', known to the ranker' if known else ''}")
    rows = {} if known else {"the ranker alone": [(without(task), task) for task in tasks]}
    for size, rule in () if known else ((k, RULES[1]), *((size, RULES[0]) for size in (k // 2, k, 2 * k, 4 * k))):
        rows[f"best {size} refined, {rule}"] = [
            (refined(task, blind[task.parent], size, rule), task) for task in tasks
        ]
    rows["all refined"] = [(refined(task, blind[task.parent], len(task.models)), task) for task in tasks]
    print_qualities(
        rows | {f"{method} of all": [(by_method(task, method), task) for task in tasks] for method in METHODS}
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_inputs(parser)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    silence_libraries()
    given = gathered(options)
    tasks, k = given.tasks, options.k
    sums = {(task.table, task.dataset): sums_of(task, k) for task in tasks}
    blind = nested(tasks, sums)
    rows = {name: report(name, own, blind, k) for name, own in by_table(tasks).items()}
    fusion = fitted(tasks, sums, chosen_methods(tasks, sums))
    print(f"chosen on all parents: {fusion.weights}, trust {fusion.trust}")
    if options.write:
        about = {
            "ranker": f"{given.ranker.id}@{given.ranker.revision}",
            "models": len({model for task in tasks for model in task.models}),
            "datasets": sorted({task.dataset for task in tasks}),
            "k": k,
            "weighted_tau_on_unseen_parents": {
                table: {name: round(mean_tau(scored), 3) for name, scored in own.items()}
                for table, own in rows.items()
            },
        }
        content = {"format": FORMAT, "weights": fusion.weights, "trust": fusion.trust, "fitted_on": about}
        write_text(ASSET, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
