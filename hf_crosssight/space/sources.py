"""From what a user chose to a dataset that can be ranked for; what is named by text is never a path of the server."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.data.choices import DatasetChoices, hub_choices
from hf_crosssight.data.hub_dataset import hub_sample
from hf_crosssight.data.request import SampleRequest
from hf_crosssight.data.tree import tree_sample
from hf_crosssight.encoding import EncodedDataset
from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.space.archive import archive_tree
from hf_crosssight.space.examples import find_example
from hf_crosssight.space.pictures import pictures_sample, slim_sample
from hf_crosssight.space.query import Query

Progress = Callable[[str, int, int | None], None]
MAX_CLASSES = 100
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?")
_ADDRESS = re.compile(r"^(https?://[^/]+/)?(datasets/)?|/+$|(/(tree|blob|viewer)/.*)$")


@dataclass(frozen=True)
class Upload:
    """What one user uploaded in this session; it lives in memory and is gone with the session.

    Attributes:
        archive: the sample of a zip file.
        title: name and content of the zip file, in words.
        classes: pictures by class, put together by hand.
    """

    archive: DatasetSample | None = None
    title: str = ""
    classes: dict[str, tuple[bytes, ...]] = field(default_factory=dict)


def hub_id(text: str) -> str:
    """The dataset id in what was typed or pasted: an id, or the address of a dataset's page.

    Raises:
        UserError: it is neither.
    """
    name = _ADDRESS.sub("", text.strip())
    if not name:
        raise UserError("no dataset is named", "Type the id of a dataset on the Hub, for example uoft-cs/cifar10.")
    if not _HUB_ID.fullmatch(name) or ".." in name:
        raise UserError(
            f"{text.strip()[:100]!r} is not a dataset id", "Ids read org/name, for example uoft-cs/cifar10."
        )
    return name


def dataset_choices(text: str, config: str | None, token: str | None) -> DatasetChoices:
    """What can be picked in a Hub dataset; see `hub_choices`."""
    return hub_choices(hub_id(text), _client(token), config)


def archive_upload(path: str, name: str) -> Upload:
    """A zip file as an upload.

    Raises:
        UserError: see `archive_tree`; or its images do not make a dataset.
    """
    sample = slim_sample(tree_sample(archive_tree(path), SampleRequest(max_classes=MAX_CLASSES)))
    classes = f"{len(sample.class_names)} classes" if sample.labels is not None else "no class folders"
    return Upload(archive=sample, title=f"{name}: {classes}, {sample.num_rows} images")


def read_dataset(
    query: Query, upload: Upload, token: str | None, progress: Progress | None = None
) -> DatasetSample | EncodedDataset:
    """The dataset of a query.

    Args:
        token: the user's own; without one nothing is sent, whatever the server has.

    Raises:
        UserError, HubError: see `hf_crosssight.data.load_sample`.
    """
    if query.source == "example":
        example = find_example(query.dataset)
        return example.encoded() if example.file else load_sample("digits", progress=progress)
    if query.source == "hub":
        request = SampleRequest(
            query.config or None, query.split or None, query.image_column or None, query.label_column or None,
            max_classes=MAX_CLASSES,
        )  # fmt: skip
        return hub_sample(hub_id(query.dataset), None, request, _client(token), progress, keep=False)
    if query.source == "archive":
        if upload.archive is None:
            raise UserError("no archive was uploaded", "Choose a zip file with one folder of images for each class.")
        return upload.archive
    return pictures_sample(upload.classes)


def _client(token: str | None) -> HubClient:
    return HubClient(token=token or False)
