from __future__ import annotations

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_crosssight.data.parquet_file import ParquetFile
from tests.data.repositories import image_table

CHUNKING = {"min_chunk_size": 20_000, "max_chunk_size": 100_000}
PATH = ("image", "bytes")


def table() -> pa.Table:
    rng = np.random.default_rng(0)
    images: list[bytes | None] = [rng.bytes(int(size)) for size in rng.integers(500, 20_000, 90)]
    images[5] = None
    images[20:40] = [images[20]] * 20  # what a dictionary is for
    return image_table(images, [row // 30 for row in range(90)], ["a", "b", "c"], name=["even", "odd"] * 45)


def written(**options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table(), buffer, **options)
    return buffer.getvalue()


def opened(data: bytes) -> ParquetFile:
    return ParquetFile(lambda ranges: [data[start:stop] for start, stop in ranges], len(data))


def values(file: ParquetFile, data: bytes, path: tuple[str, ...], by_page: bool) -> list:
    found = []
    for unit in file.units(path, by_page):
        found += file.decode(path, unit, [data[start:stop] for start, stop in unit.ranges]).to_pylist()
    return found


@pytest.mark.parametrize(
    ("compression", "version", "dictionary", "index", "chunked", "group"),
    [
        *itertools.product(["snappy"], ["1.0", "2.0"], [True, False], [True, False], [True, False], [30, 90]),
        ("zstd", "1.0", True, True, True, 90),
        ("gzip", "2.0", False, True, True, 90),
        ("none", "1.0", True, True, True, 7),
    ],
)
def test_units_give_the_values_that_pyarrow_gives(compression, version, dictionary, index, chunked, group):
    data = written(
        compression=compression,
        data_page_version=version,
        use_dictionary=dictionary,
        write_page_index=index,
        use_content_defined_chunking=CHUNKING if chunked else False,
        row_group_size=group,
    )
    file = opened(data)
    expected = [cell["bytes"] for cell in table()["image"].to_pylist()]
    assert values(file, data, PATH, by_page=True) == expected
    assert values(file, data, PATH, by_page=False) == expected
    assert values(file, data, ("label",), by_page=False) == table()["label"].to_pylist()
    assert values(file, data, ("name",), by_page=True) == table()["name"].to_pylist()


def test_pages_are_units_where_there_is_an_index():
    options: dict = {"use_content_defined_chunking": CHUNKING, "use_dictionary": False}
    data = written(write_page_index=True, **options)
    pages = opened(data).units(PATH, by_page=True)
    assert len(pages) > 5
    assert sum(unit.num_rows for unit in pages) == 90
    assert max(unit.num_bytes for unit in pages) < len(data) / 4
    assert len(opened(written(**options)).units(PATH, by_page=True)) == 1


def test_statistics_tell_the_label_of_a_group_of_one_class():
    file = opened(written(row_group_size=30))
    assert [file.constant(group, ("label",)) for group in range(3)] == [0, 1, 2]
    assert opened(written(row_group_size=45)).constant(0, ("label",)) is None
    assert file.constant(0, ("name",)) is None


def test_features_and_schema_come_from_the_footer():
    file = opened(written())
    features = file.features()
    assert features is not None
    assert features["label"]["names"] == ["a", "b", "c"]
    assert file.arrow_schema().names == ["image", "label", "name"]


def test_a_long_footer_is_read_whole():
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": range(3000)}), buffer, row_group_size=10)
    assert opened(buffer.getvalue()).num_rows == 3000


@pytest.mark.parametrize(
    "data", [b"", b"PAR1PAR1", b"x" * 500, b"PAR1" + b"\0" * 60 + b"\xff\xff\xff\x7fPAR1", written()[:-9]]
)
def test_what_is_not_parquet_is_a_value_error(data):
    with pytest.raises(ValueError):
        opened(data)


def test_a_missing_column_and_a_damaged_page_are_value_errors():
    data = written(compression="none")
    file = opened(data)
    with pytest.raises(ValueError, match=r"image\.path2"):
        file.units(("image", "path2"), by_page=False)
    unit = file.units(PATH, by_page=False)[0]
    with pytest.raises((ValueError, OSError)):
        file.decode(PATH, unit, [b"\xff" * (stop - start) for start, stop in unit.ranges])
