"""The thesis' table of metrics: many models measured on this machine, with their places by each metric.

Each model is measured in a process of its own, since memory that one left behind would hide what the next one takes,
and a model that the system kills for its size must not end the others. The table is written after every model, whole
or not at all, and what stands in it is not measured again.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import CrossSightError, UserError
from hf_crosssight.hardware.measure import Measurement, measure_model

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, int, int | None], None]

RANKED = ("latency_ms", "memory_mb", "energy_j", "power_w", "cpu_temperature_c", "carbon_g", "params", "gmacs")
"""Metrics that give a `rank_...` column, 1 for the lowest, among the models of one device, phase and batch."""

_KEY = ["model_id", "device", "phase", "batch_size"]


def measure_many(
    models: Sequence[str],
    out: Path,
    *,
    device: str = "cpu",
    batch_sizes: Sequence[int] = (1,),
    phase: str = "infer",
    threads: int | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Measures models into a Parquet table; returns it, and by model that could not be measured why.

    Args:
        models: folders or Hub ids.
        out: the table; rows of an earlier run stay, and are not measured again.
        device, batch_sizes, phase, offline: as of `measure_model`.
        threads: CPU threads; by default as PyTorch takes them.
        progress: called as `progress(step, done, total)`.

    Raises:
        UserError: `out` is no such table, or cannot be written.
    """
    rows = _rows_of(out)
    done = {(row["source"], row["phase"], row["batch_size"]) for row in rows}
    failed: dict[str, str] = {}
    jobs = [(model, batch) for model in models for batch in batch_sizes if (model, phase, batch) not in done]
    for number, (model, batch) in enumerate(jobs):
        if progress is not None:
            progress(f"measuring {Path(model).name}", number, len(jobs))
        options = {"device": device, "batch_sizes": [batch], "phase": phase, "offline": offline}
        try:
            found = _alone(model, options, threads)
        except CrossSightError as error:
            failed[model] = error.what
            continue
        except BrokenProcessPool:
            failed[model] = f"the system ended the process at batches of {batch}: too little memory, it seems"
            continue
        rows += [_row(one, model) for one in found]
        _write(rows, out)
    return ranked(rows), failed


def ranked(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a table with a `rank_...` column of each metric; empty where a metric was not measured."""
    import pandas as pd

    table = pd.DataFrame(list(rows))
    if table.empty:
        return table
    groups = table.groupby(["device", "phase", "batch_size"])
    for metric in RANKED:
        values = groups[metric].rank(method="min") if table[metric].notna().any() else pd.NA
        table[f"rank_{metric}"] = pd.Series(values, index=table.index, dtype="Int64")
    return table.sort_values(_KEY, ignore_index=True)


def _alone(model: str, options: dict[str, Any], threads: int | None) -> list[Measurement]:
    """Measured in a process that ends with it; it is forked from one that has done the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["transformers.image_processing_utils", "hf_crosssight.hardware.measure"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, model, options, threads).result()


def _measured(model: str, options: dict[str, Any], threads: int | None) -> list[Measurement]:
    from hf_crosssight.cli.quiet import silence_libraries

    silence_libraries()
    if threads:
        import torch

        torch.set_num_threads(threads)
    return measure_model(model, **options)


def _row(measurement: Measurement, source: str) -> dict[str, Any]:
    return {**dataclasses.asdict(measurement), "reasons": json.dumps(measurement.reasons), "source": source}


def _rows_of(path: Path) -> list[dict[str, Any]]:
    import pandas as pd

    if not path.exists():
        return []
    try:
        table = pd.read_parquet(path)
        kept = table[[field.name for field in dataclasses.fields(Measurement)] + ["source"]]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is no table of measurements: {error}", "Name another --out file.") from error
    return [{str(name): value for name, value in row.items()} for row in kept.to_dict("records")]


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    from hf_crosssight.hub.places import atomic_file

    try:
        with atomic_file(path) as temporary:
            ranked(rows).to_parquet(temporary, index=False, compression="zstd")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Name another --out file.") from error
