"""The measured timings that the latency predictor is learned from and tested on: timm's own benchmark tables.

Joins `timm_hardware.csv` (huggingface/pytorch-image-models, Apache-2.0) with the structures of the starter zoo. The
same network was counted with and without its fused attention; the larger count is the whole one.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.fit import Timings, settings_array
from hf_crosssight.hardware.model_shape import SUMMARY_DIM, ModelShapes, zoo_shapes
from hf_crosssight.hardware.roofline import least_times, log_rates
from hf_crosssight.zoo.open import open_zoo

GPUS = ("rtx3090", "rtx4090", "rtx5090", "pro6000maxq")
CPUS = ("i7-12700h", "i9-10940x")
_RENAMED = ("_in22ft1k", "_in21ft1k", "_in22k", "_in21k")


def read_rows(path: Path) -> pd.DataFrame:
    """The table's rows whose costs are known, devices named as in the catalogue, with `zoo_row` (-1: no structure)."""
    table = pd.read_csv(path, dtype={"torch": str})
    costs = table.dropna(subset=["gmacs", "macts"]).groupby(["model", "img_size"])[["gmacs", "macts"]].max()
    table = table.drop(columns=["gmacs", "macts"]).join(costs, on=["model", "img_size"])
    table = table[(table.gmacs > 0) & (table.macts > 0)].reset_index(drop=True)
    table["device"] = table.device.str.replace("_", "-")
    table["family"] = [family_of(name) for name in table.model]
    rows = _structures()
    table["zoo_row"] = [rows.get(name, rows.get(_plain(name), -1)) for name in table.model]
    return table


def family_of(name: str) -> str:
    """What stands before the first digit or underscore of a timm name: `resnet`, `vit`, `efficientnet`."""
    return re.split(r"[\d_]", name.removeprefix("tf_").removeprefix("legacy_"))[0]


def shapes_of(rows: pd.DataFrame) -> ModelShapes:
    """The shapes of the rows' models, structures from the starter zoo."""
    zoo = zoo_shapes(open_zoo("starter"))
    known = rows.zoo_row.to_numpy() >= 0
    summary = np.zeros((len(rows), SUMMARY_DIM), np.float32)
    summary[known] = zoo.summary[rows.zoo_row.to_numpy()[known]]
    columns = (rows[name].to_numpy(np.float64) for name in ("gmacs", "macts", "img_size"))
    return ModelShapes(rows.params_m.to_numpy(np.float64) * 1e6, *columns, summary)


def timings_of(rows: pd.DataFrame) -> Timings:
    """The rows as timings to learn from."""
    shapes = shapes_of(rows)
    times, rates = np.empty((len(rows), 4)), np.empty((len(rows), 2))
    for device in rows.device.unique():
        own = np.flatnonzero(rows.device == device)
        times[own] = least_times(shapes.take(own), find_device(device), rows.batch_size.to_numpy()[own])
        rates[own] = log_rates(find_device(device))
    settings = settings_array(
        compiled=(rows.compiler == "dynamo").to_numpy(),
        channels_last=(rows.layout == "nhwc").to_numpy(),
        pure_bf16=(rows.precision == "bf16").to_numpy(),
        before_torch_2=rows.torch.str.startswith("1.").to_numpy(),
    )
    latency = np.log(rows.latency_ms_per_image.to_numpy())
    run = rows[["device", "precision", "layout", "compiler", "torch"]].agg(" ".join, axis=1)
    names = (column.to_numpy(str) for column in (rows.device, run, rows.family))
    return Timings(shapes.features(), times, rates, settings, latency, *names)


def _structures() -> dict[str, int]:
    """Rows of the starter zoo that know the tensors, by timm architecture."""
    zoo = open_zoo("starter")
    known = zoo_shapes(zoo).summary[:, 0] > 0
    names, libraries = (zoo.column(column).to_pylist() for column in ("architecture", "library"))
    found: dict[str, int] = {}
    for row, (name, library) in enumerate(zip(names, libraries, strict=True)):
        if library == "timm" and known[row]:
            found.setdefault(name, row)
    return found


def _plain(name: str) -> str:
    """An old timm name without the training data that it carried."""
    for ending in _RENAMED:
        name = name.replace(ending, "")
    return name
