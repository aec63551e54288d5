"""Single pictures from outside: checked, shrunk to what the encoder looks at, and shown as thumbnails."""

from __future__ import annotations

import base64
import dataclasses
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.data.images import BrokenImageError, HeldImages, decode, known_formats
from hf_crosssight.errors import UserError

MAX_PIXELS = 40_000_000
MAX_BYTES = 20 * 2**20
MAX_CLASSES = 30
MAX_PER_CLASS = 30
_SIDE = 256  # pixels of the shorter side; the encoder cuts 224 of 256 out
_SMALL = 60_000  # bytes from which on a picture is shrunk
_THUMB = 56
_MAX_NAME = 60


def check_picture(raw: bytes, name: str) -> None:
    """Raises `UserError` for a picture that would unpack to too many pixels; a broken one is left to the sampler."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=known_formats()) as image:
                pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = 2 * MAX_PIXELS
    except Exception:  # Pillow's readers raise whatever a broken file leads them to
        return
    if pixels > MAX_PIXELS:
        raise UserError(f"{name} has more than {MAX_PIXELS // 10**6} million pixels", "Shrink it first.")


def slim(image: Image.Image) -> bytes:
    """A picture, encoded, its shorter side no longer than the encoder needs."""
    scale = _SIDE / min(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small = min(image.size) <= 96  # every pixel counts there, and they cost nothing
    image.save(buffer, "PNG") if small else image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def slim_sample(sample: DatasetSample) -> DatasetSample:
    """The sample with its large pictures shrunk, so that a session of a user costs megabytes."""
    held = [
        item if isinstance(item, bytes) and len(item) <= _SMALL else slim(sample.images[index])
        for index, item in enumerate(sample.images.held)  # type: ignore[attr-defined]
    ]
    return dataclasses.replace(sample, images=HeldImages(held))


def read_pictures(paths: Sequence[str | Path]) -> tuple[bytes, ...]:
    """Pictures that a user uploaded for one class.

    Raises:
        UserError: one that is too large, that cannot be decoded, or that is of a format that is not decoded (SVG).
    """
    if len(paths) > MAX_PER_CLASS:
        raise UserError(f"there are {len(paths)} pictures", f"Give at most {MAX_PER_CLASS} of a class; ten are used.")
    return tuple(_read(Path(path)) for path in paths)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path.name} has more than {MAX_BYTES // 2**20} MB", "Shrink it first.")
        raw = path.read_bytes()
        check_picture(raw, path.name)
        return slim(decode(raw))
    except FileNotFoundError as error:
        raise UserError("the upload is not there any more", "Upload it again.") from error
    except BrokenImageError as error:
        raise UserError(f"{path.name} is no picture that can be read", "Give PNG, JPEG, WebP, GIF or BMP.") from error


def class_name(text: str) -> str:
    """A class name as typed, on one line.

    Raises:
        UserError: there is none.
    """
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_MAX_NAME]
    if not name:
        raise UserError("the class has no name", "Type what its pictures show, for example: cat.")
    return name


def pictures_sample(classes: Mapping[str, Sequence[bytes]]) -> DatasetSample:
    """The dataset of the classes that a user put together by hand.

    Raises:
        UserError: fewer than two classes.
    """
    if len(classes) < 2:
        told = "only one class" if classes else "no class"
        raise UserError(f"there is {told} yet", "Add at least two classes, each with a few pictures.")
    images = [picture for pictures in classes.values() for picture in pictures]
    labels = [name for name, pictures in classes.items() for _ in pictures]
    return dataclasses.replace(load_sample({"images": images, "labels": labels}), id="upload")


def thumbnails(sample: DatasetSample, most: int = 3) -> dict[str, tuple[str, ...]]:
    """By class a few of its pictures, as `data:` addresses; nothing for an unlabelled sample."""
    if sample.labels is None:
        return {}
    shown: dict[str, tuple[str, ...]] = {}
    for code, name in enumerate(sample.class_names):
        rows = [row for row, label in enumerate(sample.labels) if label == code][:most]
        shown[name] = tuple(_address(sample.images[row]) for row in rows)
    return shown


def _address(image: Image.Image) -> str:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    method = Image.Resampling.NEAREST if side < _THUMB else Image.Resampling.BICUBIC
    buffer = io.BytesIO()
    square.resize((_THUMB, _THUMB), method).save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
