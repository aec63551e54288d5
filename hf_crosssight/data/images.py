"""One image as people see it: any mode, depth and orientation to upright 8-bit RGB.

Takes encoded bytes, PIL images and arrays. `HeldImages` keeps a sample's images encoded and decodes them on access, so
that a sample of photographs costs megabytes and not gigabytes; images far larger than an encoder looks at are shrunk.
"""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from PIL import Image, ImageOps

MAX_SHORT_SIDE = 512  # pixels; the encoders look at 224 to 448
_JPEG_QUALITY = 95
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF", "QOI", "PCX", "TGA", "ICO")


class BrokenImageError(ValueError):
    """These bytes cannot be decoded as an image."""


def decode(raw: Any) -> Image.Image:
    """An image from encoded bytes, a PIL image or an array (`[H, W]`, `[H, W, C]`, `[C, H, W]`): upright, mode RGB.

    Raises:
        `BrokenImageError`: it cannot be decoded to its last row.
    """
    if raw is None:
        raise BrokenImageError("there is no image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if isinstance(raw, Image.Image):
                return to_rgb(raw)
            if isinstance(raw, bytes | bytearray | memoryview):
                return _decode_bytes(bytes(raw))
            return to_rgb(_from_array(np.asarray(raw)))
    except BrokenImageError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise BrokenImageError(_reason(error)) from error


@functools.cache
def known_formats() -> tuple[str, ...]:
    """What is decoded, of what this Pillow can. EPS is not: Pillow starts Ghostscript on whatever such a file says."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _reason(error: Exception) -> str:
    """What a decoder says, without the in-memory file it names: `<_io.BytesIO object at 0x...>` differs each run."""
    said = re.sub(r"<[^<>]* object at 0x[0-9a-fA-F]+>", "", str(error))
    return " ".join(said.split()) or type(error).__name__


def _decode_bytes(raw: bytes) -> Image.Image:
    with Image.open(io.BytesIO(raw), formats=known_formats()) as image:
        image.draft("RGB" if image.mode != "L" else "L", (2 * MAX_SHORT_SIDE, 2 * MAX_SHORT_SIDE))  # JPEG only
        image.load()
        return to_rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Upright 8-bit RGB: EXIF orientation applied, transparency laid on white, 16-bit and float depths scaled."""
    if getattr(image, "is_animated", False):
        image.seek(0)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_8_bit(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")  # what lies under a transparent pixel is arbitrary; on a page it would be white
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """Scales by the smallest of the depths 8, 12 and 16 bits that holds all values; by their range if none does."""
    values = np.nan_to_num(values.astype(np.float64))
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if low >= 0 and high <= 1 and np.any(values % 1):
        return np.round(values * 255).astype(np.uint8)
    for top in (255, 4095, 65535):
        if low >= 0 and high <= top:
            return np.round(values * (255 / top)).astype(np.uint8)
    return np.round((values - low) * (255 / (high - low))).astype(np.uint8)


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[-1] not in (1, 3) and array.shape[0] in (1, 3):  # channels first, as in torch
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or array.dtype.kind not in "buif" or 0 in array.shape:
        raise BrokenImageError(f"an array of shape {array.shape} and type {array.dtype} is not an image")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype.kind == "f" and array.max() <= 1 and array.min() >= 0:
        array = np.round(array * 255)
    return Image.fromarray(np.ascontiguousarray(array if array.dtype == np.uint8 else _to_8_bit(array)))


class HeldImages(Sequence[Image.Image]):
    """A sample's images: kept encoded (or as the PIL images that the user holds anyway), decoded on access."""

    def __init__(self, held: Sequence[bytes | Image.Image]) -> None:
        self.held = tuple(held)

    def __len__(self) -> int:
        return len(self.held)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...

    @overload
    def __getitem__(self, index: slice) -> HeldImages: ...

    def __getitem__(self, index: int | slice) -> Image.Image | HeldImages:
        if isinstance(index, slice):
            return HeldImages(self.held[index])
        item = self.held[index]
        return decode(item) if isinstance(item, bytes) else item


def hold(raw: Any) -> bytes | Image.Image:
    """Checks that an image decodes, and returns what to keep of it: its bytes, or what they shrink to.

    Raises:
        `BrokenImageError`: it does not decode.
    """
    image = decode(raw)
    short = min(image.size)
    if short > MAX_SHORT_SIDE:
        scale = MAX_SHORT_SIDE / short
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return buffer.getvalue()
    return bytes(raw) if isinstance(raw, bytes | bytearray | memoryview) else image
