"""The thesis' table of metrics as a part of a table of results: what its models cost, by device, phase and batch.

It lies beside the results and not among them, in a folder and a configuration of its own: a row is no fine-tuning run,
and readers of results take every file of `data`. `model_id` joins the two.
"""

from __future__ import annotations

import io
from collections.abc import Set
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.table_card import HARDWARE_FILE, HardwarePart
from hf_crosssight.hardware.measure import Measurement
from hf_crosssight.hardware.metric_table import RANKED, ranked

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS = tuple(one.name for one in fields(Measurement))
_SENSED = ("energy_j", "power_w", "cpu_temperature_c", "carbon_g")
_TEXT = ("model_id", "revision", "device", "phase", "precision", "reasons")
_WHOLE = ("batch_size", "input_size", "threads", "params")
_HINT = "Name the --out file of `hf-crosssight hardware measure`, or a folder of such files."


def metrics_of(path: Path) -> pd.DataFrame:
    """Measurements of one table or of all in a folder (or its `data`), places by metric counted over all of them.

    Where a model was measured stays out: `source` may be a path of the machine.

    Raises:
        UserError: there is no such table, or it is none of measurements.
    """
    import pandas as pd

    files = [path] if path.is_file() else sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
    if not files:
        raise UserError(f"There is no table of measurements {path}.", _HINT)
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            found = pd.read_parquet(file)[[*COLUMNS]].to_dict("records")
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{file} is no table of measurements: {error}", _HINT) from error
        rows += [{str(name): value for name, value in row.items()} for row in found]
    if not rows:
        raise UserError(f"{path} holds no measurement.", _HINT)
    return ranked(rows)


def metrics_file(metrics: pd.DataFrame) -> bytes:
    """The measurements as Parquet; a metric that nothing measured keeps its type, so that later rows fit to it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _type_of(name)) for name in [*COLUMNS, *(f"rank_{name}" for name in RANKED)]])
    table = pa.Table.from_pandas(metrics, schema, preserve_index=False).replace_schema_metadata()
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def part_of_card(metrics: pd.DataFrame, models: Set[str]) -> HardwarePart:
    """What the card of a table of results with these `models` says of the measurements."""
    conditions = metrics[["phase", "batch_size"]].drop_duplicates().sort_values(["phase", "batch_size"])
    return HardwarePart(
        rows=len(metrics),
        models=metrics.model_id.nunique(),
        joined=len(models & set(metrics.model_id)),
        devices=tuple(sorted(metrics.device.unique())),
        conditions=tuple(f"{phase}, batch {batch}" for phase, batch in conditions.itertuples(index=False)),
        unmeasured=tuple(name for name in _SENSED if metrics[name].isna().all()),
    )


def held_metrics(table: Path) -> Path | None:
    """The measurements that lie in a table's folder already, as an earlier release left them."""
    return table / HARDWARE_FILE if (table / HARDWARE_FILE).is_file() else None


def _type_of(column: str) -> pa.DataType:
    import pyarrow as pa

    if column in _TEXT:
        return pa.string()
    return pa.int64() if column in _WHOLE or column.startswith("rank_") else pa.float64()
