"""How far the recipe `full` and a published table of the same models agree, and what the first 400 test images cost.

    python benchmarks/ground_truth/compare_published.py --zoo HUB/models --published small_zoo_finetune.csv \
        --datasets HUB/datasets/zoo-bench --only cifar10 --only clothing-small --only trashnet --out TABLE

Fine-tunes the published table's models (one seed and the grid of learning rates; run again, it goes on) and prints,
for each dataset, the weighted tau of our accuracy on the first 400 test images with the published one (made with one
fixed learning rate, on other training images), of the published table's two seeds with each other where it has them,
and of our accuracy on the first 400 images with that on all. The last row is the mean and the standard deviation over
datasets.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hf_crosssight.cli.output import print_error
from hf_crosssight.cli.progress import ProgressLine
from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.errors import CrossSightError
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.collect import collect
from hf_crosssight.ground_truth.labelled_images import expand_datasets
from hf_crosssight.ground_truth.recipes import make_recipe
from hf_crosssight.ground_truth.record_store import RecordStore

COLUMNS = ("models", "first 400 ~ published", "published seeds", "first 400 ~ all", "ours - published, points")


def published_accuracies(path: Path) -> dict[str, dict[int, dict[str, float]]]:
    """Accuracy by dataset, seed and model."""
    found: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["dataset_id"]][int(row["seed"])][row["model_id"]] = float(row["accuracy"])
    return found


def own_accuracies(table: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Accuracy on the first 400 test images and on all, by dataset and model."""
    found: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    with RecordStore(table) as store:
        for record in store:
            if record["kind"] == "result" and record["recipe"] == "full" and record["status"] == "ok":
                pair = (record["accuracy_first_400"], record["accuracy"])
                found[record["dataset_id"]][record["model_id"]] = pair
    return found


def agreements(
    own: Mapping[str, tuple[float, float]], published: Mapping[int, Mapping[str, float]]
) -> tuple[float, ...]:
    """The figures of one dataset, in the order of `COLUMNS`; NaN where the published table has one seed."""
    models = sorted(set(own) & set(published[0]))
    ours = np.array([own[model] for model in models])
    theirs = np.array([published[0][model] for model in models])
    again = [published[1][model] for model in models] if set(models) <= set(published.get(1, {})) else None
    return (
        len(models),
        weighted_tau(ours[:, 0], theirs),
        float("nan") if again is None else weighted_tau(again, theirs),
        weighted_tau(ours[:, 0], ours[:, 1]),
        100 * float((ours[:, 0] - theirs).mean()),
    )


def main(options: argparse.Namespace) -> None:
    """Trains what is missing, then prints."""
    published = published_accuracies(options.published)
    datasets = [one for one in expand_datasets(options.datasets) if Path(one).name in options.only]
    collect(
        options.zoo, datasets, options.out, recipes=[make_recipe("full")], seeds=1, offline=True,
        only={model for seeds in published.values() for model in seeds[0]}, progress=ProgressLine(),
    )  # fmt: skip
    rows = {
        dataset: agreements(own, published[dataset])
        for dataset, own in sorted(own_accuracies(options.out).items())
        if dataset in published
    }
    print("| dataset | " + " | ".join(COLUMNS) + " |\n|---|" + "---:|" * len(COLUMNS))
    for dataset, row in rows.items():
        print(f"| {dataset} | {row[0]} | " + " | ".join("-" if np.isnan(x) else f"{x:.3f}" for x in row[1:]) + " |")
    figures = np.array(list(rows.values()))[:, 1:]
    told = zip(np.nanmean(figures, axis=0), np.nanstd(figures, axis=0, ddof=1), strict=True)
    print("| mean | | " + " | ".join(f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in told) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", action="append", required=True)
    parser.add_argument("--published", type=Path, required=True)
    parser.add_argument("--datasets", action="append", required=True)
    parser.add_argument("--only", action="append", required=True, help="a dataset's name; may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    silence_libraries()
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        main(parser.parse_args())
    except CrossSightError as error:
        print_error(error)
        sys.exit(error.exit_code)
