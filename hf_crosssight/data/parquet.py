"""A split in Parquet files, local or on the Hub: labels first, then only the pages that hold the chosen images.

The order of reading, from cheap to dear: each file's footer (which also gives the label of row groups that hold one
class only, by their statistics), the label chunks of the other row groups, and the image pages that the sample needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ..errors import UserError
from .columns import Column, ImageColumns, columns_of_card, columns_of_features, columns_of_schema, pick_columns
from .labels import Labels, labels_from_values
from .parquet_file import ParquetFile, RangeReader, Unit
from .request import Progress, SampleRequest
from .rows import Rows

MAX_FILES = 500  # of a split with more shards, as many are drawn with the seed
MAX_LABEL_READS = 1000  # label chunks fetched at most; each is a request to the Hub
LABEL_BATCH = 64  # label chunks fetched before looking whether there is enough to choose from
PLENTY = 10  # rows known for each row needed, at which no more labels are read
WORKERS = 8
MAX_BYTES_AT_ONCE = 64 * 1024 * 1024  # of image pages in memory, unless one alone is larger
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Shard:
    """One data file: its path, how to read its bytes, and its size."""

    path: str
    read: RangeReader
    size: int


def parquet_rows(
    shards: Sequence[Shard], card_features: Sequence[Any], request: SampleRequest, progress: Progress | None = None
) -> Rows:
    """The rows of a split in Parquet files.

    Args:
        shards: its data files in order.
        card_features: features as the dataset's card lists them; they go before those in the files.

    Raises:
        `UserError`: a file that is not Parquet, columns that cannot be found, or another task's labels.
    """
    warnings: list[str] = []
    if len(shards) > MAX_FILES:
        drawn = np.random.default_rng([request.seed, 3]).choice(len(shards), MAX_FILES, replace=False)
        warnings.append(f"{MAX_FILES} of {len(shards)} data files were looked at: rare classes may be missing")
        shards = [shards[index] for index in sorted(drawn)]
    files = list(_in_threads(_open, shards, "reading footers", progress))
    columns = _columns(files, card_features)
    picked = pick_columns(columns, request.image_column, request.label_column)
    table = _Table(shards, files, picked, request)
    labels = table.labels(progress) if picked.label else None
    return Rows(
        table.num_rows,
        labels,
        table.read_images,
        table.name,
        groups=table.group_of_row,
        costs=table.costs,
        total_rows=None if warnings else table.num_rows,
        warnings=(*warnings, *picked.warnings, *table.warnings),
    )


def parquet_columns(shard: Shard, card_features: Sequence[Any]) -> list[Column]:
    """The columns of one file, as the card declares them, else its footer.

    Raises:
        `UserError`: it is not Parquet.
    """
    return _columns([_open(shard)], card_features)


def _open(shard: Shard) -> ParquetFile:
    try:
        return ParquetFile(shard.read, shard.size)
    except ValueError as error:
        raise _unreadable(shard, error) from error


def _unreadable(shard: Shard, error: Exception) -> UserError:
    return UserError(f"{shard.path} cannot be read as Parquet: {error}", "Restore the file, or name another --split.")


def _columns(files: Sequence[ParquetFile], card_features: Sequence[Any]) -> list[Column]:
    """All columns of the files, as the card declares them, else the footer, else the Arrow schema."""
    there = columns_of_schema(files[0].arrow_schema())
    declared = {column.name: column for column in columns_of_features(files[0].features() or {})}
    declared.update({column.name: column for column in columns_of_card(card_features)})
    return [declared.get(column.name, column) for column in there]


class _Table:
    """The rows of all shards under one numbering, and the units that hold their images."""

    def __init__(
        self, shards: Sequence[Shard], files: Sequence[ParquetFile], picked: ImageColumns, request: SampleRequest
    ) -> None:
        self.shards, self.files, self.request, self.label = shards, files, request, picked.label
        schema = files[0].arrow_schema()
        kind = str(schema.field(picked.image.name).type)
        if "string" in kind and not kind.startswith("struct"):
            raise UserError(
                f"column {picked.image.name!r} holds paths or addresses of images, not images",
                "Name another column with --image-column, or give a dataset that holds its images.",
            )
        is_struct = kind.startswith("struct")
        self.image_path = (picked.image.name, "bytes") if is_struct else (picked.image.name,)
        self.units: list[tuple[int, Unit]] = []  # (number of the shard, unit)
        found = _in_threads(self._image_units, range(len(files)))
        for number, units in enumerate(found):
            self.units += [(number, unit) for unit in units]
        rows = np.asarray([unit.num_rows for _, unit in self.units], dtype=np.int64)
        self.first_row = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        self.num_rows = int(self.first_row[-1])
        self.group_of_row = np.repeat(np.arange(len(rows)), rows)
        self.costs = np.asarray([unit.num_bytes for _, unit in self.units], dtype=np.float64)
        self.first_of_file = np.concatenate([[0], np.cumsum([file.num_rows for file in files])])
        self.warnings: list[str] = []

    def _image_units(self, number: int) -> list[Unit]:
        try:
            return self.files[number].units(self.image_path, by_page=True)
        except ValueError as error:
            raise _unreadable(self.shards[number], error) from error

    def name(self, row: int) -> str:
        number = int(np.searchsorted(self.first_of_file, row, side="right")) - 1
        return f"row {row - int(self.first_of_file[number])} of {self.shards[number].path}"

    def read_images(self, rows: np.ndarray) -> Iterator[tuple[int, Any]]:
        """(row, encoded image) of the rows, each unit fetched once."""
        units, starts = np.unique(self.group_of_row[rows], return_index=True)
        parts = list(zip(units.tolist(), np.split(rows, starts[1:]), strict=True))
        largest = max(float(self.costs[units].max(initial=1)), 1.0)
        workers = int(min(WORKERS, max(1, MAX_BYTES_AT_ONCE // largest)))
        for found in _in_threads(self._images_of, parts, workers=workers):
            yield from found

    def _images_of(self, part: tuple[int, np.ndarray]) -> list[tuple[int, Any]]:
        """The images of some rows of one unit; the rest of what was fetched is let go at once."""
        unit_number, rows = part
        values = self._decode(*self.units[unit_number], self.image_path)
        first = int(self.first_row[unit_number])
        return [(int(row), values[int(row) - first].as_py()) for row in rows]

    def _decode(self, number: int, unit: Unit, path: tuple[str, ...]) -> Any:
        parts = self.shards[number].read(list(unit.ranges))
        try:
            return self.files[number].decode(path, unit, parts)
        except (ValueError, OSError) as error:  # pyarrow raises subclasses of both
            raise _unreadable(self.shards[number], error) from error

    def labels(self, progress: Progress | None) -> Labels:
        """The label of every row, as far as the limit on requests allows; what was not read has code -1."""
        assert self.label is not None
        path = (self.label.name,)
        groups: list[tuple[int, Unit]] = []
        for number, file in enumerate(self.files):
            try:
                groups += [(number, unit) for unit in file.units(path, by_page=False)]
            except ValueError as error:
                raise _unreadable(self.shards[number], error) from error
        known: list[list[Any] | None] = [self._constant_labels(number, unit) for number, unit in groups]
        unknown = np.asarray([index for index, values in enumerate(known) if values is None], dtype=np.int64)
        unknown = np.random.default_rng([self.request.seed, 4]).permutation(unknown)
        read = 0
        while read < min(len(unknown), MAX_LABEL_READS) and not self._has_plenty(known):
            batch = unknown[read : read + LABEL_BATCH].tolist()
            for index, values in zip(batch, self._label_chunks([groups[i] for i in batch]), strict=True):
                known[index] = values
            read += len(batch)
            if progress:
                progress("reading labels", read, len(unknown))
        if len(unknown) > read >= MAX_LABEL_READS:
            self.warnings.append(
                f"the labels of {len(groups) - len(unknown) + read} of {len(groups)} row groups were looked at: "
                "rare classes may be missing"
            )
        flat: list[Any] = []
        unread = 0
        for found, (_, unit) in zip(known, groups, strict=True):
            flat += [None] * unit.num_rows if found is None else found
            unread += unit.num_rows if found is None else 0
        labels = labels_from_values(flat, self.label)
        return replace(labels, missing=labels.missing - unread)

    def _constant_labels(self, number: int, unit: Unit) -> list[Any] | None:
        """The labels of a row group by its statistics, which cost nothing, if it holds one class only."""
        assert self.label is not None
        if self.label.kind not in ("class", "int"):
            return None
        value = self.files[number].constant(unit.group, (self.label.name,))
        return None if value is None else [value] * unit.num_rows

    def _has_plenty(self, known: Sequence[list[Any] | None]) -> bool:
        """Whether every declared class shows many more rows than are needed, so that no more labels need be read."""
        if self.label is None or not self.label.class_names:
            return False
        counts = Counter(value for values in known if values for value in values)
        enough = PLENTY * self.request.images_per_class
        return all(counts[code] >= enough for code in range(len(self.label.class_names)))

    def _label_chunks(self, groups: Sequence[tuple[int, Unit]]) -> Iterator[list[Any]]:
        assert self.label is not None
        path = (self.label.name,)
        return _in_threads(lambda group: self._decode(*group, path).to_pylist(), groups)


def _in_threads(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    step: str = "",
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> Iterator[_Result]:
    """Results in order, a few ahead at most: requests overlap, and what is not yet used stays small."""
    items = list(items)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for start in range(0, len(items), workers):
            for offset, result in enumerate(pool.map(work, items[start : start + workers])):
                if progress and step:
                    progress(step, start + offset + 1, len(items))
                yield result
