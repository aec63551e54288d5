"""The fine-tuning factory: every model on every dataset by every recipe and seed, into one table.

Cheap recipes come first for all pairs; datasets are the outer loop, so that each is loaded once. Any number of
processes may run the same command on one table, on one machine or on several that share the folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .collected_table import write_table
from .labelled_images import LabelledImages, expand_datasets, load_images, local_dataset_id
from .model_sources import SIDE, ModelSource, find_models
from .pooled_features import FeatureCache
from .recipes import NEEDS_FEATURES, Recipe
from .record_store import Record, RecordStore
from .runs import Bench, cost_piece, features_piece, full_piece, origin_piece, subsets_piece
from .splits import classes_left_out
from .training_loop import make_accelerator
from .work_queue import Piece, work_through

Progress = Callable[[str, int, int | None], None]
_DATASETS_HELD = 2


@dataclass(frozen=True)
class Collected:
    """What `collect` leaves.

    Attributes:
        folder: of the table: a Hub dataset repository.
        records: results in the table, failed runs included.
        causes: why runs failed, and how many for that reason.
        missing: pieces of work that were not begun, because time ran out.
        skipped: model ids that cannot be used, and why.
        broken_lines: lines of record files that could not be read; what they held was computed again.
        warnings: what was left out of datasets, and where they have fewer images than asked.
    """

    folder: Path
    records: int
    causes: dict[str, int]
    missing: int
    skipped: dict[str, str]
    broken_lines: int
    warnings: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Results that are failed runs."""
        return sum(self.causes.values())


def collect(
    models: Sequence[str],
    datasets: Sequence[str],
    out: Path | str,
    *,
    recipes: Sequence[Recipe],
    seeds: int = 2,
    subsets: int = 0,
    only: Iterable[str] = (),
    retry_failed: bool = False,
    stop_after: float | None = None,
    threads: int | None = 1,
    mixed_precision: str | None = None,
    cache: Path | str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Collected:
    """Computes what is missing in a table, and writes the table.

    Args:
        models: folders of model repositories, single repositories or Hub ids.
        datasets: Hub ids, dataset folders, or folders of them.
        out: folder of the table.
        recipes: what to do for every pair.
        seeds: how many, from 0.
        subsets: class-subset tasks of each dataset, by nearest neighbours and a ridge head.
        only: if given, the ids of the models to take.
        retry_failed: try failed runs once more.
        stop_after: seconds after which no new piece of work is begun.
        threads: of the CPU; `None` leaves it to torch.
        cache: folder of pooled features, by default `out/cache` (no part of the table).

    Raises:
        UserError: nothing to do, an unreadable dataset, a table of other revisions, a disk that is full.
        HubError: the Hub or the network fails.
    """
    import torch
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    if seeds < 1 or subsets < 0:
        raise UserError(f"--seeds is {seeds} and --subsets {subsets}", "Take at least 1 seed, and 0 or more subsets.")
    if threads is not None:
        torch.set_num_threads(threads)
    sources, skipped = find_models(models, offline=offline)
    sources = _chosen(sources, frozenset(only))
    named = {_dataset_id(name, offline): name for name in expand_datasets(datasets)}
    with RecordStore(out) as store:
        _check_revisions(store, sources)
        loader = _Loader(named, store, offline)
        bench = Bench(loader, make_accelerator(mixed_precision), FeatureCache(cache or Path(out) / "cache"))
        pieces = _pieces(bench, sources, list(named), recipes, seeds, subsets)
        with threadpool_limits(threads):  # of BLAS: several threads slow down regressions as small as these
            missing = work_through(store, pieces, retry_failed=retry_failed, stop_after=stop_after, progress=progress)
        results = write_table(store, Path(out))
        causes = Counter(str(row["cause"]) for row in results if row["status"] == "failed")
        warnings = (*loader.warnings, *_shortages(results, named, recipes))
        return Collected(Path(out), len(results), dict(causes), missing, skipped, store.broken_lines, warnings)


def _shortages(results: Iterable[Record], datasets: Container[str], recipes: Iterable[Recipe]) -> dict[str, None]:
    """Where a dataset gave fewer training images than a recipe asked for."""
    asked = {(recipe.name, recipe.protocol): recipe.sizes.train for recipe in recipes}
    found: dict[str, None] = {}
    for row in results:
        wanted = asked.get((row["recipe"], row["protocol"]), 0)
        if row["dataset_id"] in datasets and (row["train_images"] or wanted) < wanted:
            found[f"{row['dataset_id']}: {row['train_images']} training images, {wanted} were asked for"] = None
    return found


def _chosen(sources: list[ModelSource], only: frozenset[str]) -> list[ModelSource]:
    unknown = only - {source.id for source in sources}
    if unknown:
        raise UserError(f"there is no model {sorted(unknown)[0]!r} in the zoo", "See --zoo and --model.")
    return [source for source in sources if not only or source.id in only]


def _pieces(
    bench: Bench, models: list[ModelSource], datasets: list[str], recipes: Sequence[Recipe], seeds: int, subsets: int
) -> list[Piece]:
    """Cards and costs, then what needs only features, then training; by dataset, so that each is loaded once."""
    pieces = [piece for model in models for piece in (origin_piece(model), cost_piece(bench, model))]
    on_features = [recipe for recipe in recipes if recipe.name in NEEDS_FEATURES]
    for dataset in datasets:
        if on_features:
            pieces += [features_piece(bench, model, dataset, on_features, seeds) for model in models]
        if subsets:
            pieces += [subsets_piece(bench, model, dataset, subsets) for model in models]
    for recipe in recipes:
        if recipe.name == "full":
            pieces += [full_piece(bench, m, dataset, recipe, seeds) for dataset in datasets for m in models]
    return pieces


def _dataset_id(name: str, offline: bool) -> str:
    path = Path(name).expanduser()
    if name == "digits":
        return name
    if path.is_dir():
        return local_dataset_id(path)
    from ..hub import HubClient

    return HubClient(offline=offline).resolve(name, "dataset").id


def _check_revisions(store: RecordStore, models: Iterable[ModelSource]) -> None:
    """One table, one revision of a model: else its numbers would be those of two models."""
    now = {model.id: model.revision for model in models}
    for record in store:
        before = record.get("model_revision")
        if now.get(record["model_id"], before) != before:
            raise UserError(
                f"the table holds records of {record['model_id']} at {before}, it is now {now[record['model_id']]}",
                "Name a new folder with --out, or the model at its old revision.",
            )


class _Loader:
    """Images by dataset id; the last few stay in memory."""

    def __init__(self, named: dict[str, str], store: RecordStore, offline: bool) -> None:
        self.named, self.store, self.offline = named, store, offline
        self.held: dict[str, LabelledImages] = {}
        self.warnings: dict[str, None] = {}

    def __call__(self, dataset: str) -> LabelledImages:
        if dataset not in self.held:
            while len(self.held) >= _DATASETS_HELD:
                self.held.pop(next(iter(self.held)))
            images = load_images(self.named[dataset], SIDE, offline=self.offline)
            self._check(dataset, images)
            left_out = ", ".join(classes_left_out(images))
            notes = (*images.warnings, *([f"classes of too few images were left out: {left_out}"] if left_out else []))
            self.warnings |= dict.fromkeys(f"{dataset}: {note}" for note in notes)
            self.held[dataset] = images
        return self.held[dataset]

    def _check(self, dataset: str, images: LabelledImages) -> None:
        for record in self.store:
            before = record.get("dataset_revision")
            if record["dataset_id"] == dataset and before not in (None, images.revision):
                raise UserError(
                    f"the table holds records of {dataset} at {before}, and it is now {images.revision}",
                    "Name a new folder with --out, or the dataset at its old revision.",
                )
