"""Thrift's compact protocol, as far as Parquet footers need it: generic structs in, generic structs out.

pyarrow reads a footer but does not tell where a column's pages lie, and offers no way to decode some pages of a column
only. With the footer as plain values we can find those pages, and write a small footer that describes just them.
A struct is a dict `field id -> (type, value)`, a list is `(element type, [values])`.
Source: Apache Thrift, "thrift-compact-protocol.md".
"""

from __future__ import annotations

from typing import Any

Struct = dict[int, tuple[int, Any]]

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)


class ThriftError(ValueError):
    """The bytes are not what the compact protocol allows."""


class CompactReader:
    """Reads structs from bytes; raises `ThriftError` on malformed input and never reads past its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def struct(self) -> Struct:
        fields: Struct = {}
        last = 0
        while True:
            header = self._byte()
            if header == 0:
                return fields
            kind, delta = header & 0x0F, header >> 4
            last = last + delta if delta else self._signed()
            fields[last] = (kind, kind == TRUE if kind in (TRUE, FALSE) else self._value(kind))

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):  # an element of a list: one byte each
            return self._byte() == TRUE
        if kind == BYTE:
            return self._take(1)
        if kind in (I16, I32, I64):
            return self._signed()
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._unsigned())
        if kind in (LIST, SET):
            return self._list()
        if kind == STRUCT:
            return self.struct()
        raise ThriftError(f"type {kind} at byte {self.position} is not one that Parquet uses")

    def _list(self) -> tuple[int, list[Any]]:
        header = self._byte()
        size, kind = header >> 4, header & 0x0F
        if size == 15:
            size = self._unsigned()
        if size > len(self.data):
            raise ThriftError(f"a list of {size} elements does not fit into {len(self.data)} bytes")
        return kind, [self._value(kind) for _ in range(size)]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if len(taken) != count:
            raise ThriftError("the footer ends in the middle of a value")
        self.position += count
        return taken

    def _unsigned(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
            if shift > 63:
                raise ThriftError("a number is longer than 64 bits")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def write_struct(fields: Struct) -> bytes:
    """The bytes of a struct; the opposite of `CompactReader.struct`."""
    out = bytearray()
    last = 0
    for number, (kind, value) in sorted(fields.items()):
        if kind in (TRUE, FALSE):
            kind = TRUE if value else FALSE
        delta = number - last
        out += bytes([delta << 4 | kind]) if 0 < delta < 16 else bytes([kind]) + _zigzag(number)
        if kind not in (TRUE, FALSE):
            out += _write_value(kind, value)
        last = number
    return bytes(out) + b"\x00"


def _write_value(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return bytes([TRUE if value else FALSE])
    if kind in (BYTE, DOUBLE):
        return value
    if kind in (I16, I32, I64):
        return _zigzag(value)
    if kind == BINARY:
        return _varint(len(value)) + value
    if kind in (LIST, SET):
        element, values = value
        size = len(values)
        header = bytes([size << 4 | element]) if size < 15 else bytes([0xF0 | element]) + _varint(size)
        return header + b"".join(_write_value(element, item) for item in values)
    return write_struct(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> bytes:
    return _varint((value << 1) ^ (value >> 63))
