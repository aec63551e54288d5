"""Records of a zoo as an Arrow table: its columns, and the way from records to rows and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hf_crosssight.zoo.record import ModelRecord

Hardware = list[dict[str, Any]] | None
"""Measured figures of one model: device, precision, compiler, batch_size, throughput in images/s."""

_MEASUREMENT = pa.struct(
    [
        ("device", pa.string()),
        ("precision", pa.string()),
        ("compiler", pa.string()),
        ("batch_size", pa.int32()),
        ("throughput", pa.float32()),
    ]
)
_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("model_id", pa.string()),
        ("revision", pa.string()),
        ("task", pa.string()),
        ("library", pa.string()),
        ("license", pa.string()),
        ("tags", _TEXTS),
        ("architecture", pa.string()),
        ("family", pa.string()),
        ("pretrain_data", _TEXTS),
        ("base_model", pa.string()),
        ("params", pa.int64()),
        ("gmacs", pa.float32()),
        ("macts", pa.float32()),
        ("input_size", pa.int32()),
        ("sources", _TEXTS),
        ("hardware", pa.list_(_MEASUREMENT)),
    ]
)
_TUPLES = ("tags", "pretrain_data", "sources")


def table_of(records: Sequence[ModelRecord], hardware: Sequence[Hardware] | None = None) -> pa.Table:
    """One row a model, with the columns of `SCHEMA`."""
    rows = [dataclasses.asdict(record) for record in records]
    for row, measured in zip(rows, hardware or [None] * len(rows), strict=True):
        row["hardware"] = measured
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def record_of(row: dict[str, Any]) -> ModelRecord:
    """The record of a row as Python values; `hardware` is not part of it."""
    facts = {name: value for name, value in row.items() if name != "hardware"}
    return ModelRecord(**{**facts, **{name: tuple(facts[name] or ()) for name in _TUPLES}})
