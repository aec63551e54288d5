"""Tasks drawn by rule: textures, shapes, counts, strokes and lesions. No image here comes from anywhere.

Each `draw_*` function takes a class and a random generator and gives one image of 64 x 64 pixels.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .dressing import LARGE, colour, moved, noise, pasted, plain_pair, tinted, worn

TEXTURES = (
    "clouds", "grain", "fibres", "stripes", "checks", "dots", "cells", "bricks", "marble", "weave"
)  # fmt: skip
SHAPES = (
    "disc", "ring", "square", "triangle", "star", "cross", "crescent", "arrow", "heart", "drop"
)  # fmt: skip
LESIONS = ("round", "ragged", "two-tone", "dotted", "ringed", "scattered", "streaked")


def draw_texture(kind: str, rng: np.random.Generator) -> Image.Image:
    dark, light = plain_pair(rng)
    field = _texture_field(kind, rng)
    if rng.random() < 0.5:
        field = 1.0 - field
    return worn(moved(tinted(field, dark, light), rng, 0, (1.3, 1.9), 0.1), rng, 0.8)


def _texture_field(kind: str, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:LARGE, :LARGE] / LARGE
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(6, 14)
    along = rows * np.cos(angle) + columns * np.sin(angle)
    across = columns * np.cos(angle) - rows * np.sin(angle)
    wobble = noise(rng, LARGE, 2.0) * rng.uniform(0.02, 0.12)
    phase = 2 * np.pi * frequency
    if kind in ("clouds", "rough", "grain"):
        slope = {"clouds": 2.0, "rough": 1.3, "grain": 0.6}[kind] + rng.uniform(-0.2, 0.2)
        return noise(rng, LARGE, slope)
    if kind == "fibres":
        return noise(rng, LARGE, 1.3, stretch=rng.uniform(5, 10), angle=angle)
    if kind == "stripes":
        return (np.sin(phase * (along + wobble)) > rng.uniform(-0.4, 0.4)).astype(float)
    if kind == "waves":
        return 0.5 + 0.5 * np.sin(phase * (along + 0.06 * np.sin(2 * np.pi * 3 * across)))
    if kind == "checks":
        return ((np.sin(phase / 2 * (along + wobble)) * np.sin(phase / 2 * (across + wobble))) > 0).astype(float)
    if kind == "dots":
        return ((np.cos(phase * along) + np.cos(phase * across)) / 2 > rng.uniform(0.2, 0.6)).astype(float)
    if kind in ("cells", "marble"):
        nearest = _distances(rng, rows, columns, int(rng.integers(25, 70)))
        if kind == "cells":
            return np.clip((nearest[1] - nearest[0]) * 25, 0, 1)
        return 0.5 + 0.5 * np.sin(phase * (along + 3 * wobble + nearest[0]))
    if kind == "bricks":
        course = np.floor(along * frequency)
        joint = (along * frequency % 1 < 0.15) | ((across * frequency / 2 + course / 2) % 1 < 0.08)
        return np.where(joint, 0.0, 0.6 + 0.4 * noise(rng, LARGE, 1.2))
    over = np.sin(phase * along) > np.sin(phase * across)
    return np.where(over, 0.5 + 0.5 * np.cos(phase * along), 0.4 * (1 + np.cos(phase * across)))


def _distances(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, count: int) -> np.ndarray:
    """Distances to the two nearest of `count` random points `[2, side, side]`."""
    points = rng.random((count, 2))
    return np.sort([np.hypot(rows - row, columns - column) for row, column in points], axis=0)[:2]


def draw_shape(kind: str, rng: np.random.Generator) -> Image.Image:
    """A filled or outlined shape, with a few small discs that distract."""
    ink, paper = plain_pair(rng)
    ground = Image.new("RGB", (LARGE, LARGE), paper)
    pen = ImageDraw.Draw(ground)
    for _ in range(int(rng.integers(0, 4))):
        x, y, reach = *rng.uniform(0, LARGE, 2), rng.uniform(4, 12)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach * rng.uniform(0.2, 1)), fill=colour(rng))
    mark = Image.new("RGBA", (LARGE, LARGE), (0, 0, 0, 0))
    fill = None if rng.random() < 0.3 else (*ink, 255)
    _outline(ImageDraw.Draw(mark), kind, rng, fill, (*ink, 255))
    return worn(pasted(moved(mark, rng, 15, (0.65, 1.1), 0.08), ground), rng, 0.6)


def _outline(pen: ImageDraw.ImageDraw, kind: str, rng: np.random.Generator, fill: object, edge: object) -> None:
    width = int(rng.integers(5, 14))
    paint = {"fill": fill, "outline": edge, "width": width}
    middle, reach = LARGE / 2, LARGE * 0.4
    box = (middle - reach, middle - reach, middle + reach, middle + reach)
    if kind in ("disc", "ring"):
        pen.ellipse(box, **paint)
        if kind == "ring":
            inner = reach * rng.uniform(0.4, 0.6)
            pen.ellipse((middle - inner, middle - inner, middle + inner, middle + inner), fill=edge)
        return
    corners = [(middle + reach * x, middle + reach * y) for x, y in _corners(kind, rng)]
    pen.polygon(corners, **paint)


def _corners(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Corners of a shape in the square from -1 to 1."""
    if kind in ("square", "triangle", "pentagon"):
        count = {"square": 4, "triangle": 3, "pentagon": 5}[kind]
        return [(np.sin(2 * np.pi * i / count), -np.cos(2 * np.pi * i / count)) for i in range(count)]
    if kind in ("star", "gear"):
        points, inner = (5, 0.42) if kind == "star" else (9, 0.75)
        turns = np.pi * np.arange(2 * points) / points
        reach = np.where(np.arange(2 * points) % 2, inner, 1.0)
        return [(r * np.sin(t), -r * np.cos(t)) for t, r in zip(turns, reach, strict=True)]
    if kind == "cross":
        arm = rng.uniform(0.2, 0.35)
        quarter = [(arm, -1), (arm, -arm), (1, -arm)]
        return [_turned(point, i) for i in range(4) for point in quarter]
    if kind == "arrow":
        return [(0, -1), (0.8, 0), (0.3, 0), (0.3, 1), (-0.3, 1), (-0.3, 0), (-0.8, 0)]
    turns = np.linspace(0, 2 * np.pi, 60)
    if kind == "heart":
        x = np.sin(turns) ** 3
        y = (13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)) / 16
        return list(zip(x, -y, strict=True))
    if kind == "drop":
        return list(zip(np.sin(turns) * np.sin(turns / 2) ** 2 * 0.9, -np.cos(turns), strict=True))
    arc = np.linspace(-2.2, 2.2, 40)
    outer = [(np.cos(t) * -1, np.sin(t)) for t in arc]
    return outer + [(np.cos(t) * -0.85 + 0.35, np.sin(t) * 0.85) for t in arc[::-1]]


def _turned(point: tuple[float, float], quarters: int) -> tuple[float, float]:
    for _ in range(quarters):
        point = (-point[1], point[0])
    return point


def draw_count(number: str, rng: np.random.Generator) -> Image.Image:
    """As many discs or squares as the class says, apart from each other."""
    ink, paper = plain_pair(rng)
    ground = Image.new("RGB", (LARGE, LARGE), paper)
    pen = ImageDraw.Draw(ground)
    places: list[np.ndarray] = []
    reach = rng.uniform(17, 23)
    while len(places) < int(number):
        place = rng.uniform(reach, LARGE - reach, 2)
        if all(np.hypot(*(place - other)) > 2.2 * reach for other in places):
            places.append(place)
    square = rng.random() < 0.5
    for x, y in places:
        size = reach * rng.uniform(0.8, 1.0)
        (pen.rectangle if square else pen.ellipse)((x - size, y - size, x + size, y + size), fill=ink)
    return worn(ground, rng, 0.6)


def draw_strokes(prototype: str, rng: np.random.Generator) -> Image.Image:
    """A character of an invented script: strokes fixed by its name, written by another hand each time."""
    form = np.random.default_rng([int(prototype), 97])
    ink, paper = plain_pair(rng)
    page = Image.new("RGB", (LARGE, LARGE), paper)
    pen = ImageDraw.Draw(page)
    width = int(rng.integers(5, 13))
    slant, size = rng.normal(0, 0.15), rng.uniform(0.75, 1.0, 2)
    for _ in range(int(form.integers(2, 4))):
        knots = form.uniform(-1, 1, (4, 2)) + rng.normal(0, 0.1, (4, 2))
        steps = np.linspace(0, 1, 24)[:, None]
        curve = (
            (1 - steps) ** 3 * knots[0] + 3 * steps * (1 - steps) ** 2 * knots[1]
            + 3 * steps**2 * (1 - steps) * knots[2] + steps**3 * knots[3]
        )  # fmt: skip
        curve[:, 0] += slant * curve[:, 1]
        points = [(LARGE * (0.5 + 0.42 * size[0] * x), LARGE * (0.5 + 0.42 * size[1] * y)) for x, y in curve]
        pen.line(points, fill=ink, width=width, joint="curve")
    return worn(page, rng, 0.6)


def draw_lesion(kind: str, rng: np.random.Generator) -> Image.Image:
    """A blemish on skin-like ground; the classes differ in border and inner structure, not in place or colour."""
    skin = (int(rng.integers(205, 245)), int(rng.integers(160, 190)), int(rng.integers(135, 165)))
    ground = np.asarray(tinted(noise(rng, LARGE, 1.6), tuple(int(0.85 * v) for v in skin), skin), float)
    rows, columns = np.mgrid[:LARGE, :LARGE] / LARGE - 0.5
    x, y = rng.uniform(-0.05, 0.05, 2)
    angle, far = np.arctan2(rows - y, columns - x), np.hypot(rows - y, (columns - x) * rng.uniform(0.8, 1.25))
    ragged = 0.25 if kind in ("ragged", "streaked") else 0.05
    border = rng.uniform(0.24, 0.34) * (1 + ragged * sum(np.sin(n * angle + rng.uniform(0, 6)) / 2 for n in (3, 5, 8)))
    depth = np.clip((border - far) * 30, 0, 1)
    inner = _lesion_inside(kind, rng, far / border, angle)
    if kind == "scattered":
        depth = depth * (noise(rng, LARGE, 1.4) > 0.5)
    dark = np.asarray(skin, float) * rng.uniform(0.25, 0.45) * rng.uniform(0.9, 1.1, 3)
    mixed = ground + (depth * inner)[..., None] * (dark - ground)
    return worn(Image.fromarray(mixed.clip(0, 255).astype(np.uint8)), rng, 0.7)


def _lesion_inside(kind: str, rng: np.random.Generator, far: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """How dark it is within `[side, side]`, 0 to 1."""
    if kind == "two-tone":
        return np.where(np.sin(angle + rng.uniform(0, 6)) > 0, 1.0, 0.45)
    if kind == "dotted":
        return 0.5 + 0.5 * (noise(rng, LARGE, 0.9) > 0.6)
    if kind == "ringed":
        return np.where(np.abs(far - 0.75) < 0.2, 1.0, 0.4)
    if kind == "streaked":
        return 0.6 + 0.4 * np.sin(int(rng.integers(7, 14)) * angle)
    return np.full_like(far, 0.85)
