"""Datasets that the caller already holds: map-style `datasets.Dataset`, and plain `{"images": ..., "labels": ...}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .columns import Column, ImageColumns, columns_of_features, pick_columns
from .labels import Labels, labels_from_values
from .request import SampleRequest
from .rows import Rows


def dataset_rows(dataset: Any, request: SampleRequest) -> Rows:
    """The rows of a `datasets.Dataset`; only its label column and the chosen images are read.

    Raises:
        `UserError`: columns that cannot be found, or another task's labels.
    """
    picked = pick_columns(columns_of_features(dataset.features.to_dict()), request.image_column, request.label_column)
    labels = _label_column(dataset, picked.label) if picked.label else None
    images = encoded_images(dataset.with_format(None).select_columns([picked.image.name]), picked)

    def read(rows: np.ndarray) -> Iterator[tuple[int, Any]]:
        for row in rows:
            yield int(row), payload(images[int(row)][picked.image.name])

    return Rows(
        len(dataset), labels, read, lambda row: f"row {row}", total_rows=len(dataset), warnings=picked.warnings
    )


def _label_column(dataset: Any, column: Column) -> Labels:
    table = dataset.select_columns([column.name]).with_format("arrow")[:]
    return labels_from_values(table.column(column.name), column)


def encoded_images(dataset: Any, picked: ImageColumns) -> Any:
    """The dataset (map-style or iterable) with its images left encoded, where it can leave them so."""
    from datasets import Image

    if picked.image.kind != "image":
        return dataset
    return dataset.cast_column(picked.image.name, Image(decode=False))


def payload(value: Any) -> Any:
    """What `images.decode` takes of a cell: the bytes of `{"bytes", "path"}`, a file's content, or the cell itself."""
    if not isinstance(value, dict):
        return value
    if value.get("bytes") is not None:
        return value["bytes"]
    path = value.get("path")
    if not path:
        return None
    try:
        if Path(path).is_file():
            return Path(path).read_bytes()
        from datasets.utils.file_utils import xopen

        with xopen(path, "rb") as file:  # a member of an archive, or a remote file
            return file.read()
    except OSError:
        return None


def mapping_rows(data: Mapping[str, Any], request: SampleRequest) -> Rows:
    """The rows of `{"images": [...], "labels": [...]}`; without labels they are unlabelled.

    Raises:
        `UserError`: no images, lengths that differ, or labels that are not one class an image.
    """
    image_key = request.image_column or _first_key(data, ("images", "image"))
    label_key = request.label_column or _first_key(data, ("labels", "label"))
    for key in (request.image_column, request.label_column):
        if key is not None and key not in data:
            raise UserError(f"there is no column {key!r}", f"The columns are {', '.join(map(repr, data))}.")
    if image_key is None:
        raise UserError(
            f"there is no 'images' among {', '.join(map(repr, data))}", 'Give {"images": [...], "labels": [...]}.'
        )
    images = data[image_key]
    labels = None if label_key is None or data[label_key] is None else data[label_key]
    if labels is not None and len(labels) != len(images):
        raise UserError(f"there are {len(images)} images and {len(labels)} labels", "Give one label for each image.")
    found = None if labels is None else labels_from_values(_values(labels), Column(str(label_key), "int"))

    def read(rows: np.ndarray) -> Iterator[tuple[int, Any]]:
        for row in rows:
            item = images[int(row)]
            yield int(row), payload({"path": item} if isinstance(item, str | Path) else item)

    return Rows(len(images), found, read, lambda row: f"image {row}", total_rows=len(images))


def _values(labels: Any) -> Sequence[Any]:
    """Labels as a plain sequence: tensors and arrays of one dimension become numbers, of two stay rows."""
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu().numpy()
    return list(labels) if not hasattr(labels, "tolist") else labels.tolist()


def _first_key(data: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in data), None)
