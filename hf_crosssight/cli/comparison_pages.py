"""What `compare` and `evaluate` print: methods side by side, and every model's rank by each of them."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hf_crosssight.cli.output import Format, emit
from hf_crosssight.cli.zoo_pages import print_rows
from hf_crosssight.comparison.methods import NOTHING

if TYPE_CHECKING:
    from hf_crosssight.comparison.compare import Comparison
    from hf_crosssight.comparison.evaluate import Evaluation

_SHOWN = 10
_BLOCK = 8  # methods side by side in the table of ranks
_LONGEST_NOTE = 400  # characters, on a screen
_METRICS = {
    "weighted_tau": "tau_w", "weighted_tau_true_rank": "tau_w (true rank)", "kendall_tau": "kendall",
    "regret_at_1": "regret@1", "regret_at_3": "regret@3", "regret_at_5": "regret@5", "ndcg_at_5": "ndcg@5",
}  # fmt: skip


def print_comparison(comparison: Comparison, wanted: Format, plot: str | None = None) -> None:
    """Prints a comparison on stdout; formats that have no place for its notes leave them to stderr."""
    chosen = wanted.resolve()
    notes = [*comparison.warnings, *([f"ranks are drawn in {plot}"] if plot else [])]
    if chosen is Format.json:
        emit(json.dumps(comparison.to_dict() | {"plot": plot}, indent=1, ensure_ascii=False))
        return
    if chosen is Format.csv:
        print_rows(comparison.rows(), chosen)
    elif chosen is Format.markdown:
        print_rows(_method_rows(comparison), chosen)
    elif chosen is Format.quiet:
        emit("\n".join(f"{one.method.name}\t{_best(comparison, one)}" for one in comparison.methods))
    else:
        dataset = comparison.dataset
        classes = f"{dataset['num_classes']} classes" if dataset["num_classes"] else "unlabelled"
        sampled = f"{dataset['split']}, {classes}, {dataset['num_images_used']} images"
        compared = f"{len(comparison.methods)} methods on {len(comparison.models)} models of '{comparison.zoo['id']}'"
        head = f"{dataset['id']} ({sampled}): {compared}"
        costs = (
            f"seconds of processor time, a method's own; made once for all: dataset tokens, forward passes "
            f"({comparison.forward_seconds:.1f} s)"
        )
        parts = [head, "", _in_columns(_method_rows(comparison)), "", costs, "", *_rank_blocks(comparison)]
        emit("\n".join([*parts, *_sources(comparison.learnt_from), *(f"note: {_brief(note)}" for note in notes)]))
        return
    for note in notes:
        print(f"note: {_brief(note)}", file=sys.stderr)


def _method_rows(comparison: Comparison) -> list[dict[str, Any]]:
    rows = []
    for one in comparison.methods:
        row: dict[str, Any] = {
            "method": one.method.name, "needs": ", ".join(one.method.needs) or "nothing",
            "seconds": f"{one.found.seconds:.3f}", "scored": f"{int((one.ranks > 0).sum())}/{len(one.ranks)}",
            "best": _best(comparison, one) or "-",
        }  # fmt: skip
        if comparison.accuracies is not None:
            row |= {short: _figure((one.metrics or {}).get(name)) for name, short in _METRICS.items()}
        rows.append(row | {"reason": one.found.reason or ""})
    if not any(row["reason"] for row in rows):
        rows = [{name: value for name, value in row.items() if name != "reason"} for row in rows]
    return rows


def _best(comparison: Comparison, one: Any) -> str:
    return next((model for model, rank in zip(comparison.models, one.ranks, strict=True) if rank == 1), "")


def _rank_blocks(comparison: Comparison) -> list[str]:
    """Ranks of the models that do best in the middle of the methods (or in truth), some methods at a time."""
    import numpy as np

    shown = [one for one in comparison.methods if one.found.reason is None]
    ranks = np.stack([np.where(one.ranks > 0, one.ranks, len(one.ranks)) for one in shown])
    order = np.argsort(np.median(ranks, axis=0), kind="stable")
    if comparison.accuracies is not None:
        order = np.argsort(-np.nan_to_num(comparison.accuracies, nan=-np.inf), kind="stable")
    blocks = []
    for start in range(0, len(shown), _BLOCK):
        rows = []
        for row in order[:_SHOWN]:
            cells: dict[str, Any] = {"model": comparison.models[row]}
            if comparison.accuracies is not None:
                cells["accuracy"] = _figure(float(comparison.accuracies[row]))
            cells |= {one.method.name: str(int(one.ranks[row]) or "-") for one in shown[start : start + _BLOCK]}
            rows.append(cells)
        blocks += [_in_columns(rows), ""]
    by = "measured accuracy" if comparison.accuracies is not None else "the median rank"
    of = f"the first {_SHOWN} of {len(comparison.models)}" if len(comparison.models) > _SHOWN else "all"
    return [f"Ranks of {of} models by {by}:", "", *blocks]


def print_evaluation(evaluation: Evaluation, wanted: Format) -> None:
    """Prints an evaluation on stdout, its notes where the format has a place for them, else on stderr."""
    chosen = wanted.resolve()
    said = evaluation.to_dict()
    if chosen is Format.json:
        emit(json.dumps(said, indent=1, ensure_ascii=False))
    elif chosen in (Format.csv, Format.markdown):
        print_rows(evaluation_rows(said), chosen)
    elif chosen is Format.quiet:
        emit("\n".join(said["methods"]))
    else:
        models, datasets = len(said["models"]), len(said["datasets"])
        held = f", {said['model_folds']} folds of lineages held out" if said["model_folds"] else ""
        head = f"{len(said['methods'])} methods on {datasets} datasets, {models} models{held}; {said['interval']}"
        emit("\n".join([head, "", _in_columns(evaluation_rows(said)), "", *_ceiling(said["ceiling"]),
                        *_sources(said["learnt_from"])]))  # fmt: skip
    for note in evaluation.warnings:
        print(f"note: {_brief(note)}", file=sys.stderr)


def evaluation_rows(said: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a method with the figures of an evaluation's JSON form, as words."""
    rows = []
    for name, found in said["methods"].items():
        tau, gained = found["weighted_tau"], found["gain_over_static"]
        interval = "-" if tau["low"] is None else f"{tau['low']:+.3f} … {tau['high']:+.3f}"
        without = found["without_self_transfer"]["weighted_tau"]["mean"]
        row = {"method": name, "tau_w": _figure(tau["mean"]), "90 % interval": interval}
        row |= {short: _figure(_mean(found[metric])) for metric, short in _METRICS.items() if metric != "weighted_tau"}
        row |= {
            "no self-transfer": _figure(without), "over static": _figure(gained["mean"] if gained else None),
            "datasets": str(len(tau["per_dataset"])), "seconds": f"{found['seconds']:.1f}",
        }  # fmt: skip
        rows.append(row)
    return rows


def _brief(note: str) -> str:
    """A note without the tail of a long list; JSON has it whole."""
    return textwrap.shorten(note, _LONGEST_NOTE, placeholder=" ...")


def _mean(found: Any) -> float | None:
    return found["mean"] if isinstance(found, dict) else found


def _ceiling(ceiling: dict[str, Any]) -> list[str]:
    if ceiling["weighted_tau"] is None:
        return [f"noise ceiling: unknown, {ceiling['note']}"]
    tau = ceiling["weighted_tau"]
    return [
        f"noise ceiling: tau_w {tau['mean']:.3f}, two seeds agree at {tau['between_seeds']:.3f} ({ceiling['note']})"
    ]


def _sources(learnt_from: str) -> list[str]:
    return [f"methods that learn were fitted to {learnt_from}"] if learnt_from != NOTHING else []


def _figure(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _in_columns(rows: Sequence[dict[str, Any]]) -> str:
    """Columns in line, none of them cut; figures to the right."""
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    right = [all(_is_number(line[column]) for line in lines[1:]) for column in range(len(widths))]
    padded = [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        )
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in padded)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(".", "", 1).lstrip("+-").isdigit()
