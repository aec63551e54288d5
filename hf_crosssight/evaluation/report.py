"""Figures of an evaluation as markdown: means per table, over tables, their spread over seeds, bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .intervals import DRAWS, HIGH, LOW, parent_weights


@dataclass(frozen=True)
class Outcome:
    """What one method scored on one task: `metrics` by name."""

    method: str
    quadrant: str
    table: str
    dataset: str
    parent: str
    seed: int
    metrics: dict[str, float]


def mean_over_tables(outcomes: Iterable[Outcome], metric: str) -> float:
    """Mean over tables of the mean over a table's tasks; NaN if there is none."""
    by_table: dict[str, list[float]] = {}
    for outcome in outcomes:
        by_table.setdefault(outcome.table, []).append(outcome.metrics[metric])
    return float(np.mean([np.mean(values) for values in by_table.values()])) if by_table else float("nan")


def spread_over_seeds(outcomes: Sequence[Outcome], metric: str) -> float:
    """Standard deviation over seeds of the mean over tables (0 for one seed)."""
    seeds = sorted({outcome.seed for outcome in outcomes})
    means = [mean_over_tables((o for o in outcomes if o.seed == seed), metric) for seed in seeds]
    return float(np.std(means, ddof=1)) if len(means) > 1 else 0.0


def bootstrap_interval(
    first: Sequence[Outcome], second: Sequence[Outcome], metric: str, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float, float]:
    """Mean difference of two methods and its 90 % interval: parents are drawn with replacement, tables weigh the same.

    Both are averaged over seeds first; only tasks that both have count.
    """
    parents = {(o.table, o.dataset): o.parent for o in first}
    a, b = _by_task(first, metric), _by_task(second, metric)
    shared = sorted(set(a) & set(b))
    if not shared:
        return float("nan"), float("nan"), float("nan")
    difference = np.array([a[task] - b[task] for task in shared])
    tables = np.array([table for table, _ in shared])
    weight = parent_weights([parents[task] for task in shared], draws, seed)
    means = []
    for table in sorted(set(tables)):
        at = tables == table
        total = weight[:, at].sum(1)
        means.append(np.where(total > 0, (weight[:, at] * difference[at]).sum(1) / np.maximum(total, 1), np.nan))
    drawn = np.nanmean(np.stack(means), axis=0)
    observed = np.mean([difference[tables == table].mean() for table in sorted(set(tables))])
    low, high = np.quantile(drawn, [LOW, HIGH])
    return float(observed), float(low), float(high)


def _by_task(outcomes: Sequence[Outcome], metric: str) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], list[float]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.table, outcome.dataset), []).append(outcome.metrics[metric])
    return {task: float(np.mean(values)) for task, values in found.items()}


def per_table(outcomes: Sequence[Outcome], quadrant: str, methods: Sequence[str], metric: str) -> str:
    """Rows: methods; columns: tables, then their mean ± spread over seeds."""
    chosen = [o for o in outcomes if o.quadrant == quadrant]
    tables = sorted({o.table for o in chosen})
    sizes = {t: len({o.dataset for o in chosen if o.table == t}) for t in tables}

    def cells(method: str) -> list[str]:
        own = [o for o in chosen if o.method == method]
        values = [mean_over_tables((o for o in own if o.table == table), metric) for table in tables]
        covered = sum(np.isfinite(values))
        mark = "" if covered == len(tables) else f" ({covered} of {len(tables)} tables)"
        spread = spread_over_seeds(own, metric)
        whole = f"{mean_over_tables(own, metric):.3f} ± {spread:.3f}{mark}" if own else "-"
        return [*(_number(value) for value in values), whole]

    header = ["method", *(f"{t} ({sizes[t]})" for t in tables), "mean"]
    return markdown_table(header, [[m, *cells(m)] for m in methods])


def overall(outcomes: Sequence[Outcome], quadrant: str, methods: Sequence[str], metrics: Sequence[str]) -> str:
    """Rows: methods; columns: metrics, each a mean over tables."""
    chosen = [o for o in outcomes if o.quadrant == quadrant]
    rows = []
    for method in methods:
        own = [o for o in chosen if o.method == method]
        rows.append([method, *(_number(mean_over_tables(own, metric)) for metric in metrics)])
    return markdown_table(["method", *metrics], rows)


def _number(value: float, form: Callable[[float], str] = "{:.3f}".format) -> str:
    return "-" if not np.isfinite(value) else form(value)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column holds names and whose others hold figures."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
