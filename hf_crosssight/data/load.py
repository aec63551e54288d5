"""`load_sample`: from what the user calls a dataset to the few images that stand for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .digits import digits_origin, digits_rows
from .draw import draw
from .layout import choose_split
from .memory import dataset_rows, mapping_rows
from .request import Progress, SampleRequest
from .rows import Origin
from .sample import DatasetSample

if TYPE_CHECKING:
    from ..hub import HubClient

IN_MEMORY = "in-memory"
_FORMS = (
    "Give a Hub id, a folder, `digits`, a datasets.Dataset, DatasetDict or IterableDataset, "
    'or {"images": [...], "labels": [...]}.'
)


def load_sample(
    dataset: Any,
    *,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    images_per_class: int = 10,
    max_classes: int = 100,
    seed: int = 0,
    client: HubClient | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> DatasetSample:
    """A seeded sample of one split: the same arguments give the same images.

    Args:
        dataset: a Hub id (old bare names and `ID@REVISION` included), a folder (class folders of images, laid out as
            a Hub repository, or written by `save_to_disk`), a Parquet file, `digits`, a `datasets.Dataset`,
            `DatasetDict`, `IterableDataset` or `IterableDatasetDict`, or `{"images": [...], "labels": [...]}`.
            A folder that exists goes before a Hub id of that name; `digits` goes before both.
        config (`str`, *optional*): configuration; by default the only one or the default one.
        split (`str`, *optional*): split; by default train, else the first.
        revision (`str`, *optional*): branch, tag or commit on the Hub.
        image_column, label_column (`str`, *optional*): inferred where that is unambiguous.
        images_per_class (`int`, *optional*, defaults to 10): images of each class at most.
        max_classes (`int`, *optional*, defaults to 100): of more classes, as many are drawn with the seed.
        seed (`int`, *optional*, defaults to 0): seed of all choices.
        client (`HubClient`, *optional*): what reads from the Hub.
        offline (`bool`, *optional*, defaults to `False`): read nothing from the network.
        progress (`Callable`, *optional*): called as (step, done, total).

    Raises:
        `UserError`: the dataset, a name in it, or its task is not what can be ranked for.
        `HubError`: the Hub or the network fails.
    """
    request = SampleRequest(config, split, image_column, label_column, images_per_class, max_classes, seed)
    if isinstance(dataset, str | Path):
        return _named_sample(str(dataset), revision, request, client, offline, progress)
    if revision is not None:
        raise UserError(f"revision {revision!r} is named for a dataset in memory", "Leave it out.")
    return _memory_sample(dataset, request, progress)


def _named_sample(
    name: str,
    revision: str | None,
    request: SampleRequest,
    client: HubClient | None,
    offline: bool,
    progress: Progress | None,
) -> DatasetSample:
    """The sample of what a string names: `digits`, a folder, or a dataset on the Hub."""
    path = Path(name).expanduser()
    is_local = name != "digits" and bool(name) and path.exists()
    if revision is not None and (is_local or name == "digits"):
        raise UserError(f"{name} is not on the Hub and has no revision {revision!r}", "Leave --revision out.")
    if name == "digits":
        return draw(digits_origin(), digits_rows(request), request, progress)
    if is_local:
        from .local import local_sample

        return local_sample(path, request, progress)
    if (
        not name.strip()
        or name.startswith(("/", "./", "../", "~"))
        or "\\" in name
        or name.split("@")[0].count("/") > 1
    ):
        raise UserError(f"there is no folder {name!r}", _FORMS)
    from ..hub import HubClient
    from .hub_dataset import hub_sample

    client = client if client is not None and (client.offline or not offline) else _client(HubClient, client, offline)
    return hub_sample(name, revision, request, client, progress)


def _client(kind: type[HubClient], given: HubClient | None, offline: bool) -> HubClient:
    return kind(token=given.token if given else None, offline=offline)


def _memory_sample(dataset: Any, request: SampleRequest, progress: Progress | None) -> DatasetSample:
    """The sample of an object: told by what it can do, so that `datasets` is not imported for plain lists."""
    kind = type(dataset).__name__
    if kind in ("DatasetDict", "IterableDatasetDict"):
        split = choose_split(list(dataset), request.split, "the dataset")
        return _split_sample(dataset[split], split, request, progress)
    if isinstance(dataset, Mapping):
        rows = mapping_rows(dataset, request)
        _refuse_names(request)
        return draw(Origin(IN_MEMORY, request.split or "train"), rows, request, progress)
    if hasattr(dataset, "features") and hasattr(dataset, "with_format"):
        split = choose_split([str(dataset.split or "train")], request.split, "the dataset")
        return _split_sample(dataset, split, request, progress)
    raise UserError(f"an object of type {kind} is not a dataset that can be read", _FORMS)


def _split_sample(dataset: Any, split: str, request: SampleRequest, progress: Progress | None) -> DatasetSample:
    _refuse_names(request)
    origin = Origin(IN_MEMORY, split, description=" ".join((dataset.info.description or "").split()))
    if hasattr(dataset, "select"):  # map-style
        return draw(origin, dataset_rows(dataset, request), request, progress)
    from .stream import draw_stream

    return draw_stream(origin, dataset, request, progress)


def _refuse_names(request: SampleRequest) -> None:
    if request.config is not None:
        raise UserError(f"configuration {request.config!r} is named for a dataset in memory", "Leave it out.")
