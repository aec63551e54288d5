"""Images as a model was trained to see them: the repository's own image processor, in PIL, without torchvision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .untrusted import UnusableModelError, one_line

LARGEST_SIDE = 1024
"""Pixels; a model that wants larger images is refused."""

_MEAN, _STD = 0.45, 0.25  # a repository without an image processor is taken to see (x / 255 - 0.45) / 0.25
_SMALL_NETWORK = 2_000_000  # parameters; below, an unstated input size is 64 pixels, else 224
_SIZES = ("size", "crop_size", "pad_size")


class Preprocessing:
    """Turns PIL images into float32 `[N, channels, height, width]`.

    Args:
        processor: an image processor of `transformers`.
        channels: 3, or 1 for a model of grey images.
    """

    def __init__(self, processor: Any, channels: int = 3) -> None:
        self._processor = processor
        self._channels = channels

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes the pixels."""
        settings = json.dumps(self._processor.to_dict(), sort_keys=True, default=str)
        return hashlib.sha256(f"{self._channels}|{settings}".encode()).hexdigest()[:16]

    def __call__(self, images: Sequence[Image.Image]) -> list[np.ndarray]:
        """float32 `[channels, height, width]` of each image; all of one shape unless the processor keeps the ratio."""
        mode = "RGB" if self._channels == 3 else "L"
        given = [image.convert(mode).convert("RGB") for image in images]
        pixels = self._processor(images=given)["pixel_values"]
        return [np.asarray(one, dtype=np.float32)[: self._channels] for one in pixels]


def read_preprocessing(folder: Path, channels: int, own_side: int | None, params: int) -> Preprocessing:
    """The preprocessing of a folder's `preprocessor_config.json`, or the plain one where there is none.

    Args:
        channels: of the model's input, 1 or 3.
        own_side: `image_size` of its config.
        params: size of the model, which decides the input size if nothing states it.

    Raises:
        UnusableModelError: the file is there but cannot be followed.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return plain_preprocessing(own_side or (64 if params < _SMALL_NETWORK else 224), channels)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        _refuse_huge(settings)
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(
            folder, backend="pil", trust_remote_code=False, local_files_only=True
        )
    except UnusableModelError:
        raise
    except Exception as error:  # broken settings raise whatever comes to hand
        raise UnusableModelError(f"its preprocessor_config.json cannot be followed: {one_line(error)}") from error
    for key in ("image_mean", "image_std"):  # the images are fed as three equal channels, of which one is taken
        value = getattr(processor, key, None)
        if channels == 1 and isinstance(value, list | tuple) and len(value) == 1:
            setattr(processor, key, list(value) * 3)
    return Preprocessing(processor, channels)


def plain_preprocessing(
    side: int, channels: int = 3, mean: Any = _MEAN, std: Any = _STD, resized: int | None = None, resample: int = 2
) -> Preprocessing:
    """Resized to `side` pixels, bilinear unless told otherwise, and scaled; `resized` says to crop `side` from that.

    Raises:
        UnusableModelError: the side is none that can be fed.
    """
    from transformers import CLIPImageProcessorPil, ViTImageProcessorPil

    _refuse_huge({"size": side, "crop_size": resized})
    mean, std = ([v] * 3 if isinstance(v, int | float) else list(v) for v in (mean, std))
    processor: Any
    if resized is None:
        processor = ViTImageProcessorPil(
            size={"height": side, "width": side}, image_mean=mean, image_std=std, resample=resample
        )
    else:
        processor = CLIPImageProcessorPil(
            size={"shortest_edge": resized}, crop_size={"height": side, "width": side}, image_mean=mean,
            image_std=std, resample=resample,
        )  # fmt: skip
    return Preprocessing(processor, channels)


def _refuse_huge(settings: Any) -> None:
    if not isinstance(settings, dict):
        raise UnusableModelError("its preprocessor_config.json is no JSON object")
    for name in _SIZES:
        value = settings.get(name)
        for side in value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]:
            if side is None:
                continue
            if not isinstance(side, int) or not 0 < side <= LARGEST_SIDE:
                raise UnusableModelError(f"it wants images of {name} {str(side)[:20]}, not of 1 to {LARGEST_SIDE} px")
