"""Pooled features of the zoo's members on the fifteen reference tasks of the probe view, one file a model.

    python benchmarks/ground_truth/reference_features.py --zoo benchmarks/zoo --out benchmarks/ground_truth/features

A file holds `features`, uint8 `[1800, D]`, with `scale` and `offset`, float32 `[D]`: a feature is
`features * scale + offset`, at most half of one 255th of its own range away from what the model gives; in float16 they
would take 39 MB. The images, task after task in the order of `PROBE_TASKS`, come with the package. Members that are
there are passed over. At the end it prints how far what is read from the rounded features is from what the exact ones
say: the largest change of a task's leave-one-out nearest-neighbour accuracy, and the smallest CKA of the two.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from hf_crosssight.cli.progress import ProgressLine
from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.features.extract import extract
from hf_crosssight.features.load import load_image_model
from hf_crosssight.hub.places import atomic_file
from hf_crosssight.tokens.probe import probe_images
from hf_crosssight.tokens.probe_statistics import centred_gram, mean_cka
from hf_crosssight.tokens.probe_tasks import probe_tasks
from hf_crosssight.transferability import score


def rounded(pooled: np.ndarray) -> dict[str, np.ndarray]:
    """What is written for float32 features `[N, D]`; a constant feature has scale 0."""
    low, high = pooled.min(0), pooled.max(0)
    scale = (high - low) / np.float32(255)
    levels = np.rint((pooled - low) / np.where(scale > 0, scale, 1)).astype(np.uint8)
    return {"features": levels, "scale": scale, "offset": low}


def read_features(path: Path) -> np.ndarray:
    """float32 `[1800, D]`."""
    with np.load(path, allow_pickle=False) as held:
        return held["features"] * held["scale"] + held["offset"]


def difference(exact: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """Largest change of a task's nearest-neighbour accuracy, and smallest CKA of exact and kept features."""
    changes, likeness, start = [], [], 0
    for task in probe_tasks():
        parts = [rows[start : start + len(task.labels)] for rows in (exact, kept)]
        start += len(task.labels)
        first, second = (score("knn", features=part, labels=task.labels) for part in parts)
        changes.append(abs(first - second))
        likeness.append(mean_cka([centred_gram(parts[0])], [centred_gram(parts[1])]))
    return max(changes), min(likeness)


def main(options: argparse.Namespace) -> None:
    """Writes what is missing and prints a summary."""
    torch.set_num_threads(1)
    progress = ProgressLine()
    folders = sorted(path.parent for path in options.zoo.glob("*/*/config.json"))
    differences = []
    for number, folder in enumerate(folders):
        path = options.out / f"{folder.name}.npz"
        progress(f"features of {folder.name}", number, len(folders))
        if path.is_file():
            continue
        pooled = extract(load_image_model(folder), probe_images()).pooled
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **rounded(pooled))
        differences.append(difference(pooled, read_features(path)))
    progress.close()
    size = sum(path.stat().st_size for path in options.out.glob("*.npz"))
    changes, likeness = zip(*differences, strict=True) if differences else ((), ())
    print(json.dumps({
        "models": len(folders), "computed_now": len(differences), "megabytes": round(size / 1e6, 2),
        "largest_change_of_accuracy": max(changes, default=None), "mean_change": float(np.mean(changes or 0)),
        "smallest_cka": min(likeness, default=None),
    }))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    silence_libraries()
    main(parser.parse_args())
