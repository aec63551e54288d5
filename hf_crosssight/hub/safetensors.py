"""The header of a safetensors file: which tensors it holds and where, read without its weights.

A header comes from a stranger, so nothing in it is believed before it is checked: its length, its JSON, each dtype,
shape and offset, and that the tensors fill the file without overlap or gap, as the format demands.

Source of the format: https://huggingface.co/docs/safetensors, section "Format".
"""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

from hf_crosssight.errors import UserError

from .tensor_info import DTYPE_BITS, TensorInfo

if TYPE_CHECKING:
    from .ranged_file import RangedFile

MAX_HEADER = 25_000_000
"""Bytes; the limit of huggingface_hub as well. A real header of 200,000 tensors stays below it."""

MAX_DIMENSIONS = 32


class SafetensorsError(UserError):
    """A file that is no sound safetensors file; `reason` says why in a few words."""

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{name} is not a sound safetensors file: {reason}.", "Save or download it again.")


def read_header(source: str | os.PathLike | BinaryIO | RangedFile, name: str | None = None) -> list[TensorInfo]:
    """The tensors of one safetensors file, in the order of its header.

    Args:
        source: path, or a seekable binary file object.
        name (`str`, *optional*): how messages and `TensorInfo.file` call it; by default the file's own name.

    Raises:
        SafetensorsError: the header or the file's length is not sound.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            return read_header(file, name or Path(source).name)
    called = name or Path(str(getattr(source, "name", "safetensors"))).name
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    length = _header_length(source.read(8), size, called)
    header = parse_json(source.read(length), called)
    return _check_tensors(header, 8 + length, size, called)


def _header_length(first: bytes, size: int, name: str) -> int:
    if len(first) < 8:
        raise SafetensorsError(name, f"it has {size} bytes only")
    length: int = struct.unpack("<Q", first)[0]
    if length > MAX_HEADER:
        raise SafetensorsError(name, f"it claims a header of {length} bytes")
    if 8 + length > size:
        raise SafetensorsError(name, f"it is truncated inside its header ({size} bytes)")
    return length


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object without surprises: UTF-8, no key twice, no NaN, not nested beyond reason."""
    try:
        parsed = json.loads(
            content.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise SafetensorsError(name, "its JSON is not UTF-8") from None
    except RecursionError:
        raise SafetensorsError(name, "its JSON is nested too deeply") from None
    except _DuplicateError as error:
        raise SafetensorsError(name, f"{str(error)[:80]!r} stands in it twice") from None
    except ValueError:
        raise SafetensorsError(name, "its JSON is broken") from None
    if not isinstance(parsed, dict):
        raise SafetensorsError(name, "its JSON is not an object")
    return parsed


class _DuplicateError(Exception):
    """A key that stands twice in a JSON object."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise _DuplicateError(key)
        seen[key] = value
    return seen


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _check_tensors(header: dict[str, Any], data: int, size: int, name: str) -> list[TensorInfo]:
    """Each entry as a `TensorInfo`; together they must fill the file from byte `data` to its end."""
    tensors = [_check_entry(key, entry, data, name) for key, entry in header.items() if key != "__metadata__"]
    end = data
    for tensor in sorted(tensors, key=lambda one: (one.start, one.stop)):
        if tensor.start != end:
            what = "overlaps another" if tensor.start < end else "leaves a gap before it"
            raise SafetensorsError(name, f"tensor {tensor.name[:80]!r} {what}")
        end = tensor.stop
    if end != size:
        what = "is truncated" if end > size else "goes on behind its last tensor"
        raise SafetensorsError(name, f"it {what} ({size} bytes, the header says {end})")
    return tensors


def _check_entry(key: str, entry: Any, data: int, name: str) -> TensorInfo:
    """One entry `{"dtype", "shape", "data_offsets"}` of a header."""

    def refuse(reason: str) -> SafetensorsError:
        return SafetensorsError(name, f"tensor {key[:80]!r} {reason}")

    if not isinstance(entry, dict):
        raise refuse("is not an object")
    if any("\ud800" <= character <= "\udfff" for character in key):
        raise refuse("has a name that is not Unicode")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise refuse(f"has the unknown dtype {str(dtype)[:40]!r}")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise refuse("has a malformed shape")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise refuse("has malformed offsets")
    if (offsets[1] - offsets[0]) * 8 != math.prod(shape) * DTYPE_BITS[dtype]:
        raise refuse(f"of shape {tuple(shape)} and dtype {dtype} cannot fill {offsets[1] - offsets[0]} bytes")
    return TensorInfo(key, dtype, tuple(shape), name, data + offsets[0], data + offsets[1])


def _are_counts(values: Any) -> TypeGuard[list[int]]:
    """A list of whole numbers from 0 to 2^63 - 1 (`True` is none)."""
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)
