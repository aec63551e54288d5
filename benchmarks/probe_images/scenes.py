"""Tasks drawn by rule: landscapes and streets, and silhouettes of things."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .dressing import LARGE, SIDE, colour, moved, noise, pasted, plain_pair, tinted, two_colours, worn

SCENES = ("mountains", "sea", "forest", "street", "field", "houses", "desert", "snow")
OBJECTS = ("bottle", "cup", "shirt", "trousers", "shoe", "bag", "hat", "dress", "chair", "lamp", "fish", "car")


def draw_scene(kind: str, rng: np.random.Generator) -> Image.Image:
    """A landscape or a street under a sky, by day, dusk or fog."""
    light = rng.uniform(0.45, 1.0)
    high, low = (tuple(int(light * v) for v in tone) for tone in ((110, 160, 230), (225, 225, 235)))
    if rng.random() < 0.3:
        high, low = colour(rng, (0.3, 0.8)), colour(rng, (0.5, 1.0))
    sky = np.linspace(0, 1, LARGE)[:, None] + 0.3 * noise(rng, LARGE, 2.0)
    page = tinted(sky.clip(0, 1), high, low)
    pen = ImageDraw.Draw(page)
    horizon = LARGE * rng.uniform(0.4, 0.7)
    _SCENES[kind](page, pen, horizon, light, rng)
    return worn(page.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5))), rng)


def _ridge(pen: ImageDraw.ImageDraw, base: float, height: float, rough: float, fill: object, rng: np.random.Generator):
    line = noise(rng, LARGE, rough)[0]
    points = [(x, base - height * line[x]) for x in range(LARGE)]
    pen.polygon([(0, LARGE), *points, (LARGE, LARGE)], fill=fill)


def _tone(red: float, green: float, blue: float, light: float, rng: np.random.Generator) -> tuple[int, int, int]:
    shade = light * rng.uniform(0.75, 1.2, 3) * (red, green, blue)
    return int(min(shade[0], 255)), int(min(shade[1], 255)), int(min(shade[2], 255))


def _mountains(page, pen, horizon, light, rng):
    for step in range(int(rng.integers(2, 4))):
        grey = 150 - 35 * step
        _ridge(pen, horizon + 22 * step, rng.uniform(50, 110), 1.7, _tone(grey * 0.9, grey, grey, light, rng), rng)


def _sea(page, pen, horizon, light, rng):
    waves = noise(rng, LARGE, 1.4, stretch=0.15, angle=0.0)
    water = tinted(waves, _tone(20, 60, 100, light, rng), _tone(110, 160, 190, light, rng))
    page.paste(water, (0, int(horizon)))


def _forest(page, pen, horizon, light, rng):
    _ridge(pen, horizon, 20, 1.5, _tone(40, 80, 30, light, rng), rng)
    for x in rng.uniform(0, LARGE, int(rng.integers(12, 24))):
        top, wide, green = horizon - rng.uniform(30, 100), rng.uniform(8, 22), _tone(30, 90, 40, light, rng)
        pen.rectangle((x - 2, top, x + 2, LARGE), fill=_tone(70, 50, 35, light, rng))
        for y in np.arange(top, horizon + 25, 14):
            reach = wide * (0.4 + 0.6 * (y - top) / (horizon + 25 - top))
            pen.polygon([(x, y - 14), (x - reach, y + 10), (x + reach, y + 10)], fill=green)


def _street(page, pen, horizon, light, rng):
    vanish = LARGE * rng.uniform(0.35, 0.65)
    pen.polygon([(vanish, horizon), (0, LARGE), (LARGE, LARGE)], fill=_tone(90, 90, 95, light, rng))
    for side in (0, LARGE):
        x = float(side)
        while abs(x - vanish) > 12:
            wide = abs(x - vanish) * rng.uniform(0.25, 0.45)
            inward = x + wide if side == 0 else x - wide
            top = horizon - abs(x - vanish) * rng.uniform(0.6, 1.6)
            foot = horizon + abs(x - vanish) * 0.8
            box = [(x, top), (inward, top + wide * 0.3), (inward, foot - wide * 0.6), (x, foot)]
            pen.polygon(box, fill=_tone(150, 120, 105, light, rng), outline=_tone(60, 50, 50, light, rng))
            x = inward


def _field(page, pen, horizon, light, rng):
    rows, columns = np.mgrid[:LARGE, :LARGE] / LARGE
    furrows = 0.5 + 0.5 * np.sin((columns - rng.random()) / (rows + 0.15) * rng.uniform(8, 25))
    soil = tinted(0.6 * furrows + 0.4 * noise(rng, LARGE, 1.0), *two_colours(rng)) if rng.random() < 0.3 else tinted(
        0.6 * furrows + 0.4 * noise(rng, LARGE, 1.0), _tone(80, 90, 30, light, rng), _tone(190, 180, 80, light, rng)
    )  # fmt: skip
    page.paste(soil, (0, int(horizon)))


def _houses(page, pen, horizon, light, rng):
    pen.rectangle((0, horizon + 20, LARGE, LARGE), fill=_tone(110, 120, 90, light, rng))
    x = rng.uniform(-20, 0)
    while x < LARGE:
        wide, tall = rng.uniform(25, 60), rng.uniform(35, 120)
        top, wall = horizon + 22 - tall, _tone(190, 160, 130, light, rng)
        pen.rectangle((x, top, x + wide, horizon + 22), fill=wall)
        if rng.random() < 0.5:
            pen.polygon([(x - 4, top), (x + wide / 2, top - 24), (x + wide + 4, top)], fill=colour(rng, (0.2, 0.7)))
        for row in np.arange(top + 8, horizon + 8, 18):
            for column in np.arange(x + 6, x + wide - 8, 14):
                pen.rectangle((column, row, column + 7, row + 9), fill=_tone(60, 70, 90, light, rng))
        x += wide + rng.uniform(0, 10)


def _desert(page, pen, horizon, light, rng):
    for step in range(3):
        sand = _tone(215 - 20 * step, 175 - 20 * step, 110 - 15 * step, light, rng)
        _ridge(pen, horizon + 35 * step, rng.uniform(20, 45), 2.4, sand, rng)


def _snow(page, pen, horizon, light, rng):
    _ridge(pen, horizon, rng.uniform(40, 90), 1.8, _tone(190, 205, 225, light, rng), rng)
    ice = tinted(noise(rng, LARGE, 1.5, stretch=3.0), _tone(170, 190, 215, light, rng), (250, 250, 255))
    page.paste(ice, (0, int(horizon + 15)))


_SCENES = {
    "mountains": _mountains, "sea": _sea, "forest": _forest, "street": _street, "field": _field,
    "houses": _houses, "desert": _desert, "snow": _snow,
}  # fmt: skip


def draw_object(kind: str, rng: np.random.Generator) -> Image.Image:
    """A simple grey or coloured silhouette of a thing, shaded, on a plain dark or light ground."""
    mark = Image.new("L", (LARGE, LARGE), 0)
    _silhouette(ImageDraw.Draw(mark), kind, rng)
    mark = moved(mark.filter(ImageFilter.GaussianBlur(1)), rng, 12, (0.75, 1.15), 0.06)
    ink, paper = plain_pair(rng)
    cloth = tinted(0.55 + 0.45 * noise(rng, LARGE, rng.uniform(0.8, 2.2)), paper, ink)
    cloth.putalpha(mark)
    return worn(pasted(cloth, Image.new("RGB", (SIDE, SIDE), paper)), rng, 0.6)


def _silhouette(pen: ImageDraw.ImageDraw, kind: str, rng: np.random.Generator) -> None:
    """White on black in a frame of 192 pixels; proportions vary."""
    u = rng.uniform

    def box(x0: float, y0: float, x1: float, y1: float, ellipse: bool = False, fill: int = 255) -> None:
        (pen.ellipse if ellipse else pen.rectangle)(
            (96 + min(x0, x1), 96 + min(y0, y1), 96 + max(x0, x1), 96 + max(y0, y1)), fill=fill
        )

    def poly(*points: tuple[float, float]) -> None:
        pen.polygon([(96 + x, 96 + y) for x, y in points], fill=255)

    if kind == "bottle":
        w, n, s = u(20, 32), u(7, 12), u(-35, -10)
        box(-w, s + 15, w, 80)
        box(-n, -80, n, s + 20)
        box(-w, s, w, s + 40, ellipse=True)
    elif kind == "cup":
        w, t = u(35, 50), u(-40, -20)
        poly((-w, t), (w, t), (w * u(0.6, 0.9), 60), (-w * 0.75, 60))
        box(w - 12, t + 10, w + 30, t + 60, ellipse=True)
        box(w - 4, t + 22, w + 18, t + 48, ellipse=True, fill=0)
    elif kind in ("shirt", "dress"):
        w, sleeve, hem = u(28, 40), u(25, 70), 60 if kind == "shirt" else 82
        flare = w * (u(0.95, 1.1) if kind == "shirt" else u(1.3, 1.9))
        if kind == "shirt" or rng.random() < 0.4:
            poly((-w, -60), (w, -60), (w + 35, -60 + sleeve), (w + 15, -50 + sleeve), (w, -25), (-w, -25),
                 (-w - 15, -50 + sleeve), (-w - 35, -60 + sleeve))  # fmt: skip
        poly((-w, -60), (w, -60), (w * 0.85, 0), (flare, hem), (-flare, hem), (-w * 0.85, 0))
        box(-12, -70, 12, -52, ellipse=True, fill=0)
    elif kind == "trousers":
        w, gap, foot = u(28, 40), u(3, 12), u(10, 24)
        poly((-w, -80), (w, -80), (w + 4, -40), (gap + foot * 2, 80), (gap, 80), (0, -30), (-gap, 80),
             (-gap - foot * 2, 80), (-w - 4, -40))  # fmt: skip
    elif kind == "shoe":
        heel, toe = u(10, 45), u(10, 25)
        poly((-75, -heel), (-35, -heel - 10), (-10, 5), (55, toe), (78, 35), (78, 45), (-75, 45))
    elif kind == "bag":
        w, t = u(40, 65), u(-30, -5)
        box(-w * 0.6, t - 45, w * 0.6, t + 40, ellipse=True)
        box(-w * 0.6 + 10, t - 35, w * 0.6 - 10, t + 40, ellipse=True, fill=0)
        poly((-w, t), (w, t), (w * u(0.9, 1.15), 65), (-w * u(0.9, 1.15), 65))
    elif kind == "hat":
        w, t = u(55, 80), u(-55, -25)
        box(-w, 15, w, 15 + u(18, 34), ellipse=True)
        box(-w * 0.55, t, w * 0.55, 28)
        box(-w * 0.55, t - u(5, 30), w * 0.55, t + 30, ellipse=True)
    elif kind == "chair":
        w, s = u(30, 42), u(0, 20)
        box(-w, s, w, s + 12)
        box(-w, -80, -w + 10, 80)
        box(w - 10, s, w, 80)
        box(-w, -80, -w + u(10, 16), s)
        if rng.random() < 0.5:
            box(w - 10, -80, w, s)
            box(-w, -75, w, -50)
    elif kind == "lamp":
        w = u(30, 55)
        poly((-w * 0.5, -80), (w * 0.5, -80), (w, -15), (-w, -15))
        box(-5, -15, 5, 65)
        box(-w * 0.7, 60, w * 0.7, 78, ellipse=True)
    elif kind == "fish":
        h = u(22, 42)
        box(-60, -h, 45, h, ellipse=True)
        poly((30, 0), (80, -h), (68, 0), (80, h))
    else:
        t, b = u(-45, -25), u(20, 30)
        poly((-80, 0), (-45, -4), (-28, t), (u(15, 45), t), (52, -4), (82, 5), (82, b), (-80, b))
        for x in (-45, 45):
            box(x - 18, b - 14, x + 18, b + 22, ellipse=True)
            box(x - 8, b - 4, x + 8, b + 12, ellipse=True, fill=120)
