"""Makes the first ground-truth table: cheap recipes for all pairs, then full fine-tuning of a stratified part.

Run it again to go on after an interruption; several processes may run it on one table. Full fine-tuning goes dataset
by dataset, so that whatever is there when it is stopped ranks the same models on every dataset that it has.
With `--records` a table that was begun elsewhere is gone on with: `records.jsonl.xz` beside this file holds what there
is so far.

    python benchmarks/ground_truth/first_table.py --zoo benchmarks/zoo --zoo OTHERS --datasets DATASETS --out TABLE
"""

from __future__ import annotations

import argparse
import csv
import lzma
import sys
from pathlib import Path

from hf_crosssight.cli.output import print_error
from hf_crosssight.cli.progress import ProgressLine
from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.errors import CrossSightError
from hf_crosssight.ground_truth.collect import collect
from hf_crosssight.ground_truth.labelled_images import expand_datasets
from hf_crosssight.ground_truth.recipes import make_recipe
from hf_crosssight.hub.places import atomic_file

# Twenty sets of twenty parents, all domains, in the order in which they are fine-tuned on.
FULL_DATASETS = (
    "cifar10", "fashion-mnist", "usps", "intel-scenes", "clothing-small", "notmnist", "ham10000", "pacs-sketch",
    "trashnet", "flowers-5", "mnist", "caltech101", "sign-language-digits", "oxford-pets-5", "brain-tumor-mri",
    "dtd-10", "fashion-products", "hoda-digits", "omniglot-100", "street-characters",
)  # fmt: skip
SUBSETS = 36  # of each of 29 datasets, fewer where a dataset has few classes: 996 tasks
MORE_SUBSETS = {60: ("caltech101",)}  # they begin with the same 36: 1,020 tasks


def stratified(members: Path) -> list[str]:
    """Half of a zoo: of every family three of six members, so that all roles and lengths of training are in it."""
    with members.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    families = list(dict.fromkeys(row["family"] for row in rows))
    roles = list(dict.fromkeys(row["role"] for row in rows))
    return [row["model_id"] for row in rows if roles.index(row["role"]) % 2 == families.index(row["family"]) % 2]


def restore(records: Path, out: Path) -> None:
    """Puts packed records into a table's folder, where any process that collects reads them."""
    with lzma.open(records) as packed, atomic_file(out / "records" / "restored.jsonl") as temporary:
        temporary.write_bytes(packed.read())


def main(options: argparse.Namespace) -> None:
    """All steps; each passes over what is there."""
    progress = ProgressLine()
    if options.records is not None:
        restore(options.records, options.out)
    datasets = expand_datasets(options.datasets)
    limit = None if options.max_minutes is None else 60 * options.max_minutes
    shared = {"cache": options.cache, "offline": options.offline, "stop_after": limit, "progress": progress}
    cheap = [make_recipe("knn"), make_recipe("head")]
    found = collect(options.zoo, datasets, options.out, recipes=cheap, subsets=SUBSETS, **shared)
    print(f"cheap recipes: {found.records} results, {found.failed} failed, {found.missing} not begun", file=sys.stderr)
    if found.missing:
        return
    by_name = {Path(dataset).name: dataset for dataset in datasets}
    for count, names in MORE_SUBSETS.items():
        if chosen := [by_name[name] for name in names if name in by_name]:
            collect(options.zoo, chosen, options.out, recipes=[], subsets=count, **shared)
    models = stratified(Path(options.zoo[0]) / "members.csv")
    chosen = [by_name[name] for name in FULL_DATASETS if name in by_name] or datasets
    first = [model for place, model in enumerate(models) if place % 7]  # thirty: six roles leave out a family each
    for some in (first, models):
        found = collect(options.zoo, chosen, options.out, recipes=[make_recipe("full")], only=some, **shared)
        print(f"with full: {found.records} results, {found.failed} failed, {found.missing} not begun", file=sys.stderr)
        if found.missing:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", action="append", required=True, help="the first one has members.csv")
    parser.add_argument("--datasets", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=None, help="pooled features; 2 GB for 108 models")
    parser.add_argument("--records", type=Path, default=None, help="packed records to go on from")
    parser.add_argument("--max-minutes", type=float, default=None)
    parser.add_argument("--offline", action="store_true")
    silence_libraries()
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        main(parser.parse_args())
    except CrossSightError as error:
        print_error(error)
        sys.exit(error.exit_code)
