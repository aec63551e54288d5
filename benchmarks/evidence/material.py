"""Models with their views and facts, tables of fine-tuning results, and descriptors of the datasets, read once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.view_features import ViewFeatures, pooled_view, views_of_file
from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.lineage import lineages, root_of
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.tokens.dataset import dataset_layout, dataset_tokens
from hf_crosssight.zoo.open import open_zoo
from hf_crosssight.zoo.record import ModelRecord

from .dataset_folders import dataset_folder

_IMAGES_PER_CLASS, _SAMPLE_SEED = 5, 2
_DESCRIPTOR_DIMS = 6


@dataclass(frozen=True)
class Models:
    """M models.

    Attributes:
        ids, families, lineages, sources: M texts each; a source is the data of the last training, `unknown` without.
        params: float `[M]`, NaN where unknown.
        views: features of each view.
        folders: where the files of a model are, for those that were read from folders.
    """

    ids: tuple[str, ...]
    families: tuple[str, ...]
    lineages: tuple[str, ...]
    sources: tuple[str, ...]
    params: np.ndarray
    views: dict[str, ViewFeatures]
    folders: dict[str, Path]

    def take(self, wanted: Iterable[str]) -> Models:
        """The models named, in that order; those that are not known are left out."""
        row_of = {model: row for row, model in enumerate(self.ids)}
        at = np.array([row_of[model] for model in wanted if model in row_of], dtype=np.int64)
        chosen = {
            name: tuple(getattr(self, name)[i] for i in at) for name in ("ids", "families", "lineages", "sources")
        }
        views = {name: view.take(at) for name, view in self.views.items()}
        return replace(self, **chosen, params=self.params[at], views=views)


@dataclass(frozen=True)
class Problem:
    """One table with its models and datasets.

    Attributes:
        name: of the table.
        models: those of the table whose views are known, M of them.
        datasets, parents: T texts each.
        scores: `[T, M]`, NaN where nothing was measured.
        own_data: bool `[T, M]`: the model had been trained on that very dataset (self-transfer).
        descriptors: `[T, k]`.
        table: the table itself, with its repeats.
        noise: standard error of an accuracy of the table, 0 where nothing was measured twice.
    """

    name: str
    models: Models
    datasets: tuple[str, ...]
    parents: tuple[str, ...]
    scores: np.ndarray
    own_data: np.ndarray
    descriptors: np.ndarray
    table: GroundTruthTable
    noise: float


def read_models(folders: Sequence[Path], indexes: Sequence[str], files: Sequence[Path]) -> Models:
    """Models of indexes and of folders of repositories, with the views of the indexes and of `.npz` files.

    A folder's models that an index holds have the index's views; the folder tells where their files are.
    """
    zoos = [open_zoo(index) for index in indexes]
    for folder in folders:
        known = {model for zoo in zoos for model in zoo.model_ids}
        if not set(_repositories(folder)) <= known:
            zoo = open_zoo(folder)
            zoos.append(zoo.take([row for row, model in enumerate(zoo.model_ids) if model not in known]))
    if not zoos:
        raise UserError("no models are named", "Give --models FOLDER or --zoo INDEX.")
    zoo = zoos[0]
    for other in zoos[1:]:
        zoo = zoo.joined(other)
    records = [zoo.record(row) for row in range(len(zoo))]
    roots = {record.model_id: root_of(record) for record in records}
    kin = lineages(roots, {record.model_id: record.base_model for record in records})
    views = {name: pooled_view(np.asarray(view, np.float32), zoo.view_mask[name]) for name, view in zoo.views.items()}
    for file in files:
        views.update(views_of_file(file, zoo.model_ids))
    return Models(
        tuple(zoo.model_ids),
        tuple(record.family or record.architecture or "unknown" for record in records),
        tuple(kin[record.model_id] for record in records),
        tuple(record.pretrain_data[-1] if record.pretrain_data else "unknown" for record in records),
        np.array([record.params or np.nan for record in records], np.float64),
        views,
        {record.model_id: place for record in records for place in _places(record, folders)},
    )


def _repositories(folder: Path) -> list[str]:
    places = [place.parent for pattern in ("*/config.json", "*/*/config.json") for place in folder.glob(pattern)]
    return [str(place.relative_to(folder)) for place in places]


def _places(record: ModelRecord, folders: Sequence[Path]) -> list[Path]:
    return [folder / record.model_id for folder in folders if (folder / record.model_id).is_dir()][:1]


def read_problems(
    tables: Sequence[Path], models: Models, datasets: Path, cache: Path | None, recipes: Sequence[str] = ()
) -> list[Problem]:
    """One problem a table and recipe (all recipes unless some are named); datasets that rank nothing are left out."""
    loaded = [
        table for path in tables for recipe, table in load_tidy(path).items() if not recipes or recipe in recipes
    ]
    keys = sorted({key for table in loaded for key in table.datasets})
    descriptors = dataset_descriptors(keys, datasets, cache)
    return [_problem(table, models, descriptors) for table in loaded]


def _problem(table: GroundTruthTable, models: Models, descriptors: Mapping[str, np.ndarray]) -> Problem:
    table = table.keep_models(i for i, model in enumerate(table.models) if model in set(models.ids))
    table = table.keep_datasets(i for i, key in enumerate(table.datasets) if key in descriptors)
    table = table.without_degenerate_datasets()
    own = models.take(table.models)
    if len(own.ids) < 5 or not table.datasets:
        raise UserError(f"{table.id} has {len(own.ids)} known models", "Give the folders of the models it names.")
    same = np.array([[_same_data(key, source) for source in own.sources] for key in table.datasets])
    return Problem(
        table.id, own, table.datasets, tuple(parent_of(key) for key in table.datasets), table.scores,
        same | table.self_transfer, np.stack([descriptors[key] for key in table.datasets]), table, _noise(table),
    )  # fmt: skip


def _noise(table: GroundTruthTable) -> float:
    """Standard error of an accuracy of the table, of as many seeds as it usually has; 0 if nothing was run twice."""
    if table.repeats is None:
        return 0.0
    counts = np.isfinite(table.repeats).sum(-1)
    if not (counts >= 2).any():
        return 0.0
    variance = np.nanvar(table.repeats[counts >= 2], axis=-1, ddof=1).mean()
    return float(np.sqrt(variance / np.median(counts[counts > 0])))


def _same_data(dataset: str, source: str) -> bool:
    first, second = (re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower()) for name in (dataset, source))
    return first == second


def dataset_descriptors(keys: Sequence[str], folder: Path, cache: Path | None) -> dict[str, np.ndarray]:
    """A few numbers for each dataset: principal components of its global token and its mean prototype.

    Datasets without images in the folder are left out, with a line on stderr.
    """
    layout = {name: slice(*span) for name, span in dataset_layout().items()}
    found: dict[str, np.ndarray] = {}
    for key in keys:
        place = dataset_folder(folder, key)
        if place is None:
            print(f"no images of {key}: left out", file=sys.stderr)
            continue
        sample = load_sample(str(place), images_per_class=_IMAGES_PER_CLASS, seed=_SAMPLE_SEED)
        values = dataset_tokens(sample, cache_dir=cache).values
        prototype = values[:-2, layout["prototype"]].mean(0)
        found[key] = np.concatenate([values[-2, layout["global"]], prototype / np.linalg.norm(prototype) * 4])
    return (
        dict(zip(found, _components(np.stack(list(found.values())), _DESCRIPTOR_DIMS), strict=True)) if found else {}
    )


def _components(values: np.ndarray, count: int) -> np.ndarray:
    """Leading principal components `[N, count]` of standardised columns, of unit variance in all."""
    whole = values - values.mean(0)
    left, singular, _ = np.linalg.svd(whole, full_matrices=False)
    kept = (left * singular)[:, :count]
    return np.asarray(kept / np.sqrt((kept**2).sum(1).mean()))
