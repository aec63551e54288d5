"""The section of the results file: quadrants, images a class, hypotheses, encoders, growing zoo, as far as done."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import torch

from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.report import Outcome, bootstrap_interval, markdown_table

from .cells import (
    CROSS_1,
    CROSS_6,
    MODEL_SPIDER,
    OTHER_DATASET,
    PARAMETERS,
    SELF_1,
    SELF_6,
    SIMILARITY,
    STATIC,
    Cell,
    Material,
    references,
    result_of,
)
from .heuristics import COUNTS as HEURISTIC_COUNTS
from .heuristics import SLIDES, heuristic_outcomes
from .images import COUNTS
from .model_tokens import AUTOENCODER, CONTRASTIVE, LEARNED, NONE, STATISTICS
from .setting import FORMULA, FULL, HEAD, MODEL_SPIDER_QUADRANT, QUADRANTS, STAND_INS, TRUTHS, key_of

HEADING = "## The thesis, reproduced"
_FEW, _MANY = str(COUNTS[0]), str(COUNTS[-1])
_TAU, _KENDALL = "weighted_tau", "kendall_tau"
_TRUTHS = {
    FORMULA: "the thesis' formula",
    HEAD: "measured, linear head on frozen features",
    "full": "measured, full fine-tuning",
}
_TOKENS = {
    AUTOENCODER: "autoencoder's code of the weights (thesis)",
    STATISTICS: "statistics of the weights",
    CONTRASTIVE: "code of the contrastive encoder",
    NONE: "none: structure alone",
    LEARNED: "learned, one a model",
}
_NETWORKS = {
    CROSS_6: "cross-attention, six layers (thesis)",
    SELF_6: "self-attention over both, six layers",
    CROSS_1: "cross-attention, one layer",
    SELF_1: "self-attention over both, one layer",
}
_HEAD = ["", *(quadrant for quadrant in QUADRANTS)]
Found = dict[tuple[str, str, str, int | None], list[Outcome]]


def section(material: Material, done: Mapping[str, Sequence[Cell]]) -> str:
    """The whole section as markdown."""
    found: Found = {}
    for cell in dict.fromkeys(cell for cells in done.values() for cell in cells if not cell.without):
        key = (cell.truth, cell.network, cell.token, cell.zoo_size)
        found.setdefault(key, []).extend(result_of(cell, material))
    lines = [HEADING, "", *_intro(material)]
    for truth in TRUTHS:
        if (truth, CROSS_6, AUTOENCODER, None) in found:
            lines += [f"### Four quadrants: {_TRUTHS[truth]}", "", *_quadrants(material, found, truth), ""]
    lines += ["### Images a class", "", *_images(found), ""]
    networks = [((network, AUTOENCODER), name) for network, name in _NETWORKS.items()]
    tokens = [((CROSS_6, token), name) for token, name in _TOKENS.items()]
    lines += _ablation(found, "H1: cross-attention, and six layers", networks)
    lines += _ablation(found, "H2 and the encoder: what a model's token is", tokens)
    compared = [cell for cells in done.values() for cell in cells if cell.without]
    return "\n".join([*lines, *_growing(found), *_slides(material, compared)]).rstrip() + "\n"


def _intro(material: Material) -> list[str]:
    setting = material.setting
    stand_ins = ", ".join(f"{name} → {folder}" for name, folder in STAND_INS.items())
    folds = setting.folds(HEAD)
    known, blind = len(setting.tables[HEAD].models) - len(folds[0].models), len(folds[0].models)
    return [
        "`python benchmarks/thesis_reproduction.py --datasets FOLDER --out FOLDER --write`",
        "",
        f"{date.today().isoformat()}, {platform.machine()}, {os.cpu_count()} cores (one used), torch "
        f"{torch.__version__}.",
        "",
        f"Eleven training datasets of three domains and five blind ones; {known} known and {blind} blind models "
        "(whole lineages are blind, other ones with each seed, so that one more or less is known). The preset "
        "`thesis`: six encoder and six decoder layers, width 256, ListMLE on sigmoid scores, temperature from 1 to "
        f"0.1; {material.steps} updates of {material.batch} datasets, where the thesis made millions. There is no "
        "validation: every update is made, and nothing is chosen on blind datasets or models. Model token: the code "
        "of an autoencoder of the weights that was trained without the blind models and their kin. Tested with images "
        "that were not learnt from; one image a class is the mean of three draws.",
        "",
        f"Stand-ins, where the thesis' images are missing: {stand_ins}. The zoo is our lineage zoo of small networks, "
        "not the thesis' own. For the formula and for frozen features its models are those whose source is one of the "
        "eleven, and a model's own source counts among its targets, as in the thesis; `full` has all 36 fine-tuned "
        "models on those of the sixteen datasets that were fine-tuned on.",
        "",
        "Cells: weighted tau / Kendall's tau, mean over datasets and seeds, and the 90 % interval of weighted tau by "
        "a bootstrap over datasets. *Another dataset's tokens*: the same ranker is shown other datasets; one that "
        "uses the dataset falls. Model Spider has no token for a blind model.",
        "",
    ]  # fmt: skip


def _quadrants(material: Material, found: Found, truth: str) -> list[str]:
    own = found[truth, CROSS_6, AUTOENCODER, None]
    folds = sorted({outcome.seed for outcome in own})
    plain = [outcome for fold in folds for outcome in references(Cell(truth, fold), material)]
    spider = found.get((truth, MODEL_SPIDER, LEARNED, None), [])
    rows = [
        ("ranker of the thesis, 10 images a class", _method(own, _MANY)),
        ("the same, 1 image a class", _method(own, _FEW)),
        ("the same, another dataset's tokens", _method(own, OTHER_DATASET)),
        ("Model Spider, 10 images a class", _method(spider, _MANY)),
        ("Model Spider, 1 image a class", _method(spider, _FEW)),
        *((name, _method(plain, name)) for name in (STATIC, PARAMETERS, SIMILARITY)),
    ]
    shown = [(name, outcomes) for name, outcomes in rows if outcomes]
    table = markdown_table(_HEAD, [[name, *(_figures(outcomes, q) for q in QUADRANTS)] for name, outcomes in shown])
    differences = []
    for name, outcomes in shown[2:]:
        differences.append([f"less {name}", *(_difference(shown[0][1], outcomes, q) for q in QUADRANTS)])
    said = "Ranker with 10 images a class, paired by dataset, weighted tau:"
    return [f"{len(folds)} seeds.", "", table, "", said, "", markdown_table(_HEAD, differences)]


def _images(found: Found) -> list[str]:
    rows = []
    for truth in TRUTHS:
        own = found.get((truth, CROSS_6, AUTOENCODER, None), [])
        for quadrant in QUADRANTS if own else ():
            cells = [_mean([o for o in _method(own, str(count)) if o.quadrant == quadrant], _TAU) for count in COUNTS]
            rows.append([f"{_TRUTHS[truth]}, {quadrant}", *cells])
    return [markdown_table(["weighted tau with", *(f"{count} a class" for count in COUNTS)], rows)]


def _ablation(found: Found, title: str, variants: Sequence[tuple[tuple[str, str], str]]) -> list[str]:
    lines = [f"### {title}", ""]
    for truth in (FORMULA, HEAD):
        kept = {key: found[truth, *key, None] for key, _ in variants if (truth, *key, None) in found}
        if len(kept) < 2:
            continue
        shared = set.intersection(*({o.seed for o in outcomes} for outcomes in kept.values()))
        kept = {key: [o for o in _method(outcomes, _MANY) if o.seed in shared] for key, outcomes in kept.items()}
        first = kept[CROSS_6, AUTOENCODER]
        said = f"Ground truth: {_TRUTHS[truth]}; {len(shared)} seeds; 10 images a class."
        lines += [f"{said} *Less*: the thesis' own less the variant, paired by dataset.", ""]
        named = [(name, kept[key]) for key, name in variants if key in kept]
        rows = [[name, *(_figures(outcomes, q) for q in QUADRANTS)] for name, outcomes in named]
        rows += [
            [f"less {name}", *(_difference(first, outcomes, q) for q in QUADRANTS)]
            for name, outcomes in named
            if outcomes is not first
        ]
        lines += [markdown_table(_HEAD, rows), ""]
    return lines if len(lines) > 2 else []


def _growing(found: Found) -> list[str]:
    """Both rankers with growing zoos; taus of zoos of different sizes are means over other models."""
    sizes = sorted({key[3] for key in found if key[3] is not None})
    if not sizes:
        return []
    shown: list[int | None] = [*sizes, None]
    seeds = {o.seed for key, outcomes in found.items() if key[3] is not None for o in outcomes}
    rows = []
    for network, token, name in (
        (CROSS_6, AUTOENCODER, "ranker of the thesis"),
        (MODEL_SPIDER, LEARNED, "Model Spider"),
    ):
        for quadrant in QUADRANTS:
            groups = [found.get((HEAD, network, token, size), []) for size in shown]
            cells = [
                _mean([o for o in _method(own, _MANY) if o.quadrant == quadrant and o.seed in seeds], _TAU)
                for own in groups
            ]
            if any(cell != "-" for cell in cells):
                rows.append([f"{name}, {quadrant}", *cells])
    table = markdown_table(["weighted tau with", *(f"{size or 'all'} models" for size in shown)], rows)
    said = f"Ground truth: {_TRUTHS[HEAD]}; {len(seeds)} seeds; blind models are always the same."
    return ["### The zoo grows", "", said, "", table, ""]


def _slides(material: Material, cells: Sequence[Cell]) -> list[str]:
    """Both rankers and all heuristics on the two datasets of the slides, which no ranker has learnt from."""
    if not cells:
        return []
    folds = sorted({cell.fold for cell in cells})
    found: dict[str, list[Outcome]] = {}
    for cell in cells:
        name = "Model Spider" if cell.network == MODEL_SPIDER else "ranker of the thesis"
        for one in result_of(cell, material):
            found.setdefault(f"{name}, {one.method}", []).append(one)
    for fold in folds:
        cell = Cell(FULL, fold, without=SLIDES)
        for one in (*references(cell, material), *heuristic_outcomes(cell, material)):
            found.setdefault(one.method, []).append(one)
    names = dict.fromkeys(name.rpartition(", ")[0] or name for name in found)
    shown = [(folder, count) for folder in SLIDES for count in HEURISTIC_COUNTS]
    rows = []
    for name in names:
        cells_of_row = []
        for folder, count in shown:
            own = [o for o in found.get(f"{name}, {count}", found.get(name, [])) if o.dataset == key_of(folder)]
            taus = [o.metrics[_TAU] for o in own if o.quadrant == MODEL_SPIDER_QUADRANT]
            cells_of_row.append(f"{np.mean(taus):.3f} ± {np.std(taus):.3f}" if taus else "-")
        if any(cell != "-" for cell in cells_of_row):
            rows.append([name, *cells_of_row])
    head = ["weighted tau", *(f"{folder}, {count} a class" for folder, count in shown)]
    said = (
        f"Ground truth: {_TRUTHS[FULL]}; mean and standard deviation over {len(folds)} seeds, each with other known "
        "models; the heuristics run each of these models on the target's images. Neither dataset is learnt from here."
    )
    return ["### The slides' comparison", "", said, "", markdown_table(head, rows), ""]


def _method(outcomes: Sequence[Outcome], method: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.method == method]


def _mean(outcomes: Sequence[Outcome], metric: str) -> str:
    return f"{np.mean([outcome.metrics[metric] for outcome in outcomes]):.3f}" if outcomes else "-"


def _figures(outcomes: Sequence[Outcome], quadrant: str) -> str:
    own = [outcome for outcome in outcomes if outcome.quadrant == quadrant]
    if not own:
        return "-"
    interval = mean_interval([one.metrics[_TAU] for one in own], [one.parent for one in own])
    told = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
    return f"{_mean(own, _TAU)} / {_mean(own, _KENDALL)}{told}"


def _difference(first: Sequence[Outcome], second: Sequence[Outcome], quadrant: str) -> str:
    a, b = ([outcome for outcome in one if outcome.quadrant == quadrant] for one in (first, second))
    if not a or not b:
        return "-"
    mean, low, high = bootstrap_interval(a, b, _TAU)
    return f"{mean:+.3f} ({low:+.2f} to {high:+.2f})"
