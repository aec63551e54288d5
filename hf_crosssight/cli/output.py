"""The one output sink: the result alone goes to stdout in the wanted format, all else to stderr."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import CrossSightError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from hf_crosssight.recommendation import Ranking, Recommendation


class Format(StrEnum):
    """`auto` is `human` on a terminal and `json` in a pipe; `quiet` prints ids alone."""

    auto = "auto"
    human = "human"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    quiet = "quiet"

    def resolve(self) -> Format:
        if self is not Format.auto:
            return self
        return Format.human if sys.stdout.isatty() else Format.json


def print_error(error: CrossSightError) -> None:
    """Two lines on stderr: what is wrong, what to do."""
    print(f"error: {error.what}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)


def print_ranking(ranking: Ranking, wanted: Format) -> None:
    """Prints a ranking on stdout; formats that have no place for its warnings leave them to stderr."""
    chosen = wanted.resolve()
    match chosen:
        case Format.json:
            emit(json.dumps(ranking.to_dict(), indent=1, ensure_ascii=False))
        case Format.csv:
            emit(_csv(ranking.rows()))
        case Format.markdown:
            emit(_markdown(ranking))
        case Format.quiet:
            emit("\n".join(item.model_id for item in ranking))
        case _:
            emit(_human(ranking))
    if chosen not in (Format.json, Format.human):
        for warning in ranking.warnings:
            print(f"note: {warning}", file=sys.stderr)


def print_record(record: dict[str, Any], wanted: Format) -> None:
    """Prints a flat record: one `key: value` a line for people, JSON otherwise."""
    chosen = wanted.resolve()
    if chosen is Format.json:
        emit(json.dumps(record, indent=1, ensure_ascii=False))
    elif chosen is Format.csv:
        emit(_csv([record]))
    elif chosen is Format.markdown:
        emit("\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in record.items())]))
    else:
        emit("\n".join(f"{key}: {value}" for key, value in record.items()))


def emit(text: str) -> None:
    """Writes the result; a reader that has seen enough (`| head -1`) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().rstrip("\n")


_PIPE_WIDTH = 120
_FOOTNOTE = (
    "Scores are z-scores of expected accuracy after fine-tuning; intervals are the ensemble's, not calibrated; "
    "models of one tier cannot be told apart."
)
_COLUMNS = ("#", "model", "score", "90 % interval", "tier", "params", "licence")
_COSTS = ("ms an image", "MiB", "source", "front")


def _columns(ranking: Ranking) -> tuple[str, ...]:
    return (*_COLUMNS, *_COSTS) if any(item.hardware for item in ranking) else _COLUMNS


def _cells(item: Recommendation) -> tuple[str, ...]:
    return (
        str(item.rank),
        item.model_id,
        f"{item.score:+.2f}",
        f"{item.score_low:+.2f} … {item.score_high:+.2f}",
        str(item.tier),
        human_size(item.params),
        item.license or "unknown",
        *_cost_cells(item.hardware),
    )


def _cost_cells(hardware: dict[str, Any] | None) -> tuple[str, ...]:
    """Latency and memory with the upper ends that limits act on, where they are from, and `*` on the Pareto front."""
    if hardware is None:
        return ()

    def ranged(name: str) -> str:
        value, high = hardware[name], hardware[f"{name}_high"]
        return "unknown" if value is None else f"{value:.3g}" if high == value else f"{value:.3g} (to {high:.3g})"

    return (
        ranged("latency_ms"),
        ranged("memory_mb"),
        hardware["source"] or "unknown",
        "*" if hardware["pareto"] else "",
    )


def human_size(count: int | None) -> str:
    """`11.7M`, `1.3B`; `unknown` for `None`."""
    if count is None:
        return "unknown"
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def _summary(ranking: Ranking) -> str:
    dataset, zoo = ranking.dataset, ranking.zoo
    classes = f", {dataset['num_classes']} classes" if dataset["num_classes"] else ", unlabelled"
    line = (
        f"{dataset['id']} ({dataset['split']}{classes}, {dataset['num_images_used']} images used): "
        f"{zoo['num_candidates']} of {zoo['num_models']} models of '{zoo['id']}' were ranked"
    )
    rejected = ", ".join(f"{name} {count}" for name, count in zoo["rejected"].items() if count)
    return f"{line}; rejected: {rejected}" if rejected else line


def _markdown(ranking: Ranking) -> str:
    columns = _columns(ranking)
    head = [f"| {' | '.join(columns)} | why |", "|" + "---|" * (len(columns) + 1)]
    body = [f"| {' | '.join(_escaped(_cells(item)))} | {_escaped(['; '.join(item.why)])[0]} |" for item in ranking]
    return "\n".join([_summary(ranking), "", *head, *body])


def _escaped(cells: Sequence[str]) -> list[str]:
    """Names from the Hub are text: a pipe in one must not open a new column."""
    return [cell.replace("|", "\\|") for cell in cells]


def _human(ranking: Ranking) -> str:
    from rich.console import Console
    from rich.text import Text

    table, needed = _table(ranking)
    console = Console(highlight=False, markup=False, file=io.StringIO(), force_terminal=sys.stdout.isatty())
    console.width = max(needed, console.width if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(_summary(ranking))
    console.print()
    console.print(table)
    console.print("\nWhy")
    for item in ranking:
        console.print(Text(f"{item.rank:>3}. {item.model_id}", style="bold"))
        for reason in item.why:
            console.print(Text(f"     - {reason}"))
    if ranking.pareto:
        _print_front(console, ranking.pareto.to_dict())
    console.print(f"\n{_FOOTNOTE}")
    for warning in ranking.warnings:
        console.print(Text(f"note: {warning}"))
    return console.file.getvalue().rstrip("\n")  # type: ignore[attr-defined]


def _print_front(console: Console, pareto: dict[str, Any]) -> None:
    """The Pareto front from its cheapest model on."""
    console.print(f"\nPareto front: score against {pareto['metric']} on {pareto['device']}")
    for point in pareto["front"]:
        console.print(f"  {point[pareto['metric']]:>10.4g}  {point['score']:+.2f}  {point['model_id']}")


def _table(ranking: Ranking) -> tuple[Table, int]:
    """The table of a ranking and the columns it needs: a narrow terminal wraps its lines, no figure is cut."""
    from rich.table import Table
    from rich.text import Text

    rows = [_cells(item) for item in ranking]
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = _columns(ranking)
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for name, width in zip(columns, widths, strict=True):
        right = name in {"#", "score", "tier", "params"}
        table.add_column(name, justify="right" if right else "left", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table, sum(widths) + 2 * len(widths)
