"""What our methods make of odd inputs, beside what public implementations make of them.

    python benchmarks/transferability_edge_cases.py FOLDER [--all]

FOLDER holds `cases/mixture.npz` and `edge_cases.csv`: the result of 33 public implementations on 13 variants of that
case, a number, NaN or the text of an error. In parity mode ours must be the same number (within 1e-6, or a relative
1e-6 of rounding noise beyond 1e6), or an error that names method and reason where theirs is NaN, infinite, an error,
or rests on labels of one class, which we refuse. By default every method must give a finite number or such an error.
Exits with 1 if a row disagrees or anything but these comes out.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from transferability_parity import our_name

from hf_crosssight.errors import UserError
from hf_crosssight.transferability import METHODS, score

ONE_CLASS = "all labels equal 0"
SAME_ROWS = "rows 0 and 1 identical"


def variants(case: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """The recorded variants of the case by name."""
    base = {name: case[name] for name in ("labels", "source_labels", "label_embeddings")}
    base |= {name: case[name].astype(np.float64) for name in ("features", "source_probs", "source_features")}
    features, labels, probabilities = base["features"], base["labels"], base["source_probs"]
    without_mass = np.where(np.arange(probabilities.shape[1]) == 7, 0.0, probabilities)
    kept = labels != 3
    gap = {name: base[name][kept] for name in ("features", "source_probs", "labels")}
    one_row = np.where(labels == 3, 4, labels)
    one_row[0] = 3
    changed = {name: features.copy() for name in ("column", "same", "zero")}
    changed["column"][:, 5] = 0.0
    changed["same"][1] = features[0]
    changed["zero"][0] = 0.0
    dense = np.unique(gap["labels"], return_inverse=True)[1]
    embeddings = base["label_embeddings"][np.unique(gap["labels"])]
    return {
        "baseline": base,
        "source class with exactly zero mass": base
        | {"source_probs": without_mass / without_mass.sum(axis=1, keepdims=True)},
        "hard one-hot source_probs": base
        | {"source_probs": np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]},
        "class 3 removed, labels relabelled densely": base | gap | {"labels": dense, "label_embeddings": embeddings},
        "class 3 removed, gap left in labels": base | gap,
        "class 3 has one row": base | {"labels": one_row},
        "one constant-zero feature column": base | {"features": changed["column"]},
        SAME_ROWS: base | {"features": changed["same"]},
        "row 0 all zero": base | {"features": changed["zero"]},
        "10 columns repeated": base | {"features": np.hstack([features, features[:, :10]])},
        "features times 1000": base | {"features": features * 1e3},
        "features plus 100": base | {"features": features + 100.0},
        ONE_CLASS: base | {"labels": np.zeros_like(labels)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="print every row, not only those that disagree")
    options = parser.parse_args()
    inputs = variants(dict(np.load(options.folder / "cases" / "mixture.npz")))
    tally: Counter[str] = Counter()
    for line in csv.DictReader((options.folder / "edge_cases.csv").open()):
        ours = our_name(line["method"], line["implementation"], line["hyper"])
        if ours is None:
            tally["not reproduced"] += 1
            continue
        variant = line["variant of the mixture case"]
        verdict, found = compare(ours, inputs[variant], line["result"], variant)
        tally[verdict] += 1
        if options.all or verdict == "DISAGREES":
            print(f"{ours[0]} {ours[1]}, {variant}: theirs {line['result']}, ours {found}: {verdict}")
    for variant, given in inputs.items():
        for method in METHODS:
            tally[by_default(method, variant, given)] += 1
    for verdict, count in sorted(tally.items()):
        print(f"{count:4} {verdict}")
    return 1 if tally["DISAGREES"] or tally["NEITHER A NUMBER NOR AN ERROR"] else 0


def compare(ours: tuple[str, str], given: dict[str, Any], result: str, variant: str) -> tuple[str, str]:
    """The verdict on one recorded row, and what we return."""
    try:
        theirs = float(result)
    except ValueError:
        theirs = math.nan
    try:
        found = score(ours[0], parity=True, implementation=ours[1], **given)
    except UserError as error:
        fine = not math.isfinite(theirs) or variant == ONE_CLASS
        return ("parity: an error where theirs is none of use" if fine else "DISAGREES"), str(error)
    if not math.isfinite(theirs):
        return "parity: a number where theirs fails", f"{found:.10g}"
    if abs(found - theirs) <= max(1e-6, 1e-6 * abs(theirs)):
        return "parity: the same number", f"{found:.10g}"
    if ours[0] == "otce" and variant == SAME_ROWS:
        # Equal rows of two classes: their masses may be moved either way at the same cost, and one way is as right.
        labels = given["labels"].copy()
        labels[:2] = labels[1::-1]
        other = score(ours[0], parity=True, implementation=ours[1], **given | {"labels": labels})
        if abs(other - theirs) <= 1e-6:
            return "parity: the same number by another plan of the same cost", f"{other:.10g}"
    return "DISAGREES", f"{found:.10g}"


def by_default(method: str, variant: str, given: dict[str, Any]) -> str:
    """What the default form makes of a variant."""
    if variant == "class 3 removed, gap left in labels":
        # One embedding for each class that occurs.
        given = given | {"label_embeddings": given["label_embeddings"][np.unique(given["labels"])]}
    try:
        found = score(method, **given)
    except UserError as error:
        return "default: an error that says why" if method in str(error) else "NEITHER A NUMBER NOR AN ERROR"
    if math.isfinite(found):
        return "default: a finite number"
    print(f"{method}, {variant}: {found}")
    return "NEITHER A NUMBER NOR AN ERROR"


if __name__ == "__main__":
    sys.exit(main())
