"""Fine-tuning results as a dataset repository: a Parquet file and configuration a recipe, and a card with figures.

What the models cost goes along as one configuration more, where it was measured.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.ground_truth.table_card import (
    HARDWARE,
    HARDWARE_FILE,
    HardwarePart,
    pictures_in,
    recipe_of,
    table_card,
)
from hf_crosssight.ground_truth.tidy_tables import load_tidy, read_rows
from hf_crosssight.ground_truth.variance import variance_shares
from hf_crosssight.hub.card_templates import CARD
from hf_crosssight.publishing.evaluation import mean_with_interval
from hf_crosssight.publishing.hardware_metrics import held_metrics, metrics_file, metrics_of, part_of_card
from hf_crosssight.publishing.records import licence_for
from hf_crosssight.publishing.repository import Repository

if TYPE_CHECKING:
    from hf_crosssight.ground_truth.tables import GroundTruthTable

Row = dict[str, Any]
_REPLACED = ("data/*.parquet", "pictures/*.png", HARDWARE_FILE)


def ground_truth_repository(
    table: Path, name: str, *, license: str | None = None, hardware: Path | None = None
) -> Repository:
    """The files of a table of results, which `load_dataset(ID, RECIPE)` reads.

    Args:
        table (`Path`): folder that `ground-truth collect` wrote, or a CSV or Parquet file or a folder of them.
        name (`str`): repository or folder that its card names.
        license (`str`, *optional*): Hub identifier; by default that of the folder's card.
        hardware (`Path`, *optional*): table of `hardware measure --out`, or a folder of them, to publish along; by
            default what lies in `table` already.

    Raises:
        UserError: there is no such table, it lacks columns, or the Hub knows no such licence.
    """
    if not table.exists():
        raise UserError(f"there is no table {table}", "Name a folder of `collect`, or CSV or Parquet files.")
    by_recipe = _by_recipe(table)
    paths = _paths(by_recipe)
    files: dict[str, bytes | Path] = {}
    for recipe, path in paths.items():
        held = table / path
        files[path] = held if held.is_file() else _parquet(by_recipe[recipe])
    files |= {path: table / path for path in pictures_in(table)}
    part, measured = _hardware(hardware or held_metrics(table), by_recipe)
    files |= measured
    files[CARD] = _card(table, by_recipe, name, licence_for(table, license), part).encode()
    return Repository("dataset", files, _REPLACED)


def card_of(table: Path) -> str:
    """The card of a table where it lies, with its figures and the pictures that have been drawn."""
    by_recipe = _by_recipe(table)
    part, _ = _hardware(held_metrics(table), by_recipe)
    return _card(table, by_recipe, str(table), licence_for(table, None), part)


def _card(
    table: Path, by_recipe: Mapping[str, list[Row]], name: str, licence: str | None, hardware: HardwarePart | None
) -> str:
    figures = [_figures(recipe, one) for recipe, one in load_tidy(table).items()]
    rows = [row for recipe in sorted(by_recipe) for row in by_recipe[recipe]]
    return table_card(rows, _paths(by_recipe), name, licence, figures, pictures_in(table), hardware)


def _hardware(
    path: Path | None, by_recipe: Mapping[str, list[Row]]
) -> tuple[HardwarePart | None, dict[str, bytes | Path]]:
    """What the card says of the measurements, and their file; nothing where there are none."""
    if path is None:
        return None, {}
    if HARDWARE in by_recipe:
        raise UserError(f"A recipe of the table is called {HARDWARE!r}, as measurements are.", "Name it otherwise.")
    metrics = metrics_of(path)
    models = {str(row["model_id"]) for rows in by_recipe.values() for row in rows}
    return part_of_card(metrics, models), {HARDWARE_FILE: metrics_file(metrics)}


def _by_recipe(table: Path) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in read_rows(table):
        found.setdefault(recipe_of(row), []).append(row)
    return found


def _paths(recipes: Iterable[str]) -> dict[str, str]:
    return {recipe: f"data/{_file_name(recipe)}.parquet" for recipe in sorted(recipes)}


def _file_name(recipe: str) -> str:
    if re.fullmatch(r"\w[\w.-]*", recipe) is None:
        raise UserError(f"the recipe {recipe!r} cannot name a file", "Use letters, digits, '-', '_' and '.'.")
    return recipe


def _figures(recipe: str, table: GroundTruthTable) -> list[str]:
    """Shares of variance, agreement of two seeds, noise ceiling; `-` where the table does not tell."""
    shares, found = variance_shares(table), ceilings(table)
    parts = (shares.static, shares.interaction, shares.noise) if shares else (None, None, None)
    taus = (
        [
            str(mean_with_interval({one.dataset: one.between_seeds for one in found})),
            f"{np.mean([c.with_truth for c in found]):.3f}",
        ]
        if found
        else ["-", "-"]
    )
    return [recipe, *("-" if part is None else f"{part:.2f}" for part in parts), *taus]


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows with every column that one of them has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = dict.fromkeys(name for row in rows for name in row)
    try:
        table = pa.table({name: [row.get(name) for row in rows] for name in names})
    except pa.ArrowException as error:
        raise UserError(
            f"a column mixes kinds of values: {error}", "Give each column of the table one type."
        ) from error
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
