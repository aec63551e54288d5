"""Seconds of one core for the probe view of each model of a folder, by step.

    OMP_NUM_THREADS=1 python benchmarks/probe_time.py --models FOLDER [--save FILE.npz]

FOLDER holds model repositories (`name/`). Prints processor seconds to load a model (transformers being imported),
to run it over the probe images and to compute the view, by architecture; `--save` keeps the
views for `view_worth.py --views`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from hf_crosssight.features import UnusableModelError, extract, load_image_model
from hf_crosssight.tokens.probe import probe_images, view_of
from hf_crosssight.tokens.probe_references import reference_grams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    import torch
    from transformers import AutoModelForImageClassification, ViTImageProcessorPil  # noqa: F401

    torch.set_num_threads(1)
    started = time.process_time()
    images = probe_images()
    reference_grams()
    print(f"once per process: {time.process_time() - started:.2f} s for {len(images)} images")
    seconds: dict[str, list[np.ndarray]] = {}
    views: dict[str, np.ndarray] = {}
    for folder in sorted(path.parent for path in options.models.glob("*/config.json")):
        marks = [time.process_time()]
        try:
            model = load_image_model(folder)
            marks.append(time.process_time())
            features = extract(model, images)
            marks.append(time.process_time())
            views[f"{options.models.resolve().name}/{folder.name}"] = view_of(features)
        except UnusableModelError as error:
            print(f"{folder.name}: {error}")
            continue
        marks.append(time.process_time())
        seconds.setdefault(model.architecture, []).append(np.diff(marks))
    for name, rows in [*seconds.items(), ("all", [one for many in seconds.values() for one in many])]:
        load, run, view = np.mean(rows, axis=0)
        print(f"{name:<16} {len(rows):>3} models: load {load:.2f}, run {run:.2f}, view {view:.2f}, "
              f"sum {load + run + view:.2f} s, longest {np.sum(rows, axis=1).max():.2f} s")  # fmt: skip
    if options.save:
        np.savez(options.save, ids=np.array(list(views)), probe=np.stack(list(views.values())))


if __name__ == "__main__":
    main()
