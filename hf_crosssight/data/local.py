"""A dataset in a folder on this machine: written by `save_to_disk`, laid out as on the Hub, or class folders."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from .draw import draw, shortened
from .folder import list_files
from .layout import choose_split
from .memory import dataset_rows
from .request import Progress, SampleRequest
from .rows import Origin
from .sample import DatasetSample
from .tree import FileTree, tree_sample


def local_sample(folder: Path, request: SampleRequest, progress: Progress | None = None) -> DatasetSample:
    """The sample of a folder, or of a single Parquet file.

    Raises:
        `UserError`: a file of another kind, or a folder without images.
    """
    if folder.is_file():
        if folder.suffix != ".parquet":
            raise UserError(f"{folder} is a file, not a dataset", "Give a folder, a Parquet file or a Hub id.")
        return tree_sample(_tree(folder.parent, [folder.name], [], str(folder)), request, progress)
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return _saved_sample(folder, request, progress)
    files, folders = list_files(folder)
    if not files:
        raise UserError(f"the folder {folder} is empty", "Give a folder with one folder of images for each class.")
    _refuse_several(folder, files)
    return tree_sample(_tree(folder, files, folders, str(folder)), request, progress)


def _refuse_several(folder: Path, files: list[str]) -> None:
    """Raises for a folder of repositories, whose data files would else be read as one dataset."""
    there = set(files)
    holders = {path.split("/data/")[0] for path in files if "/data/" in path and path.endswith(".parquet")}
    found = sorted(name for name in holders if f"{name}/README.md" in there)
    if len(found) > 1 and "README.md" not in there:
        raise UserError(
            f"{folder} holds {len(found)} datasets, not one",
            f"Give the folder of one of them: {shortened([str(folder / name) for name in found])}.",
        )


def _saved_sample(folder: Path, request: SampleRequest, progress: Progress | None) -> DatasetSample:
    """The sample of what `save_to_disk` wrote."""
    from datasets import DatasetDict, load_from_disk

    if request.config not in (None, "default"):
        raise UserError(f"{folder} has no configuration {request.config!r}", "A dataset saved to disk has just one.")
    try:
        loaded = load_from_disk(str(folder))
    except Exception as error:  # `datasets` lets Arrow's, JSON's and the file system's errors through
        raise UserError(f"{folder} cannot be read as a saved dataset: {error}", "Save it again.") from error
    if isinstance(loaded, DatasetDict):
        split = choose_split(list(loaded), request.split, str(folder))
        loaded = loaded[split]
    else:
        split = choose_split([str(loaded.split or "train")], request.split, str(folder))
    return draw(Origin(str(folder), split), dataset_rows(loaded, request), request, progress)


def _tree(folder: Path, files: list[str], folders: list[str], name: str) -> FileTree:
    def read_ranges(path: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        pieces = []
        with (folder / path).open("rb") as file:
            for start, stop in ranges:
                file.seek(start)
                pieces.append(file.read(stop - start))
        return pieces

    def size_of(path: str) -> int:
        return (folder / path).stat().st_size

    return FileTree(
        name,
        None,
        {path: size_of(path) for path in files if (folder / path).is_file()},
        read_ranges,
        size_of,
        folders,
        stream={"path": str(folder)},
    )
