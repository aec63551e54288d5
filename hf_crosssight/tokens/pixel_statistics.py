"""What a dataset's pixels say: sizes, colour, light and how fine the detail is, each about -1 to 1.

Sizes come from the images as they are; the rest from a 64 px copy of each, so that a large image costs no more.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

PIXEL_STATS = (
    "log_side",  # median of log2(shorter side / 224) / 5
    "log_side_spread",  # its standard deviation over images
    "log_aspect",  # median of log2(width / height)
    "log_aspect_spread",
    "grey_share",  # images whose channels agree
    "saturation",  # mean of (max - min) / max over channels
    "red",
    "green",
    "blue",  # channel means, -1 to 1
    "brightness_spread",  # standard deviation over images of the mean luminance
    "contrast",  # mean over images of the standard deviation of luminance
    "border",  # mean absolute difference of luminance between the rim and the middle
    "slope",  # slope of the radial power spectrum of luminance (natural images: about -2), over 6
    "slope_spread",
)
_SIDE = 64


def pixel_stats(images: Iterable[Image.Image]) -> np.ndarray:
    """Statistics of one image or more: float64 `[len(PIXEL_STATS)]`, independent of the order of images."""
    rows = np.array([_describe(image) for image in images])
    side, aspect, grey, saturation, red, green, blue, light, contrast, border, slope = rows.T
    values = [
        np.median(side),
        side.std(),
        np.median(aspect),
        aspect.std(),
        grey.mean(),
        saturation.mean(),
        2 * red.mean() - 1,
        2 * green.mean() - 1,
        2 * blue.mean() - 1,
        2 * light.std(),
        2 * contrast.mean(),
        border.mean(),
        slope.mean(),
        slope.std(),
    ]
    return np.clip(np.array(values, dtype=np.float64), -1.5, 1.5)


def _describe(image: Image.Image) -> list[float]:
    """The eleven figures of one image, in the order that `pixel_stats` unpacks."""
    width, height = image.size
    small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    pixels = np.asarray(small, dtype=np.float64) / 255
    top, bottom = pixels.max(2), pixels.min(2)
    luminance = pixels @ np.array([0.299, 0.587, 0.114])
    quarter = _SIDE // 4
    middle = luminance[quarter:-quarter, quarter:-quarter].mean()
    rim = (luminance.sum() - middle * (_SIDE // 2) ** 2) / (_SIDE**2 - (_SIDE // 2) ** 2)
    return [
        float(np.log2(min(width, height) / 224) / 5),
        float(np.log2(width / height)),
        float((top - bottom).max() < 0.02),
        float(((top - bottom) / np.maximum(top, 1 / 255)).mean()),
        *(float(channel) for channel in pixels.mean((0, 1))),
        float(luminance.mean()),
        float(luminance.std()),
        float(abs(rim - middle)),
        _spectral_slope(luminance),
    ]


def _spectral_slope(luminance: np.ndarray) -> float:
    """Slope over 6 of log power against log frequency, 2 to 24 cycles an image; 0 for an image without detail."""
    window = np.hanning(_SIDE)
    centred = (luminance - luminance.mean()) * window[:, None] * window[None]
    power = np.abs(np.fft.fft2(centred)) ** 2 / _SIDE**2
    frequency = np.fft.fftfreq(_SIDE) * _SIDE
    radius = np.hypot(frequency[:, None], frequency[None]).round().astype(int)
    radial = np.bincount(radius.ravel(), weights=power.ravel()) / np.bincount(radius.ravel())
    band = np.arange(2, 25)
    floor = 1e-6  # what rounding to 8 bits leaves; keeps a flat image at slope 0
    slope = np.polyfit(np.log(band), np.log(radial[band] + floor), 1)[0]
    return float(slope / 6)
