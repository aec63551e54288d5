"""Draws the sample: chooses rows, fetches and checks their images, replaces broken ones, and writes the record."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from ..errors import UserError
from .images import BrokenImageError, HeldImages, hold
from .request import Progress, SampleRequest
from .rows import Origin, Rows
from .sample import DatasetSample
from .sampling import RowChooser, choose_classes

MAX_BROKEN_SHARE = 0.1  # of the images tried; one broken image is always forgiven
UNLABELLED_STRATA = 20  # an unlabelled split is cut into as many stretches, and each is sampled like a class
NAMED = 5  # a message names at most as many


class BrokenImages:
    """Counts and names the images that could not be decoded, and gives up when they are too many."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.tried = 0

    def add(self, name: str, error: BrokenImageError) -> None:
        self.names.append(f"{name} ({error})")

    def check(self, planned: int) -> None:
        """Raises `UserError` if more than the share of `planned` images are broken."""
        if len(self.names) > max(1, MAX_BROKEN_SHARE * planned):
            raise UserError(
                f"{len(self.names)} of the {self.tried} images tried cannot be read: {shortened(self.names)}",
                f"Repair or remove them; up to {MAX_BROKEN_SHARE:.0%} of the images tried are skipped.",
            )

    def warnings(self) -> tuple[str, ...]:
        if not self.names:
            return ()
        were = "was" if len(self.names) == 1 else "were"
        told = f"{len(self.names)} of the {self.tried} images tried cannot be read and {were} skipped"
        return (f"{told}: {shortened(self.names)}",)


def shortened(names: Sequence[str], most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def draw(origin: Origin, rows: Rows, request: SampleRequest, progress: Progress | None = None) -> DatasetSample:
    """A sample of `images_per_class` images of each class, or of each stretch of an unlabelled split.

    Raises:
        `UserError`: nothing to sample, one class only, or too many broken images.
    """
    if rows.num_rows == 0:
        raise UserError(f"split {origin.split!r} of {origin.id} has no rows", "Name another split with --split.")
    codes = rows.labels.codes if rows.labels else strata(rows.num_rows)
    classes = choose_classes(codes, request.max_classes, request.seed)
    if rows.labels:
        check_classes(origin, [rows.labels.names[code] for code in classes])
    chooser = RowChooser(codes, rows.groups, rows.costs, request.seed)
    need = {int(code): request.images_per_class for code in classes}
    broken, held = BrokenImages(), {}
    planned = chooser.take(need)
    wanted, batch = len(planned), planned
    while len(batch):
        short: Counter[int] = Counter()
        for row, raw in rows.read(batch):
            broken.tried += 1
            try:
                held[row] = hold(raw)
            except BrokenImageError as error:
                broken.add(rows.name(row), error)
                broken.check(wanted)
                short[int(codes[row])] += 1
            if progress:
                progress("reading images", len(held), wanted)
        batch = chooser.take(dict(short))
    chosen = sorted(held, key=lambda row: (codes[row], row))
    labels = codes[chosen] if rows.labels else None
    names = rows.labels.names if rows.labels else ()
    return finish(
        origin,
        request,
        [held[row] for row in chosen],
        labels,
        names,
        broken,
        num_rows=rows.total_rows,
        declared=bool(rows.labels and rows.labels.declared),
        present=None if rows.labels is None else len(np.unique(codes[codes >= 0])),
        warnings=(*rows.warnings, *without_label(rows.labels.missing if rows.labels else 0)),
    )


def without_label(count: int) -> tuple[str, ...]:
    """The warning that rows were left out for want of a label; none where all have one."""
    if not count:
        return ()
    return (f"{count} rows have no label and were left out" if count > 1 else "1 row has no label and was left out",)


def strata(num_rows: int) -> np.ndarray:
    """Codes `[N]` that cut the rows into stretches of equal length."""
    return np.arange(num_rows, dtype=np.int64) * min(UNLABELLED_STRATA, num_rows) // num_rows


def check_classes(origin: Origin, names: Sequence[str]) -> None:
    """Raises `UserError` unless there are two classes at least."""
    if len(names) < 2:
        what = f"only one class, {names[0]!r}" if names else "no labelled image"
        raise UserError(
            f"{origin.id} (split {origin.split!r}) has {what}",
            "Models are ranked for telling classes apart: give a dataset with two classes or more.",
        )


def finish(
    origin: Origin,
    request: SampleRequest,
    held: Sequence[bytes | Image.Image],
    codes: np.ndarray | None,
    names: Sequence[str],
    broken: BrokenImages,
    *,
    num_rows: int | None,
    declared: bool,
    present: int | None,
    warnings: Iterable[str] = (),
) -> DatasetSample:
    """The record of a sample: classes renumbered over those sampled, warnings, fingerprint.

    Args:
        codes: int64 `[n]`, index into `names` of each image held; None if unlabelled.
        names: all classes that the dataset declares or shows.
        declared: whether the dataset declares them.
        present: how many of them have rows, as far as was read.
    """
    broken.check(broken.tried)
    if not held:
        raise UserError(
            f"{origin.id} (split {origin.split!r}) gave no image", "Look whether its images can be opened."
        )
    labels, class_names, num_classes = None, (), None
    notes = [*warnings, *broken.warnings()]
    if codes is not None:
        sampled, labels = np.unique(codes, return_inverse=True)
        class_names = tuple(names[code] for code in sampled)
        check_classes(origin, class_names)
        num_classes = len(names)
        if present is not None and present > len(class_names) >= request.max_classes:
            notes.append(f"{len(class_names)} of {present} classes were sampled (at most {request.max_classes} are)")
        elif declared and len(class_names) < len(names):
            unseen = [name for code, name in enumerate(names) if code not in set(sampled.tolist())]
            notes.append(f"no image of {len(unseen)} of {len(names)} classes was seen: {shortened(unseen)}")
    sample = DatasetSample(
        id=origin.id,
        revision=origin.revision,
        split=origin.split,
        fingerprint="",
        images=HeldImages(held),
        labels=None if labels is None else labels.astype(np.int64),
        class_names=class_names,
        num_classes=num_classes,
        num_rows=num_rows,
        description=origin.description,
        warnings=tuple(notes),
    )
    return dataclasses.replace(sample, fingerprint=fingerprint(sample))


def fingerprint(sample: DatasetSample) -> str:
    """Digest of everything that tokens can be made of: images, labels, names, counts and description."""
    digest = hashlib.sha256()
    facts = (sample.class_names, sample.num_classes, sample.num_rows, sample.description)
    digest.update(repr(facts).encode())
    digest.update(b"" if sample.labels is None else sample.labels.tobytes())
    assert isinstance(sample.images, HeldImages)
    for item in sample.images.held:
        content = item if isinstance(item, bytes) else item.tobytes()
        size = () if isinstance(item, bytes) else item.size
        digest.update(f"{type(item) is bytes} {size} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()
