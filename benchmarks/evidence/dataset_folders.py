"""Where the images of a dataset lie in a folder of datasets."""

from __future__ import annotations

from pathlib import Path


def dataset_folder(folder: Path, key: str) -> Path | None:
    """`folder/ORG/NAME` or `folder/NAME` of a dataset's key `ORG/NAME`; `None` where neither is."""
    return next((place for place in (folder / key, folder / key.rpartition("/")[2]) if place.is_dir()), None)
