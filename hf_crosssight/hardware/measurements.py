"""What was really measured on a device, which goes before any prediction of it.

Two sources: the timings that a zoo index carries (throughputs of timm's benchmark tables), and what `hardware measure`
has measured on this machine, kept in the cache. Each kept measurement is one line appended in one write, so that
two processes may keep at once, and a line cut short by a kill is passed over.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.hardware.anchors import MOST, Anchors
from hf_crosssight.hardware.catalogue import plain
from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.memory import Interval
from hf_crosssight.hardware.model_shape import ModelShapes
from hf_crosssight.hardware.predict import Costs

if TYPE_CHECKING:
    from hf_crosssight.zoo.index import ZooIndex

_FULL = 8  # images a pass from which on a GPU's milliseconds an image are those of a full batch


def keep(measurements: Iterable[Mapping[str, Any]]) -> None:
    """Adds measurements, fields as of `Measurement`, to the cache; where that cannot be written, nothing is kept."""
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in measurements)
    path = _store()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, lines.encode())
        finally:
            os.close(descriptor)
    except OSError:
        return


def kept() -> list[dict[str, Any]]:
    """All measurements of the cache, oldest first, fields as of `Measurement`."""
    try:
        lines = _store().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and {"model_id", "device", "phase", "batch_size", "latency_ms"} <= set(row):
            found.append(row)
    return found


OwnRows = list[tuple[int, dict[str, Any]]]
"""Rows of a zoo's models with what was measured of each on this machine."""


def own_rows(device: Device, phase: str, zoo: ZooIndex) -> OwnRows:
    """What `hardware measure` has measured of a zoo's models on a device, the newest of each model and batch."""
    newest = {(row["model_id"], row["batch_size"]): row for row in kept() if _of(row, device, phase)}
    if not newest:
        return []
    place = {model_id: row for row, model_id in enumerate(zoo.model_ids)}
    return [(place[model_id], row) for (model_id, _), row in newest.items() if model_id in place]


def anchors_from(own: OwnRows, shapes: ModelShapes, shape_of: np.ndarray) -> Anchors | None:
    """Measurements as anchors for the models that were not measured, the newest that can be taken.

    Args:
        own: see `own_rows`.
        shapes, shape_of: of the zoo's models, see `shared_shapes`.
    """
    usable = [(shape_of[index], row) for index, row in own if shapes.known[shape_of[index]]][-MOST:]
    if not usable:
        return None
    latency = np.array([row["latency_ms"] / row["batch_size"] for _, row in usable])
    batch = np.array([row["batch_size"] for _, row in usable], float)
    return Anchors(shapes.take(np.array([index for index, _ in usable])), latency, batch)


def with_measured(costs: Costs, zoo: ZooIndex, own: OwnRows, *, usual: bool) -> Costs:
    """The costs with measured figures in the place of predicted ones, for models of a zoo `[M]`.

    Args:
        costs: predicted, of the zoo's models.
        zoo: whose models, and their timings.
        own: see `own_rows`.
        usual: the batch is the usual one of the device, so that any full batch of a GPU will do.
    """
    latency = Interval(*(end.copy() for end in _ends(costs.latency_ms)))
    memory = Interval(*(end.copy() for end in _ends(costs.memory_mb)))
    measured = np.zeros(len(costs), bool)
    if costs.phase == "infer":
        timed = zoo_latency(zoo, costs.device, costs.batch_size, usual=usual)
        measured = np.isfinite(timed)
        for end in _ends(latency):
            end[measured] = timed[measured]
    for index, row in own:
        if row["batch_size"] == costs.batch_size:
            measured[index] = True
            _replace(row, index, latency, memory)
    return dataclasses.replace(costs, latency_ms=latency, memory_mb=memory, measured=measured)


def zoo_latency(zoo: ZooIndex, device: Device, batch_size: int, *, usual: bool = True) -> np.ndarray:
    """Milliseconds an image that a zoo's index carries of a device, `[M]`; NaN where it was not measured."""
    import pyarrow.compute as pc

    found = np.full(len(zoo), np.nan)
    lists = zoo.column("hardware").combine_chunks()
    rows = pc.list_flatten(lists)
    if not len(rows):
        return found
    names = pc.struct_field(rows, "device").dictionary_encode()
    wanted = {plain(name) for name in (device.name, device.title, *device.aliases)}
    own = np.array([name is not None and plain(name) in wanted for name in names.dictionary.to_pylist()], bool)
    if not own.any():
        return found
    batch = pc.struct_field(rows, "batch_size").to_numpy(zero_copy_only=False)
    alike = batch >= _FULL if usual and device.engine == "gpu" else batch == batch_size
    chosen = np.flatnonzero(own[names.indices.fill_null(0).to_numpy()] & names.is_valid().to_numpy(False) & alike)
    throughput = pc.struct_field(rows, "throughput").to_numpy(zero_copy_only=False)[chosen]
    found[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)[chosen]] = 1e3 / throughput
    return found


def _of(row: dict[str, Any], device: Device, phase: str) -> bool:
    """Whether a kept measurement is one of this device and phase."""
    if row["phase"] != phase:
        return False
    if device.name == "local":
        return bool(row["device"] == device.title)
    whole = device.engine == "gpu" or (row.get("threads") or 0) >= (device.cores or 1)  # not a slice of a processor
    return whole and plain(device.title) in plain(str(row["device"]).replace("(R)", "").replace("(TM)", ""))


def _replace(row: dict[str, Any], index: int, latency: Interval, memory: Interval) -> None:
    """Writes one measurement into the figures, its quartiles as their ends."""
    batch = row["batch_size"]
    ends = (row["latency_ms"], row["latency_low_ms"], row["latency_high_ms"])
    for array, value in zip(_ends(latency), ends, strict=True):
        array[index] = value / batch
    if row.get("memory_mb") is not None:
        for array in _ends(memory):
            array[index] = row["memory_mb"]


def _ends(figure: Interval) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return figure.value, figure.low, figure.high


def _store() -> Any:
    from hf_crosssight.hub.places import crosssight_folder

    return crosssight_folder() / "measurements.jsonl"
