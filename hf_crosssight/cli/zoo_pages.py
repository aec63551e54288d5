"""What the `zoo` commands print: a report of a build, the counts of an index, its models; and progress with speed."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hf_crosssight.cli.output import Format, emit, human_size
from hf_crosssight.cli.progress import ProgressLine
from hf_crosssight.data.draw import shortened

if TYPE_CHECKING:
    from hf_crosssight.zoo.build import BuildReport, Meter

_NAMED = 20
_EVERY = 10.0  # seconds between two lines of progress that no terminal redraws

LIST_COLUMNS = ("model_id", "revision", "task", "library", "license", "family", "params", "base_model", "views")


class SpeedLine(ProgressLine):
    """A progress line that also tells models/s, bytes and MB/s, once it has been given a meter."""

    def __init__(self) -> None:
        super().__init__()
        self.meter: Meter | None = None
        self._told_at = time.monotonic()

    def watch(self, meter: Meter) -> None:
        """Tell the speed of this build."""
        self.meter = meter

    def __call__(self, step: str, done: int, total: int | None) -> None:
        speed = f", {self.meter.told()}" if self.meter is not None and done and total else ""
        if self.live:
            self.step = step if not speed else self.step
            super().__call__(f"{step}{speed}:" if speed else step, done, total)
            return
        now = time.monotonic()
        if step != self.step or (speed and (now - self._told_at > _EVERY or done == total)):
            self.step, self._told_at = step, now
            print(f"{step} {done}/{total}{speed}" if speed else f"{step} ...", file=sys.stderr)


def print_report(report: BuildReport, verb: str, wanted: Format) -> None:
    """What a build, an addition or an upgrade did."""
    said = report.to_dict()
    chosen = wanted.resolve()
    if chosen is Format.json:
        emit(json.dumps(said, indent=1, ensure_ascii=False))
    elif chosen is Format.quiet:
        emit(str(report.index))
    elif chosen in (Format.csv, Format.markdown):
        flat = {name: len(value) if isinstance(value, list) else _flat(value) for name, value in said.items()}
        print_rows([flat], chosen)
    else:
        emit("\n".join(_report_lines(report, verb, said)))


def _report_lines(report: BuildReport, verb: str, said: dict[str, Any]) -> list[str]:
    views = ", ".join(f"{name} {count}" for name, count in report.views.items())
    lines = [
        f"{report.index}: {report.num_models} models ({views})",
        f"{verb} {report.read} in {report.seconds:.1f} s: {said['models_per_second']} models/s, "
        f"{report.bytes_read / 1e6:.1f} MB at {said['megabytes_per_second']} MB/s",
    ]
    if report.removed:
        lines.append(f"no longer in it, since not named now: {shortened(report.removed)} (`zoo add` keeps them)")
    if report.removed_views:
        lines.append(f"views no longer in it: {', '.join(report.removed_views)}")
    if report.skipped:
        lines += [f"left out ({len(report.skipped)}):", *_named(report.skipped)]
    reasons = {f"{name} ({view})": why for name, own in report.missing_views.items() for view, why in own.items()}
    if reasons:
        lines += [f"views that are missing ({len(reasons)}):", *_named(reasons)]
    return lines


def _named(reasons: dict[str, str]) -> list[str]:
    lines = [f"  {name}: {reason}" for name, reason in list(reasons.items())[:_NAMED]]
    more = len(reasons) - _NAMED
    return [*lines, f"  and {more} more, see skipped.json"] if more > 0 else lines


def print_counts(said: dict[str, Any], wanted: Format) -> None:
    """The description of an index."""
    chosen = wanted.resolve()
    if chosen is Format.json:
        emit(json.dumps(said, indent=1, ensure_ascii=False))
    elif chosen is Format.quiet:
        emit(said["id"])
    elif chosen in (Format.csv, Format.markdown):
        print_rows([{name: _flat(value) for name, value in said.items()}], chosen)
    else:
        emit("\n".join(_count_lines(said)))


def _count_lines(said: dict[str, Any]) -> list[str]:
    params = said["params"]
    shards = f"{said['shards']} shard{'s' if said['shards'] != 1 else ''}"
    size = f", {human_size(said['bytes'])}B in {shards}" if said["bytes"] is not None else ""
    lines = [f"{said['id']}: {said['num_models']} models{size}"]
    if params:
        lines.append(f"parameters: {' | '.join(human_size(params[key]) for key in ('min', 'median', 'max'))}")
    for name, view in said["views"].items():
        share = 100 * view["models"] / max(said["num_models"], 1)
        encoder = f", by {said['encoders'][name]}" if name in said["encoders"] else ""
        lines.append(f"view {name} ({view['spec']}{encoder}): {view['models']} models, {share:.0f} %")
    lines += [f"view {name}: {spec} is outdated, see `zoo upgrade`" for name, spec in said["outdated"].items()]
    if said["byte_budget"]:
        lines.append(f"bytes of weights read of each model, at most: {said['byte_budget']}")
    for name in ("families", "licenses", "libraries", "tasks"):
        top = ", ".join(f"{value} {count}" for value, count in list(said[name].items())[:_NAMED])
        lines.append(f"{name}: {top}{', ...' if len(said[name]) > _NAMED else ''}")
    lines += [f"source: {source['name']} ({source['license']})" for source in said["sources"]]
    if said["skipped"]:
        lines += [f"left out ({len(said['skipped'])}):", *_named(said["skipped"])]
    for view, reasons in said["missing_views"].items():
        lines += [f"{view} is missing for:", *(f"  {count}: {reason}" for reason, count in list(reasons.items())[:5])]
    return lines


def print_models(zoo_id: str, rows: list[dict[str, Any]], rejected: dict[str, int], wanted: Format) -> None:
    """The models of an index."""
    chosen = wanted.resolve()
    if chosen is Format.json:
        emit(json.dumps({"zoo": zoo_id, "models": rows, "rejected": rejected}, indent=1, ensure_ascii=False))
    elif chosen is Format.quiet:
        emit("\n".join(row["model_id"] for row in rows))
    elif chosen in (Format.csv, Format.markdown):
        print_rows([{name: _flat(value) for name, value in row.items()} for row in rows], chosen)
    else:
        emit(_table(rows))


def print_rows(rows: Sequence[dict[str, Any]], wanted: Format) -> None:
    """Flat rows as CSV or as a Markdown table."""
    columns = list(rows[0])
    if wanted is Format.csv:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        emit(buffer.getvalue().rstrip("\n"))
        return
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in columns) + " |" for row in rows]
    emit("\n".join(lines))


def _table(rows: list[dict[str, Any]]) -> str:
    """Columns in line, none of them cut."""
    names = ("model_id", "params", "license", "family", "views")
    cells = [[*names]] + [
        [row["model_id"], human_size(row["params"]), row["license"] or "unknown", row["family"] or "unknown",
         " ".join(row["views"])]
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in padded)


def _flat(value: Any) -> Any:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_flat(one)}" for name, one in value.items())
    return " ".join(str(_flat(one)) for one in value) if isinstance(value, list | tuple) else value


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|")
