from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_crosssight.data.parquet_thrift import BINARY, I64, LIST, STRUCT, TRUE, CompactReader, ThriftError, write_struct


def footer_bytes() -> bytes:
    buffer = io.BytesIO()
    table = pa.table({f"column {number}": [1.5, None, 3.0] for number in range(20)})
    pq.write_table(table, buffer, row_group_size=1)
    data = buffer.getvalue()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


def test_a_real_footer_is_read_and_written_back_byte_by_byte():
    footer = footer_bytes()
    parsed = CompactReader(footer).struct()
    assert parsed[3] == (I64, 3)
    assert len(parsed[4][1][1]) == 3
    assert write_struct(parsed) == footer


def test_values_survive():
    inner = {1: (I64, -(2**62)), 40: (TRUE, False), 41: (BINARY, b"x" * 300)}
    outer = {2: (STRUCT, inner), 3: (LIST, (I64, list(range(-20, 20)))), 9: (LIST, (TRUE, [True, False]))}
    again = CompactReader(write_struct(outer)).struct()
    assert again[2][1][1] == inner[1]
    assert again[2][1][40][1] is False
    assert again[2][1][41] == inner[41]
    assert again[3] == outer[3]
    assert again[9] == outer[9]


@pytest.mark.parametrize("cut", [1, 7, 50, 400])
def test_a_footer_that_ends_early_is_an_error(cut):
    with pytest.raises(ThriftError):
        CompactReader(footer_bytes()[:-cut]).struct()


@pytest.mark.parametrize("data", [b"\x19\xfc\xff\xff\xff\xff\x0f", b"\x15" + b"\xff" * 12, b"\x1d\x00"])
def test_hostile_bytes_are_an_error_and_not_a_hang(data):
    with pytest.raises(ThriftError):
        CompactReader(data).struct()
