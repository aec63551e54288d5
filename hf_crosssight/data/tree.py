"""A folder of dataset files, on disk or on the Hub, and the sample of what lies in it.

A repository on the Hub and its copy on disk are read by the same code, and give the same sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import CrossSightError, HubError, UserError
from .dataset_card import describe, split_front_matter
from .draw import draw
from .folder import METADATA_FILES, find_images, folder_rows
from .layout import Layout, choose_split, find_layout
from .parquet import Shard, parquet_rows
from .request import Progress, SampleRequest
from .rows import Origin
from .sample import DatasetSample
from .stream import draw_stream

_OTHER_DATA = (
    ".tar",
    ".zip",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".arrow",
    ".gz",
    ".tgz",
    ".zst",
    ".7z",
    ".h5",
    ".hdf5",
)


@dataclass(frozen=True)
class FileTree:
    """Files by path, readable by byte ranges.

    Attributes:
        id: Hub id or folder path, as the sample is to say.
        revision: commit on the Hub.
        sizes: bytes of each file by its path; None where unknown.
        read_ranges: bytes `[start, stop)` of a file: (path, ranges) -> pieces.
        size_of: size of a file whose size is not known.
        folders: paths of the folders, where folders can be empty.
        stream: options of `datasets.load_dataset` that name this tree.
        no_stream: why it cannot be streamed, if it cannot.
    """

    id: str
    revision: str | None
    sizes: Mapping[str, int | None]
    read_ranges: Callable[[str, list[tuple[int, int]]], list[bytes]]
    size_of: Callable[[str], int]
    folders: Sequence[str] = ()
    stream: Mapping[str, Any] = field(default_factory=dict)
    no_stream: CrossSightError | None = None

    def size(self, path: str) -> int:
        size = self.sizes[path]
        return self.size_of(path) if size is None else size

    def read(self, path: str) -> bytes:
        size = self.size(path)
        return self.read_ranges(path, [(0, size)])[0] if size else b""


def tree_sample(tree: FileTree, request: SampleRequest, progress: Progress | None = None) -> DatasetSample:
    """The sample of a tree: Parquet files, else images in class folders, else whatever `datasets` can stream.

    Raises:
        `UserError`: no images, a loading script, or anything that the request names and the tree has not.
    """
    facts, body = card_of(tree)
    description = describe(facts, body)
    layout = find_layout(tree.sizes, facts, request.config, request.split, tree.id)
    if layout and all(path.endswith(".parquet") and not path.endswith(METADATA_FILES) for path in layout.files):
        origin = Origin(tree.id, layout.split, tree.revision, description)
        shards = [shard_of(tree, path) for path in layout.files]
        return draw(origin, parquet_rows(shards, layout.features, request, progress), request, progress)
    sample = _image_folder_sample(tree, facts, layout, description, request, progress)
    if sample is not None:
        return sample
    _refuse_without_data(tree)
    return _streamed_sample(tree, description, request, progress)


def card_of(tree: FileTree) -> tuple[dict[str, Any], str]:
    """The front matter and the text of a tree's README; empty where it has none."""
    if "README.md" not in tree.sizes:
        return {}, ""
    return split_front_matter(tree.read("README.md").decode("utf-8", errors="replace"))


def shard_of(tree: FileTree, path: str) -> Shard:
    """One Parquet file of a tree."""
    return Shard(path, lambda ranges: tree.read_ranges(path, ranges), tree.size(path))


def _image_folder_sample(
    tree: FileTree,
    facts: dict[str, Any],
    layout: Layout | None,
    description: str,
    request: SampleRequest,
    progress: Progress | None,
) -> DatasetSample | None:
    """The sample of class folders; None if there are none, or if a metadata file says more than the folders do."""
    by_card = bool(layout and facts.get("configs"))
    paths = list(layout.files) if layout and by_card else list(tree.sizes)
    if any(path.rsplit("/", 1)[-1] in METADATA_FILES for path in tree.sizes):
        return None
    found = find_images(paths, [] if by_card else tree.folders, None if by_card else request.split, tree.id)
    if found is None:
        return None
    if request.config not in (None, "default") and not by_card:
        raise UserError(f"{tree.id} has no configuration {request.config!r}", "The configurations are: default.")
    split = layout.split if layout and by_card else found.split
    origin = Origin(tree.id, split, tree.revision, description)
    return draw(origin, folder_rows(found, request, tree.read), request, progress)


def _refuse_without_data(tree: FileTree) -> None:
    scripts = [path for path in tree.sizes if path.endswith(".py") and "/" not in path]
    if any(path.lower().endswith(_OTHER_DATA) for path in tree.sizes):
        return
    if scripts and not tree.revision:
        raise UserError(f"{tree.id} is made by a loading script ({scripts[0]})", "Scripts are not run: give the data.")
    if scripts:
        raise UserError(
            f"{tree.id} is made by a loading script ({scripts[0]}), which is not run",
            "Try --revision refs/convert/parquet: the Hub keeps Parquet copies of some datasets there.",
        )
    raise UserError(
        f"{tree.id} holds no images", "Give class folders of images, data/*.parquet, or a dataset saved to disk."
    )


def _streamed_sample(
    tree: FileTree, description: str, request: SampleRequest, progress: Progress | None
) -> DatasetSample:
    """What `datasets` makes of the files, read as a stream."""
    if tree.no_stream is not None:
        raise tree.no_stream
    from datasets import get_dataset_config_names, load_dataset

    if progress:
        progress("opening the stream", 0, None)
    try:
        options = dict(tree.stream)
        path = options.pop("path")
        if request.config is not None:
            names = get_dataset_config_names(path, **options)
            if request.config not in names:
                raise UserError(
                    f"{tree.id} has no configuration {request.config!r}",
                    f"The configurations are: {', '.join(names)}.",
                )
        splits = load_dataset(path, name=request.config, streaming=True, **options)
    except CrossSightError:
        raise
    except (ConnectionError, TimeoutError) as error:
        raise HubError(f"{tree.id} cannot be streamed: {error}", "Look whether the network is up.") from error
    except Exception as error:  # `datasets` raises a great many kinds for files that it cannot read
        raise UserError(
            f"{tree.id} cannot be read by `datasets`: {error}", "Look at its files, or name --config."
        ) from error
    split = choose_split(list(splits), request.split, tree.id)
    return draw_stream(Origin(tree.id, split, tree.revision, description), splits[split], request, progress)
