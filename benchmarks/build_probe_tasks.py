"""Makes the labelled images that every model of a zoo is probed with, and the reference encoder's features of them.

    python benchmarks/build_probe_tasks.py --packages FOLDER

FOLDER holds unpacked packages (see `probe_images.collected.SOURCES` for what is taken and its licences):

    scikit-image/   unzip of the scikit-image 0.26 wheel
    openclipart/    usr/share/openclipart/png of Debian's openclipart-png
    emoji/          Debian's fonts-noto-color-emoji
    fonts/          Debian's fonts-cabin, -comic-neue, -dancingscript, -kristi, -lobster, -oldstandard, -vollkorn,
                    -yanone-kaffeesatz

`probe_tasks.parquet` and `probe_references.npz` are made once and checked in; their sha256 stand in
`hf_crosssight/tokens/probe_tasks.py` and `probe_references.py`. `--sheet PNG` draws some images of every task.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from probe_images import collected, drawn, scenes

SEED = 20
PER_TASK = 120
Draw = Callable[[str, np.random.Generator, Path], Image.Image]


def _by_rule(draw: Callable[[str, np.random.Generator], Image.Image]) -> Draw:
    return lambda kind, rng, _: draw(kind, rng)


TASKS: dict[str, tuple[tuple[str, ...], Draw]] = {
    "digits": (tuple("0123456789"), collected.digit),
    "letters": (collected.LETTERS, collected.letter),
    "strokes": (tuple(map(str, range(10))), _by_rule(drawn.draw_strokes)),
    "textures": (drawn.TEXTURES, _by_rule(drawn.draw_texture)),
    "materials": (collected.MATERIALS, collected.material),
    "lesions": (drawn.LESIONS, _by_rule(drawn.draw_lesion)),
    "shapes": (drawn.SHAPES, _by_rule(drawn.draw_shape)),
    "counts": (tuple("12345"), _by_rule(drawn.draw_count)),
    "objects": (scenes.OBJECTS, _by_rule(scenes.draw_object)),
    "scenes": (scenes.SCENES, _by_rule(scenes.draw_scene)),
    "photographs": (collected.PHOTOGRAPHS, collected.photograph),
    "clip art": (tuple(collected.CLIP_ART), collected.clip_art),
    "sketches": (tuple(collected.SKETCHES), collected.sketch),
    "symbols": (tuple(collected.SYMBOLS), collected.symbol),
    "emoji": (tuple(collected.EMOJI), collected.emoji),
}


def task_images(name: str, packages: Path, count: int = PER_TASK) -> tuple[list[Image.Image], list[int]]:
    """Images of a task and their classes, the classes taking turns."""
    classes, draw = TASKS[name]
    collected.start_task()
    images, labels = [], []
    for row in range(count):
        label = row % len(classes)
        rng = np.random.default_rng([SEED, sorted(TASKS).index(name), row])
        images.append(draw(classes[label], rng, packages).convert("RGB"))
        labels.append(label)
    return images, labels


def write(path: Path, tasks: dict[str, tuple[list[Image.Image], list[int]]], quality: int) -> str:
    """One row an image: task, class, WebP. Returns the file's sha256."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        (task, TASKS[task][0][label], _webp(image, quality))
        for task, (images, labels) in tasks.items()
        for image, label in zip(images, labels, strict=True)
    ]
    names, classes, data = zip(*rows, strict=True)
    table = pa.table(
        {"task": pa.array(names).dictionary_encode(), "label": pa.array(classes), "image": pa.array(data)}
    )
    sources = "; ".join(f"{name}: {text}" for name, text in collected.SOURCES.items())
    table = table.replace_schema_metadata({"sources": sources, "made by": "benchmarks/build_probe_tasks.py"})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", use_dictionary=["task", "label"])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def write_references(path: Path, tasks_file: Path, components: int = 64) -> str:
    """EfficientNet-Lite0's features of each task, in its principal components, float16. Returns the sha256."""
    from hf_crosssight.tokens.image_encoder import default_encoder
    from hf_crosssight.tokens.probe_tasks import read_tasks

    found = {}
    for task in read_tasks(tasks_file, hashlib.sha256(tasks_file.read_bytes()).hexdigest()):
        rows = default_encoder().encode([Image.fromarray(image) for image in task.images]).astype(np.float64)
        left, singular, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        scores = left[:, :components] * singular[:components]
        found[task.name] = (scores / np.abs(scores).max()).astype(np.float16)
    np.savez(path, **found)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def draw_sheet(path: Path, tasks: dict[str, tuple[list[Image.Image], list[int]]], columns: int = 24) -> None:
    """A row of images of each task."""
    page = Image.new("RGB", (columns * 66, len(tasks) * 66), (255, 255, 255))
    for row, (images, _) in enumerate(tasks.values()):
        for column, image in enumerate(images[:columns]):
            page.paste(image, (column * 66, row * 66))
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("hf_crosssight/assets"))
    parser.add_argument("--quality", type=int, default=80)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    tasks = {name: task_images(name, options.packages) for name in TASKS}
    file = options.out / "probe_tasks.parquet"
    digest = write(file, tasks, options.quality)
    print(f"{file}: {sum(len(i) for i, _ in tasks.values())} images, {file.stat().st_size:,} bytes, {digest}")
    references = options.out / "probe_references.npz"
    digest = write_references(references, file)
    print(f"{references}: {references.stat().st_size:,} bytes, {digest}")
    if options.sheet:
        draw_sheet(options.sheet, tasks)


if __name__ == "__main__":
    main()
