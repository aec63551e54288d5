"""Class folders of images, on disk or in a Hub repository: `[SPLIT/]CLASS/.../image.png`.

Only the listing is needed to know the classes; then just the chosen images are read, wherever they lie.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .labels import Labels
from .layout import choose_split
from .request import SampleRequest
from .rows import Rows

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".avif",
)
METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
}
_WORKERS = 8


@dataclass(frozen=True)
class ImageFolder:
    """The images of one split of a folder.

    Attributes:
        split: its name; `train` where the folder has no split folders.
        paths: paths of the images below the folder, sorted.
        classes: the class folder of each image, '' where it lies in none.
        empty_classes: class folders without an image.
    """

    split: str
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    empty_classes: tuple[str, ...] = ()


def list_files(folder: Path) -> tuple[list[str], list[str]]:
    """Paths below a folder, with `/`, sorted: (files, folders). Hidden ones are left out, links are followed once."""
    files, folders, seen = [], [], set()
    for current, names, found in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        names[:] = sorted(name for name in names if not name.startswith((".", "__MACOSX")))
        base = Path(current).relative_to(folder)
        folders += [(base / name).as_posix() for name in names]
        files += [(base / name).as_posix() for name in found if not name.startswith(".")]
    return sorted(files), sorted(folders)


def find_images(files: Sequence[str], folders: Sequence[str], split: str | None, where: str) -> ImageFolder | None:
    """The images of a split by the folders they lie in; None if there is no image at all.

    Raises:
        `UserError`: there is no such split.
    """
    images = [path for path in files if path.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        return None
    prefix = _common_folder(images)
    parts = [(path, path[len(prefix) :].split("/")) for path in images]
    tops = {split_parts[0].lower() for _, split_parts in parts if len(split_parts) > 1}
    has_splits = bool(tops) and all(top in _SPLITS for top in tops)
    if has_splits:
        parts = [(path, names) for path, names in parts if len(names) > 1]
    of_split: dict[str, list[tuple[str, list[str]]]] = {}
    for path, names in parts:
        name = _SPLITS[names[0].lower()] if has_splits else "train"
        of_split.setdefault(name, []).append((path, names[1:] if has_splits else names))
    chosen = choose_split(sorted(of_split, key=["train", "validation", "test"].index), split, where)
    paths, classes = zip(
        *((path, names[0] if len(names) > 1 else "") for path, names in of_split[chosen]), strict=True
    )
    depth = prefix.count("/") + has_splits
    named = {
        folder.split("/")[-1]
        for folder in folders
        if folder.startswith(prefix)
        and folder.count("/") == depth
        and (not has_splits or _SPLITS.get(folder[len(prefix) :].split("/")[0].lower()) == chosen)
    }
    return ImageFolder(chosen, paths, classes, tuple(sorted(named - set(classes))))


def _common_folder(images: Sequence[str]) -> str:
    """The folder, with its `/`, that holds everything, as long as there are folders and no images in it."""
    prefix = ""
    while True:
        rests = [path[len(prefix) :].split("/") for path in images]
        tops = {names[0] for names in rests}
        nested = all(len(names) > 2 for names in rests)
        if len(tops) != 1 or not nested or next(iter(tops)).lower() in _SPLITS:
            return prefix
        prefix += next(iter(tops)) + "/"


def folder_rows(found: ImageFolder, request: SampleRequest, read: Callable[[str], Any]) -> Rows:
    """The images of a folder as rows.

    Args:
        found: what `find_images` found.
        read: the bytes of a path; may be slow, a few are asked for at once.
    """
    for column in (request.image_column, request.label_column):
        if column not in (None, "image", "label"):
            raise UserError(
                f"there is no column {column!r}", "A folder of images has the columns 'image' and 'label'."
            )
    warnings: list[str] = []
    names = sorted(set(found.classes) - {""})
    labels = None
    if names:
        code_of = {name: code for code, name in enumerate(names)} | {"": -1}
        codes = np.asarray([code_of[name] for name in found.classes], dtype=np.int64)
        labels = Labels(codes, tuple(names))
        if loose := found.classes.count(""):
            told = "image lies" if loose == 1 else "images lie"
            warnings.append(f"{loose} {told} in no class folder and {'was' if loose == 1 else 'were'} left out")
        if found.empty_classes:
            warnings.append(f"no image in the folders {', '.join(found.empty_classes[:5])}")
    else:
        warnings.append("no class folders: the images are taken as unlabelled")

    def read_rows(rows: np.ndarray) -> Iterator[tuple[int, Any]]:
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            for start in range(0, len(rows), 2 * _WORKERS):
                batch = [int(row) for row in rows[start : start + 2 * _WORKERS]]
                yield from zip(batch, pool.map(lambda row: read(found.paths[row]), batch), strict=True)

    return Rows(
        len(found.paths),
        labels,
        read_rows,
        lambda row: found.paths[row],
        total_rows=len(found.paths),
        warnings=tuple(warnings),
    )
