"""One view of many models on disk: a safetensors file of float16, read as a memory map.

Models share rows (padding, tensor groups of a common block), so a file may hold each distinct row once, as `values`
`[U, Dv]`, with `rows` `[M, n]` to put the views together; else `values` are the views themselves, `[M, n, Dv]`.
`mask` `[M]` says which models have the view.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np

_DTYPES = {"F16": np.float16, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8}
_MAX_HEADER = 1 << 20
_WORTH_SHARING = 0.9  # below this share of the plain size, rows are kept once; else the file can be mapped as it is
_LARGEST_SHARED = 64 << 20  # bytes; sharing serves small zoos that are shipped, large ones are mapped as they are


def view_bytes(values: np.ndarray, mask: np.ndarray) -> bytes:
    """The file's content for views `[M, n, Dv]` and mask `[M]`; distinct rows are kept once where that is smaller."""
    from safetensors.numpy import save

    halves = np.ascontiguousarray(values.astype(np.float16))
    flat = halves.reshape(-1, halves.shape[-1])
    arrays: dict[str, np.ndarray] = {"values": halves}
    if 0 < halves.nbytes <= _LARGEST_SHARED:
        unique, rows = np.unique(flat.view(np.uint16), axis=0, return_inverse=True)
        numbers = rows.reshape(halves.shape[:2]).astype(np.uint16 if len(unique) < 1 << 16 else np.uint32)
        if unique.nbytes + numbers.nbytes < _WORTH_SHARING * halves.nbytes:
            arrays = {"values": unique.view(np.float16), "rows": numbers}
    return save({**arrays, "mask": np.ascontiguousarray(mask.astype(np.uint8))})


def read_view(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(float16 views `[M, n, Dv]`, bool mask `[M]`); mapped, not read, where the file holds the views themselves.

    Raises:
        ValueError: the file is damaged or is something else.
    """
    arrays = _map_arrays(path)
    if not {"values", "mask"} <= arrays.keys():
        raise ValueError(f"{path.name} holds no view")
    values, mask = arrays["values"], np.array(arrays["mask"], bool)
    if "rows" in arrays:
        if arrays["rows"].size and int(arrays["rows"].max()) >= len(values):
            raise ValueError(f"{path.name} points to rows that it does not hold")
        values = np.asarray(values)[arrays["rows"]]
    if values.ndim != 3 or len(values) != len(mask):
        raise ValueError(f"{path.name} holds views of shape {values.shape} for {len(mask)} models")
    return values, mask


def _map_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a safetensors file as a read-only memory map."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MAX_HEADER + 1
        if length > min(_MAX_HEADER, size):
            raise ValueError(f"{path.name} is no safetensors file")
        header = json.loads(file.read(length))
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, (begin, end) = _DTYPES.get(entry["dtype"]), entry["data_offsets"]
        shape = tuple(entry["shape"])
        offset = 8 + length + begin
        if dtype is None or end - begin != math.prod(shape) * np.dtype(dtype).itemsize or 8 + length + end > size:
            raise ValueError(f"{path.name} is truncated or damaged")
        empty = np.zeros(shape, dtype)
        arrays[name] = np.memmap(path, dtype, "r", offset, shape) if empty.size else empty
    return arrays
