"""`hf-crosssight hardware ...`: which devices are known, what a model costs here, what it would cost elsewhere."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, OfflineOption, TokenOption
from hf_crosssight.cli.output import Format
from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.hardware.anchors import Anchors
    from hf_crosssight.hardware.device import Device
    from hf_crosssight.hub import HubClient

LIST_EXAMPLES = """Examples:

hf-crosssight hardware list

hf-crosssight hardware list --kind board --format csv
"""
MEASURE_EXAMPLES = """Examples:

hf-crosssight hardware measure microsoft/resnet-18

hf-crosssight hardware measure ./my-model --batch-size 1 --batch-size 8 --phase train --format json

hf-crosssight hardware measure ./zoo/* --batch-size 1 --out hardware.parquet
"""
PREDICT_EXAMPLES = """Examples:

hf-crosssight hardware predict timm/resnet50.a1_in1k --device rtx4090

hf-crosssight hardware predict ./my-model --device raspberry-pi-5 --anchors timings.csv

hf-crosssight hardware predict google/vit-base-patch16-224 --device ./my-board.json --batch-size 1
"""

app = typer.Typer(
    name="hardware",
    help="What models cost on machines: list devices, measure here, predict elsewhere.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_Phase = Annotated[str, typer.Option(help="infer | train, a whole training step.")]


@app.command("list", epilog=LIST_EXAMPLES)
def list_command(
    kind: Annotated[str | None, typer.Option(help="Only gpu, cpu, board or phone.")] = None,
    format: FormatOption = Format.auto,
) -> None:
    """List the known devices, this machine first; JSON gives the source of every figure."""
    from hf_crosssight.hardware.catalogue import catalogue, figure_sources
    from hf_crosssight.hardware.device import KINDS
    from hf_crosssight.hardware.local_machine import local_device

    if kind is not None and kind not in KINDS:
        raise UserError(f"--kind is {kind!r}.", f"Take {', '.join(KINDS)}.")
    devices = [device for device in (local_device(), *catalogue()) if kind in (None, device.kind)]
    if format.resolve() is Format.json:
        whole = [dataclasses.asdict(device) | {"extrapolated": device.extrapolated} for device in devices]
        print(json.dumps({"devices": whole, "sources": figure_sources()}, indent=1, ensure_ascii=False))
    else:
        _print_rows([_device_row(device) for device in devices], "device", format)


@app.command("measure", epilog=MEASURE_EXAMPLES)
def measure_command(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Folders | Hub ids.")],
    device: Annotated[str, typer.Option(help="cpu | cuda.")] = "cpu",
    batch_size: Annotated[list[int] | None, typer.Option(help="Images a pass; repeat. 1 by default.")] = None,
    phase: _Phase = "infer",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; by default as PyTorch takes them.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Parquet table to add to, with each model's places by metric; goes on where it stopped."),
    ] = None,
    offline: OfflineOption = False,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Measure models on this machine: latency, memory, energy, temperature, carbon; why, where there is no figure.

    `rank --device local` takes these figures before predicted ones.
    """
    from hf_crosssight.cli.progress import ProgressLine
    from hf_crosssight.cli.quiet import silence_libraries

    if not debug:
        silence_libraries()
    progress = ProgressLine()
    try:
        options: dict[str, Any] = {"device": device, "batch_sizes": batch_size or [1], "phase": phase}
        options |= {"offline": offline, "progress": progress}
        rows = _measured_rows(models, threads, out, options)
    finally:
        progress.close()
    if format.resolve() is Format.json:
        print(json.dumps({"measurements": rows}, indent=1, ensure_ascii=False))
        return
    for row in rows:
        reasons = row.pop("reasons")
        row["not_measured"] = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    _print_rows([{name: _short(value) for name, value in row.items()} for row in rows], "model_id", format, tall=True)


def _measured_rows(
    models: list[str], threads: int | None, out: Path | None, options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Measurements as rows: several models into a table, a single one in this process; kept for later rankings."""
    from hf_crosssight.hardware.measurements import keep

    if out is None and len(models) > 1:
        raise UserError("Several models are measured into a table.", "Name it: --out FILE.parquet.")
    if out is not None:
        from hf_crosssight.hardware.metric_table import measure_many

        table, failed = measure_many(models, out, threads=threads, **options)
        for model, why in failed.items():
            print(f"note: {model} was left out: {why}", file=sys.stderr)
        if table.empty:
            raise UserError(f"None of {len(models)} models could be measured.", "The notes say why.")
        rows = json.loads(table.to_json(orient="records"))
        found = [row | {"reasons": json.loads(row["reasons"])} for row in rows if row["source"] in models]
    else:
        from hf_crosssight.hardware.measure import measure_model

        if threads:
            import torch

            torch.set_num_threads(threads)
        found = [dataclasses.asdict(one) for one in measure_model(models[0], **options)]
    keep(found)
    return found


@app.command("predict", epilog=PREDICT_EXAMPLES)
def predict_command(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Folders | Hub ids | ids of the starter zoo.")
    ],
    device: Annotated[str, typer.Option(help="A device of `hardware list` | local | FILE.json.")],
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images a pass; 1 on processors, 256 on GPUs by default, as measured.")
    ] = None,
    phase: _Phase = "infer",
    anchors: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON of up to 20 timings of this device: model_id, latency_ms (of a whole pass), batch_size."
        ),
    ] = None,
    neusight: Annotated[
        Path | None, typer.Option(help="CSV of NeuSight's own predictions, which go before ours where they fit.")
    ] = None,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Predict what models cost on a device from structure alone, with 90 % intervals.

    Latency and energy are those of an image in passes of a batch, memory is a pass's peak.
    """
    from hf_crosssight.cli.quiet import silence_libraries

    if not debug:
        silence_libraries()
    from hf_crosssight.hardware.catalogue import find_device
    from hf_crosssight.hardware.known_models import known_models
    from hf_crosssight.hardware.predict import predict_costs
    from hf_crosssight.hub import HubClient

    found = find_device(device)
    client = HubClient(offline=offline, token=token) if token else HubClient(offline=offline)
    known = known_models(models, client=client)
    costs = predict_costs(
        known.shapes, found, batch_size=batch_size, phase=phase, anchors=_anchors(anchors, client) if anchors else None
    )
    outside: list[int] = []
    if neusight is not None:
        from hf_crosssight.hardware.neusight import read_neusight, with_neusight

        costs, outside = with_neusight(costs, read_neusight(neusight), known.ids)
    rows = [{"model_id": model_id, **costs.hardware(row)} for row, model_id in enumerate(known.ids)]
    for place, row in enumerate(rows):
        row["by"] = "neusight" if place in outside else "hf_crosssight"
        row["reason"] = known.unknown.get(row["model_id"])
    if format.resolve() is Format.json:
        said = {"device": dataclasses.asdict(found), "phase": phase, "predictions": rows, "notes": list(costs.notes)}
        print(json.dumps(said, indent=1, ensure_ascii=False))
        return
    _print_rows([_prediction_row(row) for row in rows], "model_id", format, tall=len(rows) == 1)
    if format.resolve() is Format.human:
        print("\n".join(f"note: {note}" for note in costs.notes))


def _anchors(path: Path, client: HubClient) -> Anchors:
    from hf_crosssight.hardware.anchors import anchors_of, read_anchors
    from hf_crosssight.hardware.known_models import known_models

    timings = read_anchors(path)
    return anchors_of(timings, known_models([timing.model_id for timing in timings], client=client).shapes)


def _device_row(device: Device) -> dict[str, Any]:
    return {
        "device": device.name,
        "title": device.title,
        "kind": device.kind,
        "year": device.year,
        "fp32_tflops": _short(device.rates.get("fp32")),
        "tensor_tflops": _short(device.rates.get("fp16_tensor")),
        "bandwidth_gb_s": _short(device.bandwidth_gb_s),
        "memory_gb": _short(device.memory_gb),
        "power_w": _short(device.power_max_w),
        "extrapolated": "yes" if device.extrapolated else "",
    }


def _prediction_row(row: dict[str, Any]) -> dict[str, Any]:
    def ranged(name: str) -> str:
        value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
        return "unknown" if value is None else f"{value:g} ({low:g} to {high:g})"

    return {
        "model_id": row["model_id"],
        "device": row["device"],
        "batch_size": row["batch_size"],
        "latency_ms": ranged("latency_ms"),
        "memory_mb": ranged("memory_mb"),
        "energy_j": ranged("energy_j"),
        "throughput": _short(row["throughput"]),
        "source": row["source"] or f"unknown: {row['reason']}",
    }


def _short(value: Any) -> Any:
    """Figures to four digits; nothing for `None`."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else value


def _print_rows(rows: list[dict[str, Any]], key: str, wanted: Format, *, tall: bool = False) -> None:
    """Rows for people (`tall`: a line a figure), as CSV or Markdown, or the keys alone."""
    from hf_crosssight.cli.zoo_pages import print_rows

    chosen = wanted.resolve()
    if chosen is Format.quiet:
        print("\n".join(str(row[key]) for row in rows))
    elif chosen in (Format.csv, Format.markdown):
        print_rows(rows, chosen)
    elif tall:
        print("\n\n".join("\n".join(f"{name}: {value}" for name, value in row.items()) for row in rows))
    else:
        widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
        for row in ({name: name for name in widths}, *rows):
            print(
                "  ".join(
                    str(row[name] if row[name] is not None else "").ljust(widths[name]) for name in widths
                ).rstrip()
            )
