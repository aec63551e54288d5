"""Counts the bytes that live at one time in passes of timm's architectures, and learns them from structure.

python benchmarks/hardware_live_bytes.py --count 450

Needs timm (with torchvision). Networks are built on the meta device: no weights, no arithmetic. Writes
hf_crosssight/assets/hardware/live_bytes.json and prints the error on families left out.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
from hardware_table import family_of

from hf_crosssight.hardware.fit import family_folds
from hf_crosssight.hardware.forward_counts import on_meta
from hf_crosssight.hardware.memory import COEFFICIENTS, live_design
from hf_crosssight.hardware.model_shape import zoo_shapes
from hf_crosssight.hardware.residuals import conformal_factor
from hf_crosssight.hub.places import write_text
from hf_crosssight.zoo.open import open_zoo

_RIDGE = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=450, help="Architectures, drawn at random.")
    parser.add_argument("--out", type=Path, default=COEFFICIENTS)
    arguments = parser.parse_args()
    rows, names, live = counted(arguments.count)
    shapes = zoo_shapes(open_zoo("starter")).take(rows)
    known = shapes.known & (shapes.summary[:, 0] > 0)
    design, target = live_design(shapes.take(known)), np.log(live[known])
    families = np.array([family_of(name) for name in names])[known]
    residuals = np.empty(len(target))
    for held in family_folds(families):
        residuals[held] = target[held] - design[held] @ solved(design[~held], target[~held])
    half = conformal_factor(residuals, np.ones(len(target)))
    error = float(np.median(np.abs(np.expm1(residuals))))
    write_text(
        arguments.out,
        json.dumps({"coefficients": solved(design, target).round(5).tolist(), "half_width": round(half, 4)}) + "\n",
    )
    print(json.dumps({"architectures": len(target), "families": len(set(families)), "median error": round(error, 4),
                      "half width of 90 %": round(half, 3)}))  # fmt: skip


def solved(design: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Ridge regression; the constant is not shrunk."""
    penalty = np.diag([1e-6, *[_RIDGE] * (design.shape[1] - 1)])
    return np.linalg.solve(design.T @ design + penalty, design.T @ target)


def counted(count: int) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(rows of the starter zoo, timm names, live bytes of one image) of architectures drawn at random."""
    import timm
    import torch

    table = open_zoo("starter").table.select(["architecture", "library", "input_size"]).to_pylist()
    found: dict[str, int] = {}
    for row, entry in enumerate(table):
        if entry["library"] == "timm":
            found.setdefault(entry["architecture"], row)
    drawn = sorted(found)
    random.Random(0).shuffle(drawn)
    rows, names, live = [], [], []
    for name in drawn[:count]:
        side = table[found[name]]["input_size"]
        try:
            with torch.device("meta"):
                network = timm.create_model(name).eval()
            counts = on_meta(network, network, (1, 3, side, side))
        except Exception as error:  # not every network runs on the meta device, or at that size
            print(f"{name} left out: {type(error).__name__}")
            continue
        rows.append(found[name])
        names.append(name)
        live.append(counts.live_bytes)
    return np.array(rows), names, np.array(live, np.float64)


if __name__ == "__main__":
    main()
