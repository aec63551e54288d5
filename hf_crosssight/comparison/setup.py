"""What a comparison begins with: its settings, the zoo with the files of its models, the ranker, the samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.errors import CrossSightError, UserError
from hf_crosssight.ground_truth.datasets import dataset_key
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import LoadedRanker, find_ranker
from hf_crosssight.zoo import ZooIndex, open_zoo
from hf_crosssight.zoo.model_folders import ModelFolders, root_of

from .candidates import KnownFacts
from .methods import RANKER, SOURCE, ComparedMethod
from .model_features import ModelFeatures
from .truth import locate
from .workbench import Workbench

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Setting:
    """How a comparison is run.

    Args:
        images_per_class, max_classes: sampled of every dataset; tokens and features are of the same images.
        seed: of samples and of methods that start at random.
        models: folder with the files of the models, where the zoo is an index; else they are fetched from the Hub.
        workers: processes that score features; 0 for one a processor.
        client: the way to the Hub.
        progress: called as `progress(step, done, total)`.
    """

    images_per_class: int = 10
    max_classes: int = 30
    seed: int = 0
    models: str | Path | None = None
    workers: int = 1
    client: HubClient = field(default_factory=HubClient)
    progress: Progress | None = None

    @property
    def processes(self) -> int:
        """`workers`, or the number of processors."""
        return self.workers or os.cpu_count() or 1

    def sample(self, dataset: object, **options: str | None) -> DatasetSample:
        """The images of a dataset that stand for it; `options` as `load_sample` takes them."""
        return load_sample(
            dataset, images_per_class=self.images_per_class, max_classes=self.max_classes, seed=self.seed,
            client=self.client, progress=self.progress, **options,  # type: ignore[arg-type]
        )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """The models and the ranker of a comparison.

    Attributes:
        zoo: the models.
        root: folder with their files; `None` where they are on the Hub.
        ranker: `None` where it is not compared.
    """

    zoo: ZooIndex
    root: Path | None
    ranker: LoadedRanker | None


def open_compared(
    zoo: str | Path, methods: Sequence[ComparedMethod], ranker: str | Path | CrossSightModel, setting: Setting
) -> Compared:
    """Opens what the methods need; the ranker is found before anything slow is done.

    Raises:
        UserError: there is no such zoo or ranker, or no folder `setting.models`.
    """
    if setting.models is not None and not Path(setting.models).expanduser().is_dir():
        raise UserError(
            f"there is no folder {setting.models} with models", "It holds name/ or org/name/ repositories."
        )
    wanted = any(method.name == RANKER for method in methods)
    files = find_ranker(ranker, client=setting.client) if wanted else None
    views = files.views if files is not None else ()
    opened = open_zoo(zoo, client=setting.client, views=views, progress=setting.progress)
    return Compared(opened, root_of(zoo, setting.models), files.load() if files is not None else None)


def load_samples(
    ids: Iterable[str], folder: Path | None, setting: Setting
) -> tuple[dict[str, DatasetSample], dict[str, str]]:
    """Samples of a table's datasets by id, and for those that cannot be had the reason."""
    found, missing = {}, {}
    for name in dict.fromkeys(ids):
        place = locate(name, folder)
        if place is None:
            missing[name] = f"there is no {name} in {folder}"
            continue
        try:
            found[name] = setting.sample(place)
        except CrossSightError as error:
            missing[name] = error.what
    return found, missing


def source_samples(
    zoo: ZooIndex, methods: Sequence[ComparedMethod], folder: Path | None, setting: Setting
) -> dict[str, DatasetSample]:
    """Samples of the data that models were trained on, as far as a folder has them, by `dataset_key`."""
    if folder is None or not any(SOURCE in method.needs for method in methods):
        return {}
    stated = {names[-1] for names in zoo.column("pretrain_data").to_pylist() if names}
    found, _ = load_samples((dataset_key(name) for name in sorted(stated)), folder, setting)
    return found


def existing_folder(folder: str | Path | None) -> Path | None:
    """The folder of datasets that a user named.

    Raises:
        UserError: there is none.
    """
    if folder is None:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise UserError(
            f"there is no folder {folder} with datasets", "It holds the table's datasets, one folder each."
        )
    return path


def make_bench(
    opened: Compared,
    models: Sequence[str],
    past_models: Sequence[str],
    samples: Mapping[str, DatasetSample],
    methods: Sequence[ComparedMethod],
    folder: Path | None,
    setting: Setting,
) -> Workbench:
    """The workbench of a comparison of `models`, beside the models of past results."""
    wanted = {*models, *past_models}
    zoo = opened.zoo.take([row for row, model in enumerate(opened.zoo.model_ids) if model in wanted])
    client = None if setting.client.offline else setting.client
    return Workbench(
        zoo=zoo,
        models=tuple(models),
        samples=samples,
        facts=KnownFacts(zoo, opened.root, client, setting.progress),
        features=ModelFeatures(ModelFolders(zoo, opened.root, setting.client), progress=setting.progress),
        ranker=opened.ranker,
        client=setting.client,
        sources=source_samples(zoo, methods, folder, setting),
        seed=setting.seed,
        workers=setting.processes,
        progress=setting.progress,
    )
