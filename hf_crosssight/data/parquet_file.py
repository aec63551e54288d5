"""One Parquet file read by byte ranges: its footer, its columns' chunks, and the pages of a chunk.

`datasets` writes images in row groups of 100 MB cut into pages of about 1 MB with a page index; older exports have
groups of 100 rows and no index. A `Unit` is the smallest part that can be fetched and decoded alone: a page where
there is an index, else the whole chunk of a row group. Units are decoded by pyarrow, from a file made in memory that
holds just that part and a footer that describes it, so every codec and encoding of pyarrow's is read.
Field numbers are those of parquet-format's `parquet.thrift`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .parquet_thrift import I32, I64, LIST, STRUCT, CompactReader, Struct, ThriftError, write_struct

# Reads byte ranges [(start, stop), ...] of one file.
RangeReader = Callable[[list[tuple[int, int]]], list[bytes]]

MAGIC = b"PAR1"
MIN_TAIL, MAX_TAIL = 2 * 1024, 64 * 1024  # bytes read in the hope for the whole footer; if longer, read once more
MAX_FOOTER_BYTES = 256 * 1024 * 1024
_INTEGER_WIDTH = {1: 4, 2: 8}  # physical types INT32 and INT64


@dataclass(frozen=True)
class Unit:
    """A part of one column that is fetched and decoded alone.

    Attributes:
        ranges: byte ranges in the file, the dictionary page's first if the chunk has one.
        num_rows: rows in it.
        group: number of its row group in the file.
    """

    ranges: tuple[tuple[int, int], ...]
    num_rows: int
    group: int

    @property
    def num_bytes(self) -> int:
        return sum(stop - start for start, stop in self.ranges)


class ParquetFile:
    """A Parquet file's footer and the units of its columns.

    Raises:
        `ThriftError`, `ValueError`: not a Parquet file, or one that is broken or encrypted.
    """

    def __init__(self, read: RangeReader, size: int) -> None:
        self.read = read
        if size < 12:
            raise ValueError("too short for a Parquet file")
        self._tail_start = max(0, size - min(MAX_TAIL, max(MIN_TAIL, size // 256)))
        self._tail = read([(self._tail_start, size)])[0]
        if self._tail[-4:] != MAGIC:
            raise ValueError("not a Parquet file (no PAR1 at its end)")
        length = int.from_bytes(self._tail[-8:-4], "little")
        if length > min(size - 12, MAX_FOOTER_BYTES):
            raise ValueError(f"its footer claims {length} bytes")
        start = size - 8 - length
        if start < self._tail_start:
            self._tail = read([(start, self._tail_start)])[0] + self._tail
            self._tail_start = start
        self._footer_bytes = self._tail[start - self._tail_start : -8]
        self.footer: Struct = CompactReader(self._footer_bytes).struct()
        self.groups: list[Struct] = _list_of(self.footer, 4)
        self.group_rows: list[int] = [_get(group, 3, 0) for group in self.groups]

    @property
    def num_rows(self) -> int:
        return sum(self.group_rows)

    def arrow_schema(self) -> pa.Schema:
        """The schema as pyarrow reads it, without the rows."""
        footer = MAGIC + self._footer_bytes + len(self._footer_bytes).to_bytes(4, "little") + MAGIC
        return pq.read_metadata(pa.BufferReader(footer)).schema.to_arrow_schema()

    def features(self) -> dict[str, Any] | None:
        """The features that `datasets` keeps in the footer, as their JSON says; None if there are none."""
        for pair in _list_of(self.footer, 5):
            if _get(pair, 1) == b"huggingface":
                try:
                    return json.loads(_get(pair, 2, b"{}"))["info"]["features"]
                except (ValueError, KeyError, TypeError):
                    return None
        return None

    def constant(self, group: int, path: tuple[str, ...]) -> int | None:
        """The one integer that a row group's column holds throughout, by its statistics; None if they do not say."""
        meta = _get(self._chunk(group, path), 3)
        statistics = _get(meta, 12, {})
        width = _INTEGER_WIDTH.get(_get(meta, 1))
        low, high, nulls = _get(statistics, 6), _get(statistics, 5), _get(statistics, 3)
        if width is None or nulls != 0 or low is None or low != high or len(low) != width:
            return None
        return int.from_bytes(low, "little", signed=True)

    def units(self, path: tuple[str, ...], by_page: bool) -> list[Unit]:
        """The units of a column in row order: its pages where `by_page` and a page index exist, else its chunks."""
        chunks = [self._chunk(group, path) for group in range(len(self.groups))]
        indexes = self._offset_indexes(chunks) if by_page else [None] * len(chunks)
        units: list[Unit] = []
        for group, (chunk, index) in enumerate(zip(chunks, indexes, strict=True)):
            start, stop, dictionary = _chunk_range(_get(chunk, 3))
            rows = self.group_rows[group]
            pages = _list_of(index, 1) if index else []
            if not pages:
                units.append(Unit(((start, stop),), rows, group))
                continue
            first = [_get(page, 3) for page in pages] + [rows]
            for number, page in enumerate(pages):
                offset = _get(page, 1)
                ranges = ((start, dictionary),) if dictionary else ()
                place = (*ranges, (offset, offset + _get(page, 2)))
                units.append(Unit(place, first[number + 1] - first[number], group))
        return units

    def decode(self, path: tuple[str, ...], unit: Unit, parts: list[bytes]) -> pa.Array:
        """The values of a unit whose `ranges` hold `parts`: an array of `unit.num_rows` values of the leaf `path`."""
        data = MAGIC + b"".join(parts)
        has_dictionary = _chunk_range(_get(self._chunk(unit.group, path), 3))[2] is not None
        footer = self._footer_of(path, unit, len(data), len(parts[0]) if len(parts) > 1 else 0, has_dictionary)
        file = data + footer + len(footer).to_bytes(4, "little") + MAGIC
        column = pq.ParquetFile(pa.BufferReader(file)).read().column(0)
        if len(column) != unit.num_rows:
            raise ValueError(f"a page holds {len(column)} rows where the index says {unit.num_rows}")
        for name in path[1:]:
            column = pa.chunked_array(
                [chunk.field(name) for chunk in column.chunks], type=column.type.field(name).type
            )
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def _footer_of(
        self, path: tuple[str, ...], unit: Unit, size: int, dictionary_bytes: int, has_dictionary: bool
    ) -> bytes:
        """A footer for a file that holds this unit alone, right behind the magic number."""
        original = _get(self._chunk(unit.group, path), 3)
        meta = {key: value for key, value in original.items() if key in (1, 2, 3, 4, 6)}
        meta[5] = (I64, unit.num_rows)
        meta[7] = (I64, size - 4)
        if has_dictionary and not dictionary_bytes:  # the whole chunk: the distance between its pages is the original
            dictionary_bytes = _get(original, 9) - _get(original, 11)
        meta[9] = (I64, 4 + dictionary_bytes)
        if has_dictionary:
            meta[11] = (I64, 4)
        chunk: Struct = {2: (I64, 4), 3: (STRUCT, meta)}
        group: Struct = {1: (LIST, (STRUCT, [chunk])), 2: (I64, size), 3: (I64, unit.num_rows)}
        footer: Struct = {
            1: self.footer[1],
            2: (LIST, (STRUCT, self._schema_of(path))),
            3: (I64, unit.num_rows),
            4: (LIST, (STRUCT, [group])),
        }
        return write_struct(footer)

    def _schema_of(self, path: tuple[str, ...]) -> list[Struct]:
        """The schema elements from the root to one leaf, each with a single child."""
        elements = _list_of(self.footer, 2)
        kept = [{**elements[0], 5: (I32, 1)}]
        position, siblings = 1, _get(elements[0], 5, 0)
        for depth, name in enumerate(path):
            for _ in range(siblings):
                if _get(elements[position], 4) == name.encode():
                    break
                position = _skip(elements, position)
            else:
                raise ValueError(f"no column {'.'.join(path)}")
            element = dict(elements[position])
            siblings = _get(element, 5, 0)
            if depth < len(path) - 1:
                element[5] = (I32, 1)
            kept.append(element)
            position += 1
        return kept

    def _chunk(self, group: int, path: tuple[str, ...]) -> Struct:
        wanted = [name.encode() for name in path]
        for chunk in _list_of(self.groups[group], 1):
            meta = _get(chunk, 3)
            if meta is not None and _list_of(meta, 3) == wanted:
                if _get(chunk, 1):
                    raise ValueError("its columns lie in other files")
                return chunk
        raise ValueError(f"no column {'.'.join(path)} that can be read in row group {group}")

    def _offset_indexes(self, chunks: list[Struct]) -> list[Struct | None]:
        """The page index of each chunk; from the tail that was read already where it reaches that far."""
        places = [(_get(chunk, 4), _get(chunk, 5)) for chunk in chunks]
        known = [(start, start + length) for start, length in places if start and length]
        if len(known) != len(places):
            return [None] * len(chunks)
        missing = [place for place in known if place[0] < self._tail_start]
        fetched = dict(zip(missing, self.read(missing), strict=True)) if missing else {}
        found: list[Struct | None] = []
        for start, stop in known:
            data = fetched.get((start, stop)) or self._tail[start - self._tail_start : stop - self._tail_start]
            found.append(CompactReader(data).struct())
        return found


def _get(fields: Struct | None, number: int, default: Any = None) -> Any:
    return fields[number][1] if fields and number in fields else default


def _list_of(fields: Struct | None, number: int) -> list[Any]:
    value = _get(fields, number)
    return value[1] if isinstance(value, tuple) else []


def _chunk_range(meta: Struct) -> tuple[int, int, int | None]:
    """Start and end of a column chunk, and where its dictionary page ends (None without a dictionary)."""
    data, dictionary = _get(meta, 9), _get(meta, 11)
    if data is None or _get(meta, 7) is None or meta[9][0] != I64:
        raise ThriftError("a column chunk does not say where it lies")
    has_dictionary = bool(dictionary) and dictionary < data
    start = dictionary if has_dictionary else data
    return start, start + _get(meta, 7), data if has_dictionary else None


def _skip(elements: list[Struct], position: int) -> int:
    """The position behind an element of the flattened schema and all its children."""
    children = _get(elements[position], 5, 0)
    position += 1
    for _ in range(children):
        position = _skip(elements, position)
    return position
