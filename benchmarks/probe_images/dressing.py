"""Backgrounds, colours and distortions: what makes two images of one class differ.

Every function draws from the generator that it is given, so that a seed fixes all pixels.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

SIDE = 64
LARGE = 192  # images are drawn at three times their size, then reduced


def colour(rng: np.random.Generator, value: tuple[float, float] = (0.3, 1.0)) -> tuple[int, int, int]:
    """A random colour, `value` its brightness."""
    hue, saturation, brightness = rng.random(), rng.uniform(0.15, 1.0), rng.uniform(*value)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, brightness)
    return round(255 * red), round(255 * green), round(255 * blue)


def plain_pair(rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Ink and paper: mostly white on black or black on white, else a dark and a light colour, now and then swapped."""
    dark, light = colour(rng, (0.0, 0.35)), colour(rng, (0.85, 1.0))
    if rng.random() < 0.7:
        dark, light = (int(rng.integers(0, 40)),) * 3, (int(rng.integers(215, 256)),) * 3
    return (light, dark) if rng.random() < 0.5 else (dark, light)


def two_colours(rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Two colours that differ in brightness by at least 70 of 255."""
    while True:
        first, second = colour(rng, (0.05, 1.0)), colour(rng, (0.05, 1.0))
        if abs(sum(first) - sum(second)) > 210:
            return first, second


def noise(rng: np.random.Generator, side: int, slope: float, stretch: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """float `[side, side]` in 0 to 1: a random field whose amplitude falls as frequency to the power `-slope`."""
    rows, columns = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    turned = rows * np.cos(angle) + columns * np.sin(angle), (columns * np.cos(angle) - rows * np.sin(angle)) * stretch
    frequency = np.hypot(*turned)
    frequency[0, 0] = np.inf
    spectrum = frequency**-slope * np.exp(2j * np.pi * rng.random(frequency.shape))
    field = np.fft.irfft2(spectrum, (side, side))
    return (field - field.min()) / (np.ptp(field) + 1e-12)


def tinted(field: np.ndarray, dark: tuple[int, int, int], light: tuple[int, int, int]) -> Image.Image:
    """A field of 0 to 1 as an image between two colours."""
    low, high = np.asarray(dark, float), np.asarray(light, float)
    return Image.fromarray((low + field[..., None] * (high - low)).clip(0, 255).astype(np.uint8))


def background(rng: np.random.Generator, side: int = LARGE) -> Image.Image:
    """Plain, a gradient, or a cloud of colours."""
    kind = rng.integers(3)
    if kind == 0:
        return Image.new("RGB", (side, side), colour(rng, (0.0, 1.0)))
    if kind == 1:
        field = np.linspace(0, 1, side)[None, :] * rng.uniform(-1, 1) + np.linspace(0, 1, side)[:, None]
        return tinted(field, colour(rng), colour(rng))
    return tinted(noise(rng, side, rng.uniform(1.0, 2.2)), colour(rng), colour(rng))


def moved(
    image: Image.Image, rng: np.random.Generator, turn: float, scale: tuple[float, float], shift: float
) -> Image.Image:
    """Turned by up to `turn` degrees, scaled and shifted (share of the side) inside the same frame."""
    side = image.width
    angle = np.deg2rad(rng.uniform(-turn, turn))
    factor = 1.0 / rng.uniform(*scale)
    cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
    centre = side / 2
    away = rng.uniform(-shift, shift, 2) * side + centre
    terms = (cosine, -sine, centre - cosine * away[0] + sine * away[1], sine, cosine)
    last = centre - sine * away[0] - cosine * away[1]
    return image.transform((side, side), Image.Transform.AFFINE, (*terms, last), Image.Resampling.BICUBIC)


def pasted(mark: Image.Image, ground: Image.Image) -> Image.Image:
    """An image with transparency upon a background."""
    out = ground.convert("RGB").resize(mark.size)
    out.paste(mark.convert("RGB"), mask=mark.getchannel("A"))
    return out


def worn(image: Image.Image, rng: np.random.Generator, strength: float = 1.0) -> Image.Image:
    """As a camera might give it: other brightness, contrast and colour, some blur, some noise, now and then grey."""
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhancer(image).enhance(1.0 + strength * rng.uniform(-0.3, 0.3))
    if rng.random() < 0.15 * strength:
        image = ImageOps.grayscale(image).convert("RGB")
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(strength * rng.uniform(0, image.width / 64)))
    image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(image, float) + rng.normal(0, strength * rng.uniform(0, 6), (SIDE, SIDE, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
