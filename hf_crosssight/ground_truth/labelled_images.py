"""Whole datasets in memory for training: every image of every split, as pixels of one size, with its class.

`data.load_sample` reads a few images of one split to describe a dataset; fine-tuning needs all, of both splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.layout import split_of
from ..errors import UserError

_TEST_SPLITS = ("test", "validation", "valid", "val")


@dataclass(frozen=True)
class LabelledImages:
    """A dataset's images and classes.

    Attributes:
        id: as the ground-truth table names it: Hub id, or the last two parts of a folder's path.
        revision: commit of a Hub dataset, `pixels-<hash>` of a local one.
        images: uint8 `[N, 3, side, side]`, the images of the train split first.
        labels: int64 `[N]`, index into `class_names`.
        in_test: bool `[N]`, whether the image comes from the dataset's own test (or validation) split.
        class_names: the classes.
        warnings: what was left out and why.
    """

    id: str
    revision: str
    images: np.ndarray
    labels: np.ndarray
    in_test: np.ndarray
    class_names: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def side(self) -> int:
        return int(self.images.shape[-1])


def local_dataset_id(folder: Path) -> str:
    """`org/name` of a folder `.../org/name`, the form in which tables name datasets."""
    path = folder.resolve()
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def expand_datasets(named: Sequence[str]) -> list[str]:
    """What the user named, a folder that holds dataset folders replaced by these, in order of name.

    Raises:
        UserError: nothing was named, or a folder holds no dataset.
    """
    found: list[str] = []
    for name in named:
        path = Path(name).expanduser()
        if name == "digits" or not path.is_dir() or _is_dataset(path):
            found.append(name)
            continue
        inside = [child for child in sorted(path.iterdir()) if child.is_dir() and _is_dataset(child)]
        if not inside:
            raise UserError(f"{path} holds no datasets", "Name folders laid out as Hub datasets, or Hub ids.")
        found += [str(child) for child in inside]
    if not found:
        raise UserError("no dataset is named", "Name at least one with --dataset or --datasets.")
    return list(dict.fromkeys(found))


def _is_dataset(folder: Path) -> bool:
    if any(folder.glob("*.parquet")) or any(folder.glob("data/*.parquet")) or (folder / "dataset_dict.json").exists():
        return True
    train = [child for child in folder.iterdir() if child.is_dir() and split_of(child.name) == "train"]
    return _holds_classes(folder) or any(map(_holds_classes, train))


def _holds_classes(folder: Path) -> bool:
    return any(child.is_dir() and any(child.glob("*.[jJpP][pPnN]*[gG]")) for child in folder.iterdir())


def load_images(dataset: str, side: int, *, offline: bool = False) -> LabelledImages:
    """Every image of a dataset, resized to `side` x `side` pixels, RGB.

    Args:
        dataset: `digits`, a folder (Hub layout, `save_to_disk`, class folders) or a Hub id, `ID@REVISION` included.
        side: pixels.
        offline: read nothing from the network.

    Raises:
        UserError: it cannot be read, or is no dataset of labelled images.
        HubError: the Hub or the network fails.
    """
    if dataset == "digits":
        return _digits(side)
    path = Path(dataset).expanduser()
    splits, name, revision = _local_splits(path) if path.is_dir() else _hub_splits(dataset, offline)
    return images_of_splits(splits, side, name, revision)


def images_of_splits(splits: dict[str, Any], side: int, name: str, revision: str | None) -> LabelledImages:
    """The images of `datasets.Dataset`s by split: `train` first, then test (or else validation)."""
    from ..data.columns import columns_of_features, pick_columns
    from ..data.labels import labels_from_values

    chosen = _chosen_splits(splits, name)
    first = next(iter(chosen.values()))
    picked = pick_columns(columns_of_features(first.features.to_dict()), None, None)
    if picked.label is None:
        raise UserError(f"{name} has no labels", "Fine-tuning needs a class for every image.")
    values: list[Any] = []
    for split in chosen.values():
        values += list(split[picked.label.name])
    labels = labels_from_values(values, picked.label)
    in_test = np.repeat([split != "train" for split in chosen], [len(rows) for rows in chosen.values()])
    raw = (item for rows in chosen.values() for item in _encoded(rows, picked.image.name))
    return _gathered(name, revision, raw, labels.codes, in_test, labels.names, side)


def _chosen_splits(splits: dict[str, Any], name: str) -> dict[str, Any]:
    train = "train" if "train" in splits else next(iter(splits), None)
    if train is None:
        raise UserError(f"{name} has no split", "Name a dataset with a train split.")
    test = next((split for split in _TEST_SPLITS if split in splits and split != train), None)
    return {"train": splits[train]} | ({"test": splits[test]} if test else {})


def _encoded(rows: Any, column: str) -> Iterator[Any]:
    """Bytes (or a path) of each image: decoding is left to our own decoder."""
    from datasets import Image

    undecoded = rows.cast_column(column, Image(decode=False))
    for item in undecoded[column]:
        yield item["bytes"] if item["bytes"] is not None else Path(item["path"]).read_bytes()


def _gathered(
    name: str,
    revision: str | None,
    raw: Iterable[Any],
    codes: np.ndarray,
    in_test: np.ndarray,
    class_names: tuple[str, ...],
    side: int,
) -> LabelledImages:
    from ..data.images import BrokenImageError

    images = np.empty((len(codes), 3, side, side), dtype=np.uint8)
    keep = codes >= 0
    broken = 0
    for row, item in enumerate(raw):
        if not keep[row]:
            continue
        try:
            images[row] = pixels(item, side)
        except BrokenImageError:
            keep[row], broken = False, broken + 1
    unlabelled = int((codes < 0).sum())
    notes = [(broken, "images cannot be decoded"), (unlabelled, "images have no class")]
    if not keep.any():
        raise UserError(f"{name} holds no image with a class", "; ".join(f"{n} {what}" for n, what in notes if n))
    images, codes = images[keep], codes[keep].astype(np.int64)
    return LabelledImages(
        name,
        revision or f"pixels-{_fingerprint(images, codes)}",
        images,
        codes,
        in_test[keep],
        class_names,
        tuple(f"{count} {what} and were left out" for count, what in notes if count),
    )


def pixels(raw: Any, side: int) -> np.ndarray:
    """uint8 `[3, side, side]` of an encoded image, a PIL image or an array; bilinear, the aspect ratio is not kept."""
    from PIL import Image

    from ..data.images import decode

    image = decode(raw)
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """uint8 `[N, 3, side, side]`: the same images at another size, antialiased as PIL does it."""
    from PIL import Image

    if images.shape[-1] == side:
        return images
    out = np.empty((len(images), 3, side, side), dtype=np.uint8)
    for row, image in enumerate(images):
        small = Image.fromarray(image.transpose(1, 2, 0)).resize((side, side), Image.Resampling.BILINEAR)
        out[row] = np.asarray(small).transpose(2, 0, 1)
    return out


def _fingerprint(images: np.ndarray, labels: np.ndarray) -> str:
    digest = hashlib.sha256(images.tobytes())
    digest.update(labels.tobytes())
    return digest.hexdigest()[:16]


def _local_splits(folder: Path) -> tuple[dict[str, Any], str, None]:
    import datasets

    name = local_dataset_id(folder)
    try:
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            found = datasets.load_from_disk(str(folder))
        else:
            found = datasets.load_dataset(str(folder))
    except Exception as error:  # `datasets` raises OSError, ValueError, ArrowInvalid and its own errors alike
        raise UserError(f"{folder} cannot be read as a dataset: {error}", "See `datasets.load_dataset`.") from error
    return (dict(found) if isinstance(found, dict) else {"train": found}), name, None


def _hub_splits(dataset: str, offline: bool) -> tuple[dict[str, Any], str, str]:
    import datasets

    from ..hub import HubClient

    repo = HubClient(offline=offline).resolve(dataset, "dataset")  # `datasets` itself refuses bare names
    try:
        found = datasets.load_dataset(repo.id, revision=repo.sha)
    except Exception as error:
        raise UserError(f"{repo.id} cannot be read as a dataset: {error}", "See `datasets.load_dataset`.") from error
    return dict(found), repo.id, repo.sha


def _digits(side: int) -> LabelledImages:
    """scikit-learn's digits; every fourth image stands for a test split, since there is none."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    raw = (image / 16.0 for image in bunch.images)
    in_test = np.arange(len(bunch.target)) % 4 == 3
    order = np.argsort(in_test, kind="stable")
    images = list(raw)
    return _gathered(
        "digits",
        None,
        (images[row] for row in order),
        bunch.target[order].astype(np.int64),
        in_test[order],
        tuple(map(str, range(10))),
        side,
    )
