"""The datasets of the published tables: one canonical key per name, its parent collection, and what its images show.

`parents.csv` maps every name that a table uses to a key and to the *parent*, the collection that the images come from:
two datasets of one parent never stand on two sides of a split. `published_datasets.csv` describes each target in our
own words; `images` of a target come from a stand-in that the caller names (see `stand_ins`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from hf_crosssight.errors import UserError


@dataclass(frozen=True)
class PublishedDataset:
    """One target dataset.

    Attributes:
        key (`str`): canonical name within this project.
        parent (`str`): collection that its images come from.
        domain (`str`): natural, medical, remote-sensing, synthetic, texture, digits, glyphs, products, faces, domains.
        num_classes (`int`, *optional*): classes; `None` for sets that are described by their images alone.
        num_images (`int`, *optional*): training images.
        description (`str`): what the images show and what tells the classes apart.
    """

    key: str
    parent: str
    domain: str
    num_classes: int | None = None
    num_images: int | None = None
    description: str = ""


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("hf_crosssight.ground_truth").joinpath(name).read_text(encoding="utf-8")
    return iter(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=1)
def _parents() -> dict[str, tuple[str, str, str]]:
    return {row["name"]: (row["dataset"], row["parent"], row["domain"]) for row in _rows("parents.csv")}


@lru_cache(maxsize=1)
def published_datasets() -> dict[str, PublishedDataset]:
    """Every dataset of `parents.csv` by key, with its description where there is one."""
    described = {row["dataset"]: row for row in _rows("published_datasets.csv")}
    found = {}
    for key, parent, domain in sorted(set(_parents().values())):
        row = described.get(key)
        found[key] = PublishedDataset(
            key, parent, domain,
            int(row["num_classes"]) if row else None,
            int(row["num_images"]) if row and row["num_images"] else None,
            row["description"] if row else "",
        )  # fmt: skip
    return found


def dataset_key(name: str) -> str:
    """Canonical key of a name as a table writes it; names that `parents.csv` does not list stay as they are."""
    known = _parents()
    if name in known:
        return known[name][0]
    return known[f"zoo-bench/{name}"][0] if f"zoo-bench/{name}" in known else name


def parent_of(name: str) -> str:
    """Collection that a dataset's images come from, also of a class subset `name#number`; else its own name."""
    key = dataset_key(name.partition("#")[0])
    known = _parents()
    return known[key][1] if key in known else key


@dataclass(frozen=True)
class StandIn:
    """Images that stand for a published target: `same` or `part` of it, or `related` to it."""

    dataset: str
    match: str


def stand_ins(folder: Path | str) -> dict[str, StandIn]:
    """`target_images.csv` of a folder of tables, by dataset key; targets without images (`none`) are left out.

    Raises:
        UserError: if the folder has no `target_images.csv`.
    """
    path = Path(folder) / "target_images.csv"
    if not path.is_file():
        raise UserError(f"{path} does not exist", "Name a folder with the published tables and target_images.csv.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        dataset_key(row["published_target"]): StandIn(row["zoo_bench_dataset"], row["match"])
        for row in rows
        if row["match"] != "none" and row["zoo_bench_dataset"]
    }
