"""Tidy tables of results, ours or a user's: CSV, Parquet, a folder of them or a data set of the Hub, one a recipe.

A table needs the columns `model_id, dataset_id, seed, accuracy`. Failed runs are left out, never read as accuracy 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .table_location import table_location
from .tables import GroundTruthTable, table_from_rows

if TYPE_CHECKING:
    import pyarrow as pa

REQUIRED = ("model_id", "dataset_id", "seed", "accuracy")
WITHOUT_RECIPE = "results"


def load_tidy(path: Path | str) -> dict[str, GroundTruthTable]:
    """Tables by recipe; one named `results` where there is no column `recipe`. `path` may be a Hub id.

    Raises:
        UserError: no such table, or one without the columns that it needs.
        HubError: the table is on the Hub, and the Hub or the network is at fault.
    """
    by_recipe: dict[str, list[dict[str, object]]] = {}
    for row in read_rows(path):
        accuracy = row["accuracy"]
        if row.get("status") == "failed" or accuracy is None or math.isnan(float(str(accuracy))):
            continue
        made = {"model": row["model_id"], "dataset": row["dataset_id"], "score": accuracy,
                "self_transfer": bool(row.get("self_transfer"))}  # fmt: skip
        by_recipe.setdefault(str(row.get("recipe") or WITHOUT_RECIPE), []).append(made)
    if not by_recipe:
        raise UserError(f"{path} holds no result", "Collect some with `hf-crosssight ground-truth collect`.")
    return {
        recipe: table_from_rows(rows, id=f"{Path(path).name}_{recipe}", licence="unknown", source=str(path),
                                unit="accuracy")
        for recipe, rows in sorted(by_recipe.items())
    }  # fmt: skip


def one_recipe(tables: dict[str, GroundTruthTable], recipe: str | None) -> GroundTruthTable:
    """The named table; without a name the only one, else that of full fine-tuning.

    Raises:
        UserError: there is none of that name, or several and none is named.
    """
    if recipe is None and len(tables) == 1:
        return next(iter(tables.values()))
    if recipe is None and "full" in tables:
        return tables["full"]
    if recipe is None or recipe not in tables:
        raise UserError(f"recipe {recipe!r} is not in the table", f"Name one with --recipe: {', '.join(tables)}.")
    return tables[recipe]


def read_rows(path: Path | str) -> Iterator[dict[str, object]]:
    """The rows of all files of a table, as they are.

    Raises:
        UserError: as `load_tidy`.
    """
    where = table_location(path)
    files = [where] if where.is_file() else _inside(where)
    if not files:
        raise UserError(f"{where} is no table", "Name a CSV or Parquet file, or a folder of them.")
    for file in files:
        table = _read(file)
        missing = [name for name in REQUIRED if name not in table.column_names]
        if missing:
            raise UserError(f"{file} has no column {missing[0]!r}", f"A table needs {', '.join(REQUIRED)}.")
        yield from _with_numbers(table, file).to_pylist()


def _with_numbers(table: pa.Table, file: Path) -> pa.Table:
    """The table with accuracies as float64."""
    import pyarrow as pa

    place = table.column_names.index("accuracy")
    try:
        numbers = table.column("accuracy").cast(pa.float64())
    except pa.ArrowException as error:
        raise UserError(f"{file}: an accuracy is no number: {error}", "Leave failed runs empty.") from error
    return table.set_column(place, "accuracy", numbers)


def _inside(folder: Path) -> list[Path]:
    """Files of a folder, or of its `data` where it is laid out as a Hub dataset."""
    for place in (folder / "data", folder):
        found = [*sorted(place.glob("*.parquet")), *sorted(place.glob("*.csv"))]
        if found:
            return found
    return []


def _read(file: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        return pa.parquet.read_table(file) if file.suffix == ".parquet" else pa.csv.read_csv(file)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file} cannot be read as a table: {error}", "Name a CSV or Parquet file.") from error
