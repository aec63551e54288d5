"""Class-subset tasks with the tokens that a user of just these classes would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.ground_truth.class_subsets import RECIPES
from hf_crosssight.ground_truth.tables import Task, tasks_of
from hf_crosssight.ground_truth.tidy_tables import load_tidy, read_rows
from hf_crosssight.tokens.dataset import DatasetTokens, dataset_tokens

from .dataset_folders import dataset_folder

_IMAGES = 5  # of each class, as in the richest sample of a whole dataset


def subset_tasks_of(
    table: Path, images: Path, cache: Path | None, each: int
) -> tuple[list[Task], dict[str, list[DatasetTokens]]]:
    """Tasks of both subset recipes and the tokens of their datasets.

    Args:
        table: folder of a ground-truth table.
        images: folder of datasets.
        cache (*optional*): folder for dataset tokens.
        each: subsets of each dataset at the most.
    """
    classes = _classes(table, each)
    samples: dict[str, DatasetSample] = {}
    tokens: dict[str, list[DatasetTokens]] = {}
    for name, chosen in classes.items():
        whole = name.partition("#")[0]
        if whole not in samples:
            place = dataset_folder(images, whole)
            assert place is not None, f"no images of {whole}"
            samples[whole] = load_sample(str(place), images_per_class=_IMAGES, seed=2, offline=True)
        tokens[name] = [dataset_tokens(_restricted(samples[whole], chosen, name), cache_dir=cache)]
    found = load_tidy(table)
    tables = [found[recipe].keep_datasets(_rows(found[recipe].datasets, classes)) for recipe in RECIPES]
    return [task for task in tasks_of(tables) if len(task.models) > 2 and np.ptp(task.scores) > 0], tokens


def _classes(table: Path, each: int) -> dict[str, list[int]]:
    """Labels of each subset, by its id."""
    found: dict[str, list[int]] = {}
    for file in sorted(table.glob(f"**/{RECIPES[0]}.parquet")):
        for row in read_rows(file):
            name = str(row["dataset_id"])
            if int(name.rpartition("#")[2]) < each:
                found.setdefault(name, [int(label) for label in str(row["classes"]).strip("[]").split(",")])
    return found


def _rows(names: tuple[str, ...], wanted: Mapping[str, object]) -> list[int]:
    return [row for row, name in enumerate(names) if name in wanted]


def _restricted(sample: DatasetSample, classes: list[int], name: str) -> DatasetSample:
    """The images of some classes of a sample, as a dataset of its own."""
    assert sample.labels is not None
    rows = np.flatnonzero(np.isin(sample.labels, classes))
    return replace(
        sample, fingerprint=f"{sample.fingerprint} {name}", images=[sample.images[row] for row in rows],
        labels=np.searchsorted(classes, sample.labels[rows]).astype(np.int64),
        class_names=tuple(sample.class_names[label] for label in classes), num_classes=len(classes),
    )  # fmt: skip
