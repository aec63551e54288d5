"""Multiply-accumulates of networks that are known by the shapes of their layers.

Headers tell a network's shapes, not its strides, so its cost cannot be read from a file. But most repositories hold a
well-known backbone, perhaps with a new head. A small bundled table maps the shapes of the layers before the head to
the measured cost; shapes on whose cost the models that have them do not agree are not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from statistics import median

from hf_crosssight.hub.places import atomic_file
from hf_crosssight.tokens.tensor_kinds import WEIGHT_LAYERS, Tensor, place_tensors

TABLE = Path(__file__).parents[1] / "assets" / "known_costs.parquet"
_CLOSE = 0.03  # relative: costs of one network that differ by no more are the same
_AGREE = 0.75  # share of the models of one network that must have the same cost (an anti-aliased variant is rare)
_MAX_ZOOM = 2.0  # a cost is carried to another input size only within this factor


def backbone_key(tensors: Iterable[Tensor], num_labels: int | None = None) -> str:
    """A digest of the shapes of all layers before the head, in any order and under any names."""
    placed = place_tensors(tensors, num_labels)
    shapes = sorted(tensor.shape for tensor in placed if tensor.kind in WEIGHT_LAYERS and tensor.kind != "head")
    return hashlib.sha256(repr(shapes).encode()).hexdigest()[:12] if shapes else ""


def known_cost(
    tensors: Iterable[Tensor], input_size: int | None, num_labels: int | None = None
) -> tuple[float | None, float | None]:
    """(GMACs, millions of activations) of a network at an input size in pixels, `(None, None)` if it is not known.

    At an input size that was not measured, the cost of the nearest one is carried over with the number of pixels.
    """
    sizes = _table().get(backbone_key(tensors, num_labels), {})
    if not sizes or not input_size:
        return None, None
    nearest = min(sizes, key=lambda size: abs(size - input_size))
    if max(nearest, input_size) > _MAX_ZOOM * min(nearest, input_size):
        return None, None
    pixels = (input_size / nearest) ** 2
    gmacs, macts = sizes[nearest]
    return gmacs * pixels, macts * pixels


def write_table(costs: Sequence[tuple[str, int, float, float]], path: Path = TABLE) -> int:
    """Writes (key, input size, GMACs, MActs) rows of single models as one row per network; returns their number."""

    import pyarrow as pa
    import pyarrow.parquet as pq

    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for key, size, gmacs, macts in costs:
        found.setdefault((key, size), []).append((gmacs, macts))
    rows = []
    for (key, size), pairs in sorted(found.items()):
        gmacs, macts = (median(values) for values in zip(*pairs, strict=True))
        agreeing = sum(abs(own - gmacs) <= _CLOSE * gmacs for own, _ in pairs)
        if key and agreeing >= _AGREE * len(pairs):
            rows.append({"key": key, "input_size": size, "gmacs": gmacs, "macts": macts})
    columns = [("key", pa.string()), ("input_size", pa.int32()), ("gmacs", pa.float32()), ("macts", pa.float32())]
    with atomic_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns)), temporary, compression="zstd")
    return len(rows)


@cache
def _table() -> dict[str, dict[int, tuple[float, float]]]:
    """By key and input size: (GMACs, MActs)."""
    import pyarrow.parquet as pq

    table: dict[str, dict[int, tuple[float, float]]] = {}
    for row in pq.read_table(TABLE).to_pylist():
        table.setdefault(row["key"], {})[row["input_size"]] = (row["gmacs"], row["macts"])
    return table
