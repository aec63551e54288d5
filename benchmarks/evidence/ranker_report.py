"""The section on our own ground truth: figures of each quadrant, paired differences, ceilings, sizes."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import torch

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.evaluation.quadrants import BLIND_DATASETS, BLIND_MODELS, DOUBLE_BLIND
from hf_crosssight.evaluation.relatives import BlindModel, by_relation
from hf_crosssight.evaluation.report import Outcome, bootstrap_interval, mean_over_tables, spread_over_seeds
from hf_crosssight.evaluation.shortlist import HeldOut, leave_one_parent_out
from hf_crosssight.training.measured_corpus import MeasuredCorpus
from hf_crosssight.training.measured_evaluation import FAMILIES_BLIND, FAMILIES_KNOWN

QUADRANTS = (BLIND_DATASETS, BLIND_MODELS, DOUBLE_BLIND, FAMILIES_KNOWN, FAMILIES_BLIND)
METRICS = ("weighted_tau", "weighted_tau_true_rank", "regret_at_1", "regret_at_3", "regret_at_5", "ndcg_at_5")
RANKER, STATIC = "ranker", "static mean rank"
_ADVANCE = 0.02


def section(
    heading: str, corpus: MeasuredCorpus, tested: Sequence[str], outcomes: Sequence[Outcome],
    held: Sequence[HeldOut], placed: Sequence[BlindModel],
) -> str:  # fmt: skip
    """The whole section as markdown."""
    shown = per_parent(outcomes)
    lines = [heading, "", *_sizes(corpus, tested, shown)]
    for quadrant in QUADRANTS:
        own = [outcome for outcome in shown if outcome.quadrant == quadrant]
        if own:
            raw = [outcome for outcome in outcomes if outcome.quadrant == quadrant]
            lines += [f"### {quadrant.capitalize()}", "", *_figures(own, raw), "", *_differences(own), ""]
    lines += ["### Blind models by their closest relative in training", "", *_relatives(placed), ""]
    lines += ["### Shortlist", "", _shortlist(held), ""]
    return "\n".join([*lines, "### Noise ceiling", "", *_ceilings(corpus, tested)]) + "\n"


def per_parent(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """One outcome a method, quadrant, table, parent and seed: a parent's datasets and class subsets are one unit."""
    groups: dict[tuple[object, ...], list[Outcome]] = {}
    for outcome in outcomes:
        key = (outcome.method, outcome.quadrant, outcome.table, outcome.parent, outcome.seed)
        groups.setdefault(key, []).append(outcome)
    return [
        replace(own[0], dataset=own[0].parent,
                metrics={name: float(np.mean([one.metrics[name] for one in own])) for name in own[0].metrics})
        for own in groups.values()
    ]  # fmt: skip


def _sizes(corpus: MeasuredCorpus, tested: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    tables = [table for table in corpus.tables if table.id in tested]
    told = "; ".join(f"{t.id}: {len(t.models)} models on {len(t.datasets)} datasets" for t in tables)
    seeds = len({outcome.seed for outcome in outcomes})
    flags = "--zoo INDEX --models FOLDER --ground-truth TABLE --forward TABLE --datasets FOLDER --test RECIPE"
    return [
        f"`python benchmarks/evaluate_ranker.py {flags} --out FOLDER --seeds {seeds} --write`",
        "",
        f"{date.today().isoformat()}, commit {commit}, {platform.machine()}, {os.cpu_count()} cores (one used), torch "
        f"{torch.__version__}.",
        "",
        f"Tested on {told}. {seeds} seeds with folds of their own. All methods learn from the known part of a fold "
        "alone. Self-transfer pairs are left out, so are tasks with fewer than five models. The datasets of a parent "
        "are averaged first. Intervals are by a bootstrap over parents; regret is in accuracy points; ± is the "
        "deviation over seeds. *Pairs*: models of one "
        "architecture family ordered rightly (chance 0.5). *Over static*: paired difference to the static mean rank. "
        f"*Better*: by {_ADVANCE} or more, with a one-sided 90 % bound above 0 (bootstrap over parents).",
        "",
    ]  # fmt: skip


def _figures(outcomes: Sequence[Outcome], raw: Sequence[Outcome]) -> list[str]:
    heads = ["method", "weighted tau", "90 % interval", "±", *METRICS[1:], "pairs", "over static"]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    static = [outcome for outcome in outcomes if outcome.method == STATIC]
    for method in dict.fromkeys(outcome.method for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.method == method]
        nothing = [replace(one, metrics=dict.fromkeys(one.metrics, 0.0)) for one in own]
        _, low, high = bootstrap_interval(own, nothing, METRICS[0])
        cells = [f"{mean_over_tables(own, METRICS[0]):.3f}", f"{low:.3f} to {high:.3f}"]
        cells += [f"{spread_over_seeds(own, METRICS[0]):.3f}"]
        cells += [f"{mean_over_tables(own, metric):.3f}" for metric in METRICS[1:]]
        cells += [_pairs([outcome for outcome in raw if outcome.method == method])]
        cells += [f"{bootstrap_interval(own, static, METRICS[0])[0]:+.3f}" if static else "-"]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _pairs(outcomes: Sequence[Outcome]) -> str:
    count = sum(outcome.metrics["family_pairs"] for outcome in outcomes)
    right = sum(outcome.metrics["family_pairs_right"] for outcome in outcomes)
    return f"{right / count:.3f}" if count else "-"


def _differences(outcomes: Sequence[Outcome]) -> list[str]:
    """The ranker less every other method: mean, interval by parents, and what could have been told apart."""
    own = [outcome for outcome in outcomes if outcome.method == RANKER]
    lines = [
        "| ranker less | weighted tau | 90 % interval | told apart from 0 as of | verdict |",
        "|---|---:|---|---:|---|",
    ]
    for method in dict.fromkeys(outcome.method for outcome in outcomes if outcome.method != RANKER):
        other = [outcome for outcome in outcomes if outcome.method == method]
        mean, low, high = bootstrap_interval(own, other, METRICS[0])
        one_sided = bootstrap_bound(own, other)
        detectable = mean - one_sided
        advance = mean >= _ADVANCE and one_sided > 0
        verdict = "better" if advance else "worse" if high < 0 else "not told apart"
        lines.append(f"| {method} | {mean:+.3f} | {low:+.3f} to {high:+.3f} | {detectable:.3f} | {verdict} |")
    return lines


def bootstrap_bound(first: Sequence[Outcome], second: Sequence[Outcome]) -> float:
    """One-sided 90 % lower bound of the mean difference, by the normal shape of the two-sided interval."""
    mean, low, _ = bootstrap_interval(first, second, METRICS[0])
    return mean - (mean - low) * 1.2816 / 1.6449


def _relatives(placed: Sequence[BlindModel]) -> list[str]:
    """Folds of models, lineages and families together: what differs between the rows is who was in training."""
    methods = list(dict.fromkeys(one.method for one in placed))
    lines = [
        "Pairs of a blind model and any other candidate of a known dataset that were ordered rightly (chance 0.5); "
        "mean over models, 90 % interval over lineages. What runs every model needs no relatives: it tells how hard "
        "a row is.",
        "",
        "| closest relative | models | lineages | " + " | ".join(methods) + " |",
        "|---|---:|---:|" + "---:|" * len(methods),
    ]
    for relation, models, lineages, cells in by_relation(placed, methods):
        lines.append(f"| {relation} | {models} | {lineages} | " + " | ".join(cells) + " |")
    return lines


def _shortlist(held: Sequence[HeldOut]) -> str:
    """Coverage on parents that were not calibrated on, and the gap that all of them give."""
    covered = leave_one_parent_out(held)
    return (
        f"Blind datasets with all their models, calibrated on the other parents: the best model is on the 90 % "
        f"shortlist of {100 * covered.share:.0f} % of {covered.datasets} lists; it holds {covered.models:.1f} models, "
        f"{100 * covered.size:.0f} % of the candidates."
    )


def _ceilings(corpus: MeasuredCorpus, tested: Sequence[str]) -> list[str]:
    lines = []
    for table in corpus.tables:
        found = ceilings(table) if table.id in tested else []
        if found:
            between = np.mean([one.between_seeds for one in found])
            truth = np.mean([one.with_truth for one in found])
            lines.append(
                f"{table.id}: weighted tau between two seeds {between:.3f}, of the table with endless seeds "
                f"{truth:.3f} ({len(found)} datasets run twice)."
            )
    return lines or ["Nothing was measured twice."]
