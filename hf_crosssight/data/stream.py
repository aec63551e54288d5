"""Datasets that can only be read from front to back: a bounded shuffle, a bounded number of rows, a few of each class.

Classes that lie further back than was read are not seen; the sample says which.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import HubError, UserError
from .columns import Column, ImageColumns, columns_of_features, pick_columns
from .draw import UNLABELLED_STRATA, BrokenImages, finish, without_label
from .images import BrokenImageError, hold
from .labels import labels_from_values, refuse_unlike_classes
from .memory import encoded_images, payload
from .request import Progress, SampleRequest
from .rows import Origin
from .sample import DatasetSample
from .sampling import choose_classes

SHUFFLE_BUFFER = 256  # rows, still encoded
ROWS_PER_IMAGE = 20  # rows read for each image that the sample may hold
MAX_ROWS = 20_000


def draw_stream(
    origin: Origin, dataset: Any, request: SampleRequest, progress: Progress | None = None
) -> DatasetSample:
    """A sample of a `datasets.IterableDataset`.

    Raises:
        `UserError`: no image column, another task's labels, one class only, too many broken images.
        `HubError`: the source stopped giving rows.
    """
    columns = _columns(dataset)
    picked = pick_columns(columns, request.image_column, request.label_column)
    if dataset.features is not None:
        dataset = encoded_images(dataset, picked)
    rows = _guarded(dataset.shuffle(seed=request.seed, buffer_size=SHUFFLE_BUFFER), origin)
    taken = _take(rows, picked, request, progress)
    declared = picked.label.class_names if picked.label else None
    codes, names = None, declared or ()
    if picked.label:
        refuse_unlike_classes(taken.seen, taken.rows_read - taken.missing, picked.label, numbers=taken.exhausted)
        labels = labels_from_values(taken.values, picked.label, is_sample=True)
        codes, names = labels.codes, labels.names
    keep = list(range(len(taken.held))) if codes is None else np.argsort(codes, kind="stable").tolist()
    warnings = [*picked.warnings, *without_label(taken.missing)]
    if not taken.exhausted:
        warnings.append(f"read as a stream: the sample is of the first {taken.rows_read} rows of a bounded shuffle")
    return finish(
        origin,
        request,
        [taken.held[index] for index in keep],
        None if codes is None else codes[keep],
        names,
        taken.broken,
        num_rows=taken.rows_read if taken.exhausted else _declared_rows(dataset, origin.split),
        declared=declared is not None,
        present=None if codes is None else len(taken.seen),
        warnings=warnings,
    )


class _Taken:
    """What the stream gave so far: at most `images_per_class` images of each label value."""

    def __init__(self) -> None:
        self.held: list[Any] = []
        self.values: list[Any] = []
        self.count: dict[Any, int] = {}
        self.broken = BrokenImages()
        self.rows_read = 0
        self.missing = 0  # rows without a label
        self.seen: set[Any] = set()
        self.exhausted = True


def _take(
    rows: Iterable[dict[str, Any]], picked: ImageColumns, request: SampleRequest, progress: Progress | None
) -> _Taken:
    """Reads rows until every declared class is full or the limit of rows is reached."""
    taken, label = _Taken(), picked.label
    wanted = _wanted_classes(label, request)
    quota = request.images_per_class if label else request.images_per_class * UNLABELLED_STRATA
    most = quota * (len(wanted) if wanted else request.max_classes) if label else quota
    limit = min(MAX_ROWS, ROWS_PER_IMAGE * most)
    for row in rows:
        if taken.rows_read >= limit or len(taken.held) >= most:
            taken.exhausted = False
            return taken
        taken.rows_read += 1
        value = _value(row.get(label.name), label) if label else None
        taken.missing += label is not None and value is None
        if label and (value is None or not _has_room(taken, value, wanted, request.max_classes)):
            continue
        if taken.count.get(value, 0) >= quota:
            continue
        taken.broken.tried += 1
        try:
            taken.held.append(hold(payload(row.get(picked.image.name))))
        except BrokenImageError as error:
            taken.broken.add(f"row {taken.rows_read - 1} of the stream", error)
            taken.broken.check(most)
            continue
        taken.values.append(value)
        taken.count[value] = taken.count.get(value, 0) + 1
        if progress:
            progress("reading images", len(taken.held), most)
    return taken


def _wanted_classes(label: Column | None, request: SampleRequest) -> set[int] | None:
    """The declared classes to take: all, or `max_classes` drawn with the seed; None where none are declared."""
    if label is None or not label.class_names:
        return None
    codes = np.arange(len(label.class_names))
    return set(choose_classes(codes, request.max_classes, request.seed).tolist())


def _has_room(taken: _Taken, value: Any, wanted: set[int] | None, max_classes: int) -> bool:
    """Whether images of this class are taken; undeclared classes are, in the order seen, up to `max_classes`."""
    taken.seen.add(value)
    if wanted is not None and isinstance(value, int):
        return value in wanted
    return value in taken.count or len(taken.count) < max_classes


def _value(value: Any, label: Column) -> Any:
    """A plain label value; refuses other tasks' labels at the first row that shows one."""
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    if value is None or (label.class_names and value == -1):
        return None
    labels_from_values([value], label)
    return value


def _columns(dataset: Any) -> list[Column]:
    """Columns as declared, else guessed from the first row."""
    if dataset.features is not None:
        return columns_of_features(dataset.features.to_dict())
    first = next(iter(dataset), None)
    if first is None:
        raise UserError("the dataset has no rows", "Name another split with --split.")
    return [Column(str(name), _kind_of(value)) for name, value in first.items()]


def _kind_of(value: Any) -> str:
    from PIL import Image

    if isinstance(value, Image.Image) or (isinstance(value, dict) and "bytes" in value):
        return "image"
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, np.ndarray) and value.ndim >= 2:
        return "image"
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"), (bytes, "binary")):
        if isinstance(value, kind):
            return name
    return "objects" if isinstance(value, dict) else "int" if isinstance(value, np.integer) else "other"


def _guarded(rows: Iterable[dict[str, Any]], origin: Origin) -> Iterable[dict[str, Any]]:
    """The rows; what the source raises on the way becomes an error of ours."""
    iterator = iter(rows)
    while True:
        try:
            row = next(iterator)
        except StopIteration:
            return
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            what = f"{origin.id} stopped giving rows: {type(error).__name__}: {error}"
            raise HubError(what, "Look whether `datasets` can read it, and whether the network is up.") from error
        yield row


def _declared_rows(dataset: Any, split: str) -> int | None:
    splits = getattr(getattr(dataset, "info", None), "splits", None) or {}
    return getattr(splits.get(split), "num_examples", None) if hasattr(splits, "get") else None
