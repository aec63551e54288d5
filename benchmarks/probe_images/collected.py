"""Tasks from packages with free licences: digits, letters, photographs, materials, clip art and emoji.

Sources and licences stand in `SOURCES`, checked in each package's own copyright file:
nothing here needs more than to be named, and the images are crops, renderings and distortions.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from .dressing import LARGE, SIDE, colour, moved, pasted, plain_pair, worn

SOURCES = {
    "digits": "scikit-learn's digits.csv.gz: E. Alpaydin and C. Kaynak (1998), UCI, CC BY 4.0",
    "letters": "glyphs of fonts: DejaVu (Bitstream Vera licence), STIX (OFL 1.1) and Computer Modern (BaKoMa) of "
    "matplotlib; Comic Neue, Dancing Script, Kristi, Lobster, Vollkorn, Yanone Kaffeesatz, Old Standard, Cabin "
    "of Debian (OFL 1.1). No font licence here binds pictures of letters",
    "photographs": "scikit-image's wheel: astronaut (NASA, public domain), camera (CC0, L. Varshney), chelsea "
    "and clock (CC0 and public domain, S. van der Walt), coffee (CC0, R. Michetti), coins (no known restrictions), "
    "rocket (SpaceX, public domain), retina (CC0), immunohistochemistry (no known restrictions), hubble (NASA, "
    "public domain)",
    "materials": "as photographs, with brick, grass and gravel (CC0, CC0Textures)",
    "clip art": "Debian's openclipart-png 0.18 (Open Clip Art Library, public domain dedication)",
    "emoji": "Debian's fonts-noto-color-emoji 2.042 (Google; images Apache-2.0, font OFL 1.1)",
}

LETTERS = ("A", "B", "E", "G", "K", "R", "e", "g", "s", "t")
PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "coins", "rocket", "retina", "hubble_deep_field",
               "clock_motion", "ihc")  # fmt: skip
MATERIALS = ("brick", "grass", "gravel", "chelsea", "coffee", "ihc", "retina", "coins", "hubble_deep_field",
             "astronaut", "camera", "rocket")  # fmt: skip
CLIP_ART = {
    "bird": "animals/birds", "mammal": "animals/mammals", "fruit": "food/fruit", "flower": "plants/flowers",
    "vehicle": "transportation/vehicles", "home": "buildings/homes", "computer": "computer/hardware",
}  # fmt: skip
SKETCHES = {
    "bird": "animals/birds", "bug": "animals/bugs", "fruit": "food/fruit", "dessert": "food/desserts",
    "vehicle": "transportation/vehicles", "home": "buildings/homes", "stick figure": "people/stickmen",
}  # fmt: skip
SYMBOLS = {
    "card": "recreation/games/cards/white", "smiley": "people/smilies", "stick figure": "people/stickmen",
    "arrow": "shapes/arrows", "road sign": "transportation/roadsigns", "jigsaw": "shapes/jigsaw",
    "weather": "signs_and_symbols/weather", "drink": "food/beverages",
}  # fmt: skip
EMOJI = {
    "face": "😀😃😄😁😆😅🙂😉😊😋😎😐😑😒😓😔😖😘😚😜😝😞😠😡😢😣😤😥😨😩😪😭😰😱",
    "animal": "🐀🐁🐂🐃🐄🐅🐆🐇🐈🐉🐊🐋🐌🐍🐎🐏🐐🐑🐒🐓🐔🐕🐖🐗🐘🐙🐛🐜🐝🐞🐟🐠🐡🐢🐣🐤🐦🐧🐨🐩🐪🐬",
    "plant": "🌱🌲🌳🌴🌵🌷🌸🌹🌺🌻🌼🌽🌾🌿🍀🍁🍂🍃🍄💐🌰🎄",
    "vehicle": "🚀🚁🚂🚃🚄🚅🚆🚇🚈🚉🚊🚌🚍🚎🚐🚑🚒🚓🚔🚕🚖🚗🚘🚙🚚🚛🚜🚲🚤🚢🛵",
    "building": "🏠🏡🏢🏣🏤🏥🏦🏨🏩🏪🏫🏬🏭🏯🏰💒🗼🗽⛪⛲🕌🕍🏟🏛",
    "clothing": "👒👓👔👕👖👗👘👙👚👛👜👝👞👟👠👡👢🎩🎓🧣🧤🧥🧦🧢🎒",
    "clock": "🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛🕜🕝🕞🕟🕠🕡🕢🕣🕤🕥🕦🕧",
}


def digit(value: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A scanned digit of eight pixels, enlarged, in two colours."""
    table = _digit_table()
    rows = np.flatnonzero(table[:, -1] == int(value))
    grey = table[int(rng.choice(rows)), :-1].reshape(8, 8) / 16.0
    mark = Image.fromarray((255 * grey).astype(np.uint8)).resize((LARGE - 48,) * 2, Image.Resampling.BICUBIC)
    alpha = Image.new("L", (LARGE, LARGE), 0)
    alpha.paste(mark, (24, 24))
    ink, paper = plain_pair(rng)
    layer = Image.new("RGBA", (LARGE, LARGE), ink)
    layer.putalpha(moved(alpha, rng, 8, (0.8, 1.1), 0.05))
    return worn(pasted(layer, Image.new("RGB", (SIDE, SIDE), paper)), rng, 0.5)


def _digit_table() -> np.ndarray:
    from importlib.util import find_spec

    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return np.loadtxt(Path(package.origin).parent / "datasets/data/digits.csv.gz", delimiter=",")


def letter(glyph: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A letter in any font, colour and place."""
    fonts = _fonts(packages)
    font = ImageFont.truetype(str(fonts[int(rng.integers(len(fonts)))]), int(rng.integers(110, 170)))
    mark = Image.new("RGBA", (LARGE, LARGE), (0, 0, 0, 0))
    ink, paper = plain_pair(rng)
    ImageDraw.Draw(mark).text((LARGE / 2, LARGE / 2), glyph, font=font, fill=ink, anchor="mm")
    ground = Image.new("RGB", (LARGE, LARGE), paper)
    return worn(pasted(moved(mark, rng, 10, (0.8, 1.1), 0.05), ground), rng, 0.6)


def _fonts(packages: Path) -> list[Path]:
    import matplotlib

    own = Path(matplotlib.__file__).parent / "mpl-data/fonts/ttf"
    plain = [
        path
        for path in own.glob("*.ttf")
        if re.match(r"DejaVuS(ans|erif)(Mono)?[-.]|STIXGeneral|cm(r|ss|tt|b|ti)10", path.name)
    ]
    debian = [path for kind in ("ttf", "otf") for path in (packages / "fonts").rglob(f"*.{kind}")]
    return sorted((path for path in plain + debian if "Display" not in path.name), key=lambda path: path.name)


def _crop(name: str, rng: np.random.Generator, packages: Path, share: tuple[float, float]) -> Image.Image:
    """A square of a photograph, turned and mirrored; `share` of its shorter side."""
    path = next((packages / "scikit-image").rglob(f"{name}.*"))
    image = Image.open(path).convert("RGB")
    side = min(image.size) * rng.uniform(*share)
    x, y = rng.uniform(0, image.width - side), rng.uniform(0, image.height - side)
    piece = image.resize((LARGE, LARGE), Image.Resampling.LANCZOS, box=(x, y, x + side, y + side))
    if rng.random() < 0.5:
        piece = ImageOps.mirror(piece)
    return moved(piece, rng, 12, (1.25, 1.4), 0.02)


def photograph(name: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A large part of a photograph; half of them grey, so that colour alone does not tell."""
    piece = _crop(name, rng, packages, (0.35, 0.8))
    return worn(_recoloured(piece, rng), rng, 1.2)


def material(name: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A small part of a photograph: what the thing is made of, not what it is."""
    piece = _crop(name, rng, packages, (0.15, 0.3))
    return worn(_recoloured(piece, rng), rng, 1.0)


def _recoloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.5:
        return ImageOps.grayscale(image).convert("RGB")
    bands = np.asarray(image, float) * rng.uniform(0.75, 1.25, 3)
    return Image.fromarray(bands.clip(0, 255).astype(np.uint8))


def clip_art(category: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A coloured drawing of a thing of the category, no two alike, on white or anything."""
    mark = _drawing(CLIP_ART[category], rng, packages)
    ground = Image.new("RGB", mark.size, _paper(rng))
    return worn(pasted(moved(mark, rng, 10, (0.8, 1.0), 0.04), ground), rng, 0.5)


def sketch(category: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """The outlines of a drawing, dark on light."""
    mark = _drawing(SKETCHES[category], rng, packages)
    grey = ImageOps.grayscale(pasted(mark, Image.new("RGB", mark.size, (255, 255, 255))))
    edges = grey.filter(ImageFilter.GaussianBlur(1.2)).filter(ImageFilter.FIND_EDGES).crop((3, 3, 189, 189))
    lines = ImageOps.invert(ImageOps.autocontrast(edges, cutoff=(0, 4))).resize((LARGE, LARGE)).convert("RGB")
    lines = lines.filter(ImageFilter.MinFilter(3))
    return worn(lines, rng, 0.4)


def symbol(category: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A sign or small drawing of a category, in colour or in one colour."""
    mark = _drawing(SYMBOLS[category], rng, packages)
    if rng.random() < 0.4:
        flat = Image.new("RGBA", mark.size, colour(rng, (0.0, 0.5)))
        flat.putalpha(mark.getchannel("A"))
        mark = flat
    ground = Image.new("RGB", mark.size, _paper(rng))
    return worn(pasted(moved(mark, rng, 15, (0.75, 1.0), 0.05), ground), rng, 0.6)


def _paper(rng: np.random.Generator) -> tuple[int, int, int]:
    """White, or now and then another light colour."""
    return (255, 255, 255) if rng.random() < 0.7 else colour(rng, (0.75, 1.0))


_given: set[Path] = set()


def _drawing(folder: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """A drawing of a folder that was not taken before, in a transparent square of 192 pixels."""
    paths = sorted((packages / "openclipart" / folder).rglob("*.png"))
    free = [path for path in paths if path not in _given] or paths
    path = free[int(rng.integers(len(free)))]
    _given.add(path)
    mark = Image.open(path).convert("RGBA")
    box = mark.getchannel("A").getbbox() or (0, 0, *mark.size)
    mark = ImageOps.contain(mark.crop(box), (LARGE - 12, LARGE - 12), Image.Resampling.LANCZOS)
    out = Image.new("RGBA", (LARGE, LARGE), (255, 255, 255, 0))
    out.paste(mark, ((LARGE - mark.width) // 2, (LARGE - mark.height) // 2))
    return out


def start_task() -> None:
    """Every drawing may be taken again: each task takes a drawing once, but two tasks may share it."""
    _given.clear()


def emoji(category: str, rng: np.random.Generator, packages: Path) -> Image.Image:
    """An emoji of the category on any ground."""
    signs = EMOJI[category]
    font = ImageFont.truetype(str(next((packages / "emoji").rglob("NotoColorEmoji.ttf"))), 109)
    page = Image.new("RGBA", (136, 128), (0, 0, 0, 0))
    sign = signs[int(rng.integers(len(signs)))]
    ImageDraw.Draw(page).text((0, 0), sign, font=font, embedded_color=True)
    mark = page.resize((LARGE, LARGE), Image.Resampling.LANCZOS)
    return worn(pasted(moved(mark, rng, 10, (0.75, 1.0), 0.05), Image.new("RGB", mark.size, _paper(rng))), rng, 0.5)
