"""Measured accuracies as a comparison reads them: models by their ids in the zoo, datasets by where their images are.

Two names mean one dataset or one model if they are equal, or if their last parts are and no other name shares it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.datasets import dataset_key
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.ground_truth.tidy_tables import load_tidy, one_recipe
from hf_crosssight.zoo import ZooIndex


def read_truth(spec: str | Path, recipe: str | None, zoo: ZooIndex) -> GroundTruthTable:
    """The table's part that is about models of the zoo, under their ids in it and in its order.

    Pairs that the table marks, or whose model states that its data was the target, are marked as self-transfer.

    Raises:
        UserError: no such table or recipe, columns are missing, or fewer than two models are in both.
    """
    table = one_recipe(load_tidy(spec), recipe)
    place = {model: column for column, model in enumerate(named_in(zoo.model_ids, table.models)) if model is not None}
    shared = [model for model in zoo.model_ids if model in place]
    if len(shared) < 2:
        alike = f"Ids must be alike: the table has {table.models[0]}, the zoo {zoo.model_ids[0]}."
        raise UserError(
            f"{spec} has results of {len(shared) or 'none'} of the {len(zoo)} models of the zoo",
            "At least two models need an accuracy." if shared else alike,
        )
    columns = [place[model] for model in shared]
    own = _own_data(zoo, shared, table.datasets)
    return replace(
        table,
        models=tuple(shared),
        scores=table.scores[:, columns],
        self_transfer=table.self_transfer[:, columns] | own,
        repeats=None if table.repeats is None else table.repeats[:, columns],
    )


def named_in(known: Sequence[str], names: Sequence[str]) -> list[str | None]:
    """For each name the one of `known` that it means; `None` where there is none, or its last part fits several."""
    exact, by_last = set(known), dict[str, list[str]]()
    for one in known:
        by_last.setdefault(_last(one), []).append(one)

    def meant(name: str) -> str | None:
        alike = by_last.get(_last(name), [])
        return name if name in exact else alike[0] if len(alike) == 1 else None

    return [meant(name) for name in names]


def row_of(table: GroundTruthTable, dataset: str) -> int:
    """The row of a dataset that the user named by id or folder.

    Raises:
        UserError: the table has no results on it; the hint has the nearest names.
    """
    name = dataset.rstrip("/")
    found = named_in(table.datasets, [name])[0] or named_in(
        table.datasets, ["/".join(Path(name).parts[-2:])]
    )[0] or next((one for one in table.datasets if dataset_key(one) == dataset_key(_last(name))), None)  # fmt: skip
    if found is None:
        near = difflib.get_close_matches(_last(name), [_last(one) for one in table.datasets], n=3, cutoff=0.4)
        known = ", ".join(near or table.datasets[:8])
        raise UserError(f"the ground truth has no results on {name}", f"It has {known}; name the folder alike.")
    return table.datasets.index(found)


def locate(dataset_id: str, folder: Path | None) -> str | Path | None:
    """What to load a table's dataset from: FOLDER/id, else FOLDER/last part of it; without a folder the id itself."""
    if folder is None:
        return dataset_id
    root = folder.resolve()
    for place in (folder / dataset_id, folder / _last(dataset_id)):
        # A table may come from a stranger: its ids do not lead out of the folder.
        if place.is_dir() and place.resolve().is_relative_to(root) and place.resolve() != root:
            return place
    return None


def _own_data(zoo: ZooIndex, models: Sequence[str], datasets: Sequence[str]) -> np.ndarray:
    """bool `[D, M]`: the model states that it was trained on the dataset."""
    stated = zoo.column("pretrain_data").to_pylist()
    data = {
        model: {dataset_key(name) for name in names or ()} for model, names in zip(zoo.model_ids, stated, strict=True)
    }
    keys = [dataset_key(name) for name in datasets]
    return np.array([[key in data[model] for model in models] for key in keys], dtype=bool)


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
