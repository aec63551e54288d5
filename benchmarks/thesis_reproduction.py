"""The thesis, reproduced: its ranker, loss and schedule on our zoo, by its score formula and by real fine-tuning.

    python benchmarks/thesis_reproduction.py --datasets FOLDER --out FOLDER
        [--table benchmarks/ground_truth/table] [--parts quadrants,h1,...] [--write]

Every cell (a network, a model token, a ground truth, a fold) is written to `--out` when it is done, so that a killed
run goes on; `--write` puts the tables of all cells that are done into benchmarks/RESULTS.md, pictures of the training
curves lie in `--out`. One core: about a quarter of a minute a cell; tokens of the images take three minutes, once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from evidence.results_file import replace_section
from thesis.cells import (
    CROSS_1,
    MODEL_SPIDER,
    SELF_1,
    SELF_6,
    Cell,
    Material,
    is_done,
    result_of,
)
from thesis.curves import draw_curves
from thesis.heuristics import SLIDES, write_scores
from thesis.images import read_images, views_of
from thesis.model_tokens import CONTRASTIVE, LEARNED, NONE, STATISTICS, CodeFiles
from thesis.report import HEADING, section
from thesis.setting import FORMULA, FULL, HEAD, TRUTHS, Setting, read_setting

HERE = Path(__file__).parent
FOLDS, SIZES = 3, (3, 6, 10, 20)
QUADRANTS, H1, H2, ENCODERS, GROWING, COMPARED = "quadrants", "h1", "h2", "encoders", "growing", "slides"
PARTS = (QUADRANTS, H1, H2, ENCODERS, GROWING, COMPARED)


def cells_of(part: str, ablation_folds: int) -> Iterator[Cell]:
    """The cells of a part, in the order in which they are run."""
    if part == QUADRANTS:
        for fold in range(FOLDS):
            for truth in TRUTHS:
                yield Cell(truth, fold)
                yield Cell(truth, fold, MODEL_SPIDER, LEARNED)
        return
    if part == COMPARED:
        for fold in range(FOLDS):
            yield Cell(FULL, fold, without=SLIDES)
            yield Cell(FULL, fold, MODEL_SPIDER, LEARNED, without=SLIDES)
        return
    for fold in range(ablation_folds):
        for truth in (FORMULA, HEAD):
            if part == H1:
                yield from (Cell(truth, fold, network) for network in (SELF_6, CROSS_1, SELF_1))
            if part == H2:
                yield Cell(truth, fold, token=LEARNED)
            if part == ENCODERS:
                yield from (Cell(truth, fold, token=token) for token in (STATISTICS, CONTRASTIVE, NONE))
        if part == GROWING:
            for size in SIZES:
                yield Cell(HEAD, fold, zoo_size=size)
                yield Cell(HEAD, fold, MODEL_SPIDER, LEARNED, zoo_size=size)


def main() -> None:
    """Runs what is left of the parts asked for and reports all that is done."""
    options = _options()
    torch.set_num_threads(1)
    setting = read_setting(options.index, options.table, options.zoo / "members.csv")
    views = {}
    for key in setting.datasets:
        halves = read_images(options.datasets, key.rpartition("/")[2])
        views[key] = views_of(halves, options.out / "tokens")
    codes = CodeFiles(options.zoo, setting.zoo.model_ids, options.out / "codes")
    material = Material(setting, views, codes, options.steps, options.batch, options.out)
    for part in filter(None, options.parts.split(",")):
        for cell in cells_of(part, options.ablation_folds):
            result_of(cell, material)
        if part == COMPARED:
            _run_heuristics(setting, options)
    done = {part: [cell for cell in cells_of(part, FOLDS) if is_done(cell, material)] for part in PARTS}
    text = section(material, done)
    draw_curves(material, [cell for cells in done.values() for cell in cells], options.out)
    print(text)
    if options.write:
        replace_section(HEADING, text)


def _run_heuristics(setting: Setting, options: argparse.Namespace) -> None:
    """Every fully fine-tuned model on both datasets of the slides."""
    for model in setting.tables[FULL].models:
        for folder in SLIDES:
            write_scores(options.out, options.zoo, options.datasets, folder, model, setting.sources[model][0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--index", type=Path, default=HERE / "ground_truth" / "zoo_index", help="zoo's index")
    parser.add_argument("--zoo", type=Path, default=HERE / "zoo", help="the zoo's models and members.csv")
    parser.add_argument("--table", type=Path, default=HERE / "ground_truth" / "table", help="fine-tuning results")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of datasets")
    parser.add_argument("--out", type=Path, required=True, help="folder of results, tokens, codes and pictures")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to run, of " + ", ".join(PARTS))
    parser.add_argument("--steps", type=int, default=150, help="updates of a training")
    parser.add_argument("--batch", type=int, default=4, help="datasets in an update")
    parser.add_argument("--ablation-folds", type=int, default=1, help="folds (each with a seed) of the ablations")
    parser.add_argument("--write", action="store_true", help="write the section of RESULTS.md")
    options = parser.parse_args()
    unknown = set(options.parts.split(",")) - set(PARTS) - {""}
    if unknown:
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
