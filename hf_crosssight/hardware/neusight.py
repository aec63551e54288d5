"""NeuSight's own predictions as another source: a CSV as its scripts summarise them.

NeuSight (Lee, Phanishayee, Mahajan, ASPLOS 2025) predicts kernel by kernel and needs the network; who has run it can
have its figures stand beside the others. Their interval is what its authors' printed tables show: nine in ten of 123
runs were off by less than 20 % (82 of inference, 41 of training).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.catalogue import plain
from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.memory import Interval
from hf_crosssight.hardware.predict import Costs

ERROR = 0.20
_PHASES = {"inf": "infer", "infer": "infer", "train": "train"}
_HEADER = "model_name,device,batch,mode,neusight_pred_ms"


@dataclass(frozen=True)
class Prediction:
    """What NeuSight says a pass of `batch_size` images takes, in milliseconds."""

    model_id: str
    device: str
    phase: str
    batch_size: int
    latency_ms: float


def read_neusight(path: str | Path) -> tuple[Prediction, ...]:
    """The predictions of a CSV with the columns model_name, device, batch, mode (inf, train) and neusight_pred_ms.

    Rows without a figure are passed over.

    Raises:
        UserError: the file cannot be read, or is no such table.
    """
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"NeuSight's table {path} cannot be read: {error}.", "Name a CSV file.") from error
    if not rows or not set(_HEADER.split(",")) <= set(rows[0]):
        raise UserError(f"{path} is no table of NeuSight's.", f"It needs the columns {_HEADER}.")
    found = [_prediction(row, number, path) for number, row in enumerate(rows, start=2) if row["neusight_pred_ms"]]
    return tuple(found)


def _prediction(row: dict[str, str], number: int, path: str | Path) -> Prediction:
    try:
        batch, latency, phase = int(float(row["batch"])), float(row["neusight_pred_ms"]), _PHASES[row["mode"]]
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"Line {number} of {path} is no prediction: {error}.", f"Columns: {_HEADER}.") from error
    if batch < 1 or not (math.isfinite(latency) and latency > 0):
        raise UserError(f"Line {number} of {path}: {latency:g} ms for {batch} images cannot be.", "Mend that line.")
    return Prediction(row["model_name"], row["device"], phase, batch, latency)


def with_neusight(
    costs: Costs, predictions: Sequence[Prediction], model_ids: Sequence[str]
) -> tuple[Costs, list[int]]:
    """The costs with NeuSight's latency where it has one of that model, device, phase and batch; and those rows."""
    figures = Interval(*(getattr(costs.latency_ms, end).copy() for end in ("value", "low", "high")))
    at = {plain(name): row for row, model_id in enumerate(model_ids) for name in (model_id, model_id.split("/")[-1])}
    rows = []
    for one in predictions:
        row = at.get(plain(one.model_id))
        fits = (one.phase, one.batch_size) == (costs.phase, costs.batch_size) and _is_of(one, costs.device)
        if row is None or not fits:
            continue
        milliseconds = one.latency_ms / one.batch_size
        figures.value[row], figures.low[row] = milliseconds, milliseconds * (1 - ERROR)
        figures.high[row] = milliseconds * (1 + ERROR)
        rows.append(row)
    note = f"latency of {len(rows)} models as NeuSight predicts it" if rows else "NeuSight's table has none of these"
    return replace(costs, latency_ms=figures, notes=(*costs.notes, note)), rows


def _is_of(prediction: Prediction, device: Device) -> bool:
    """Whether a device as NeuSight spells it (`NVIDIA_A100-SXM4-40GB`) is this one."""
    name = plain(prediction.device)
    return any(plain(own) in name or name == plain(own) for own in (device.name, device.title, *device.aliases))


__all__ = ["Prediction", "read_neusight", "with_neusight"]
