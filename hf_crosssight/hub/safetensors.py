"""Headers of safetensors files: which tensors a model has, read without its weights, from a folder or from the Hub.

A header comes from a stranger, so nothing in it is believed before it is checked: its length, its JSON, each dtype,
shape and offset, and that the tensors fill the file without overlap or gap, as the format demands.

Source of the format: https://huggingface.co/docs/safetensors, section "Format".
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

from hf_crosssight.errors import UserError

from .header_cache import keep_header, kept_header
from .ids import check_path
from .tensor_info import TensorInfo

if TYPE_CHECKING:
    from .client import HubClient
    from .ranges import RangedFile
    from .resolved import ResolvedRepo

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_HEADER = 25_000_000
"""Bytes; the limit of huggingface_hub as well. A real header of 200,000 tensors stays below it."""

MAX_DIMENSIONS = 32
DTYPE_BITS = (
    {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
    | dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8)
    | dict.fromkeys(("I16", "U16", "F16", "BF16"), 16)
    | dict.fromkeys(("I32", "U32", "F32"), 32)
    | dict.fromkeys(("I64", "U64", "F64", "C64"), 64)
)
"""Bits of one element, by the format's dtype names."""

# Most headers of image models fit, so that one request does.
_FIRST_READ = 1 << 15
_LARGEST_INDEX = 100 << 20


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
    header = _parse(source.read(length), called)
    return _check_tensors(header, 8 + length, size, called)


def folder_tensors(folder: str | os.PathLike) -> list[TensorInfo]:
    """The tensors of a model's folder, in one file or in shards.

    Raises:
        UserError: there is no safetensors file, or it is ambiguous which one is the model.
        SafetensorsError: a file is not sound, or the shards do not fit their index.
    """
    root = Path(folder)
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    chosen = choose_weights(names, str(folder))
    if chosen != INDEX:
        return read_header(root / chosen, chosen)
    with (root / INDEX).open("rb") as file:
        shards = parse_index(file.read(_LARGEST_INDEX + 1), names)
    return _join({shard: read_header(root / shard, shard) for shard in sorted(set(shards.values()))}, shards)


def repo_tensors(client: HubClient, repo: ResolvedRepo) -> list[TensorInfo]:
    """The tensors of a model of the Hub: a request or two a file, some kilobytes each, no weights; once a commit.

    Raises:
        UserError, SafetensorsError: as for `folder_tensors`.
        HubError: the Hub fails.
    """
    names = [file.path for file in repo.files]
    chosen = choose_weights(names, str(repo))

    def header(path: str) -> list[TensorInfo]:
        kept = kept_header(repo, path)
        if kept is not None:
            return kept
        with client.open(repo, path, block_size=_FIRST_READ) as file:
            tensors = read_header(file, path)
        keep_header(repo, path, tensors)
        return tensors

    if chosen != INDEX:
        return header(chosen)
    entry = repo.file(INDEX)
    if entry is not None and (entry.size or 0) > _LARGEST_INDEX:
        raise SafetensorsError(INDEX, f"it is larger than {_LARGEST_INDEX >> 20} MB")
    shards = parse_index(client.download(repo, INDEX).read_bytes(), names)
    paths = sorted(set(shards.values()))
    with ThreadPoolExecutor(max_workers=8) as pool:
        return _join(dict(zip(paths, pool.map(header, paths), strict=True)), shards)


def choose_weights(names: Iterable[str], where: str) -> str:
    """The file to begin with: `model.safetensors`, its index, else the only other safetensors file at the top.

    Raises:
        UserError: there is none, or there are several.
    """
    files = list(names)
    for usual in (SINGLE, INDEX):
        if usual in files:
            return usual
    others = [name for name in files if name.endswith(".safetensors") and "/" not in name]
    if len(others) == 1:
        return others[0]
    if others:
        raise UserError(f"{where} has several safetensors files and no {SINGLE}: {', '.join(others[:4])}.", "")
    raise UserError(f"{where} has no {SINGLE}.", "Models need safetensors weights; pickles are never loaded.")


def parse_index(content: bytes, names: Iterable[str]) -> dict[str, str]:
    """Tensor name → shard of a sharded model's index; a shard must be a plain file name among `names`.

    Raises:
        SafetensorsError: the index is broken or names a file that is elsewhere or missing.
    """
    if len(content) > _LARGEST_INDEX:
        raise SafetensorsError(INDEX, f"it is larger than {_LARGEST_INDEX >> 20} MB")
    weight_map = _parse(content, INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SafetensorsError(INDEX, "it has no weight_map")
    there = set(names)
    for shard in set(map(str, weight_map.values())):
        try:
            check_path(shard)
        except UserError as error:
            raise SafetensorsError(INDEX, f"it names a shard outside the repository, {shard[:80]!r}") from error
        if not shard.endswith(".safetensors") or shard not in there:
            raise SafetensorsError(INDEX, f"it names a shard that is not there, {shard[:80]!r}")
    return {name: str(shard) for name, shard in weight_map.items()}


def _join(headers: dict[str, list[TensorInfo]], shards: dict[str, str]) -> list[TensorInfo]:
    """All shards' tensors in one list, if they are exactly those that the index promises."""
    tensors = [tensor for header in headers.values() for tensor in header]
    held = {tensor.name: tensor.file for tensor in tensors}
    if len(held) < len(tensors):
        raise SafetensorsError(INDEX, "a tensor stands in two shards")
    wrong = next((name for name, shard in shards.items() if held.get(name) != shard), None)
    if wrong is not None:
        raise SafetensorsError(INDEX, f"shard {shards[wrong]} does not hold {wrong[:80]!r}")
    return tensors


def _header_length(first: bytes, size: int, name: str) -> int:
    if len(first) < 8:
        raise SafetensorsError(name, f"it has {size} bytes only")
    length: int = struct.unpack("<Q", first)[0]
    if length > MAX_HEADER:
        raise SafetensorsError(name, f"it claims a header of {length} bytes")
    if 8 + length > size:
        raise SafetensorsError(name, f"it is truncated inside its header ({size} bytes)")
    return length


def _parse(content: bytes, name: str) -> dict[str, Any]:
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
