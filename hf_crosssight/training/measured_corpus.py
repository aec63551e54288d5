"""What a ranker is trained on from measured tables: tables, the views of their models, tokens of their datasets.

Everything that would spoil the evidence is refused here: rows that contradict each other, tables that rank nothing,
and a dataset that stands on both sides of a split under two names.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.datasets import dataset_key, parent_of
from hf_crosssight.ground_truth.lineage import lineages, root_of
from hf_crosssight.ground_truth.tables import GroundTruthTable, Task, tasks_of
from hf_crosssight.ground_truth.tidy_tables import WITHOUT_RECIPE, load_tidy, read_rows
from hf_crosssight.hub import HubClient
from hf_crosssight.tokens.dataset import DatasetTokens, dataset_tokens
from hf_crosssight.zoo.index import ZooIndex

IMAGES_PER_CLASS = (1, 5)
_SEEDS = {1: 0, 2: 1, 5: 2, 10: 3}  # of a sample by its images a class, so that all trainings share cached tokens
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class MeasuredCorpus:
    """Tables of measured results with all that is read of their models and datasets.

    Attributes:
        tables: one a file and recipe; models that the zoo lacks and datasets without images are left out.
        zoo (`ZooIndex`): views of the models.
        tokens: token samples of each dataset, the richest last.
        fingerprints: of the richest sample of each dataset; equal ones are the same images.
        lineage, family: of each model of the zoo.
        left_out: what was left out, in words.
    """

    tables: tuple[GroundTruthTable, ...]
    zoo: ZooIndex
    tokens: dict[str, list[DatasetTokens]]
    fingerprints: dict[str, str]
    lineage: dict[str, str]
    family: dict[str, str]
    left_out: tuple[str, ...] = ()

    def tasks(self, tables: Iterable[str] = ()) -> list[Task]:
        """Tasks of all tables, or of those of these ids; self-transfer is left out."""
        wanted = set(tables)
        chosen = [table for table in self.tables if not wanted or table.id in wanted]
        return [task for task in tasks_of(chosen) if len(task.models) > 2]


def load_measured(
    zoo: ZooIndex,
    tables: Sequence[Path | str],
    datasets: Sequence[str],
    *,
    images_per_class: Sequence[int] = IMAGES_PER_CLASS,
    cache_dir: Path | str | None = None,
    client: HubClient | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> MeasuredCorpus:
    """Reads tables, and the images of the datasets that they name.

    Args:
        zoo: the models.
        tables: tidy tables (`model_id, dataset_id, seed, accuracy`) or folders of them.
        datasets: folders in which `dataset_id` or its last part lies, or Hub ids.
        images_per_class: of the token samples of each dataset, rising.
        cache_dir (*optional*): where tokens are kept.
        client, offline: the way to the Hub.
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        UserError: contradicting rows; a table that ranks nothing; no model or dataset in common.
    """
    read = [_with_self_transfer(table, zoo) for path in tables for table in _consistent(path).values()]
    keys = sorted({key for table in read for key in table.datasets})
    places = {key: place for key in keys if (place := _place(key, datasets)) is not None}
    known = [_known_part(table, set(zoo.model_ids), set(places)) for table in read]
    kept = [table for table in known if table.datasets]
    if not kept:
        raise UserError(
            f"{', '.join(table.id for table in read)}: no dataset that is named there was found",
            "Name their folder, or their Hub ids.",
        )
    tokens: dict[str, list[DatasetTokens]] = {}
    fingerprints: dict[str, str] = {}
    wanted = sorted({key for table in kept for key in table.datasets})
    for done, key in enumerate(wanted):
        if progress is not None:
            progress("dataset tokens", done, len(wanted))
        samples = [
            load_sample(
                places[key], images_per_class=count, seed=_SEEDS.get(count, count), client=client, offline=offline
            )
            for count in images_per_class
        ]
        tokens[key] = [dataset_tokens(sample, cache_dir=cache_dir) for sample in samples]
        fingerprints[key] = _same_images_as(samples[-1])
    records = [zoo.record(row) for row in range(len(zoo))]
    kin = lineages({r.model_id: root_of(r) for r in records}, {r.model_id: r.base_model for r in records})
    families = {record.model_id: record.family or record.architecture or "unknown" for record in records}
    return MeasuredCorpus(tuple(kept), zoo, tokens, fingerprints, kin, families, _left_out(read, known, set(places)))


def refuse_shared_parents(corpus: MeasuredCorpus, training: Iterable[str], validation: Iterable[str]) -> None:
    """Raises `UserError` where a dataset to validate on is one to train on, by its parent or by its very images."""
    by_parent = {parent_of(name): name for name in training}
    by_images = {corpus.fingerprints[name]: name for name in training if name in corpus.fingerprints}
    for name in validation:
        twin = by_parent.get(parent_of(name)) or by_images.get(corpus.fingerprints.get(name, ""))
        if twin is not None:
            raise UserError(
                f"'{name}' is to be validated on, but '{twin}', which is to be trained on, shows the same images "
                f"(parent '{parent_of(twin)}')",
                "Leave one of the two out.",
            )


def _consistent(path: Path | str) -> dict[str, GroundTruthTable]:
    """Tables by recipe.

    Raises:
        UserError: two rows of one run disagree, or a table ranks nothing: too few models, or none differs.
    """
    _refuse_contradictions(path)
    found = {}
    for recipe, table in load_tidy(path).items():
        whole = table.without_degenerate_datasets(min_models=2, min_distinct=2)
        if len(table.models) < 2:
            raise UserError(f"{path} ({recipe}) has results of a single model", "A ranking needs at least two.")
        if not whole.datasets:
            raise UserError(
                f"{path} ({recipe}) ranks nothing: on every dataset all accuracies are the same",
                "Give results that differ between models.",
            )
        found[recipe] = whole
    return found


def _refuse_contradictions(path: Path | str) -> None:
    seen: dict[tuple[str, ...], float] = {}
    for row in read_rows(path):
        if row.get("status") == "failed" or row["accuracy"] is None:
            continue
        accuracy = float(str(row["accuracy"]))
        names = ("model_id", "dataset_id", "seed")
        key = (*(str(row[name]) for name in names), str(row.get("recipe") or WITHOUT_RECIPE), str(row.get("protocol")))
        if not math.isclose(seen.setdefault(key, accuracy), accuracy, abs_tol=1e-9):
            raise UserError(
                f"{path} contradicts itself: {key[0]} on {key[1]} with seed {key[2]} reached {seen[key]:g} and "
                f"{accuracy:g}",
                "Keep one row a run; other seeds have other numbers.",
            )


def _with_self_transfer(table: GroundTruthTable, zoo: ZooIndex) -> GroundTruthTable:
    """The table with pairs marked whose model states that it was trained on the dataset."""
    stated = dict(zip(zoo.model_ids, zoo.column("pretrain_data").to_pylist(), strict=True))
    data = [{dataset_key(_last(name)) for name in stated.get(model) or ()} for model in table.models]
    own = np.array([[dataset_key(_last(key)) in names for names in data] for key in table.datasets], bool)
    return replace(table, self_transfer=table.self_transfer | own)


def _known_part(table: GroundTruthTable, models: set[str], datasets: set[str]) -> GroundTruthTable:
    """The part about models of the zoo and datasets that were found; raises `UserError` for fewer than two models."""
    table = table.keep_models(i for i, model in enumerate(table.models) if model in models)
    table = table.keep_datasets(i for i, key in enumerate(table.datasets) if key in datasets)
    if len(table.models) < 2:
        raise UserError(f"{table.id} names {len(table.models)} model of the zoo", "Ids must be alike in both.")
    return table


def _place(key: str, datasets: Sequence[str]) -> str | None:
    """What to load a dataset from: a folder that holds it, or the id itself where that was named."""
    for named in datasets:
        root = Path(named)
        for place in (root / key, root / _last(key)):
            real = place.resolve()  # a table may come from a stranger: its ids do not lead out of the folder
            inside = place.is_dir() and real.is_relative_to(root.resolve()) and real != root.resolve()
            if inside:
                return str(place)
        if named == key or (root.is_dir() and root.name == _last(key)):
            return named
    return None


def _same_images_as(sample: DatasetSample) -> str:
    """Equal for two samples of the same pixels, whatever the dataset is called."""
    digest = hashlib.sha256()
    for image in sorted(np.asarray(image.convert("RGB").resize((16, 16))).tobytes() for image in sample.images):
        digest.update(image)
    return digest.hexdigest()


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _left_out(read: Sequence[GroundTruthTable], kept: Sequence[GroundTruthTable], found: set[str]) -> tuple[str, ...]:
    lines = []
    for before, after in zip(read, kept, strict=True):
        datasets = [key for key in before.datasets if key not in found]
        if datasets:
            named = ", ".join(datasets[:5]) + (f" and {len(datasets) - 5} more" if len(datasets) > 5 else "")
            lines.append(f"{before.id}: no images were found of {named}: left out")
        models = len(before.models) - len(after.models)
        if models:
            lines.append(f"{before.id}: {models} of {len(before.models)} models are not in the zoo: left out")
    return tuple(lines)
