"""Makes the dataset repository that is committed here out of a collected table: results, pictures, card with sources.

    python benchmarks/ground_truth/release.py --table TABLE --datasets DATASETS \\
      --hardware benchmarks/ground_truth/hardware --out benchmarks/ground_truth/table

What the models cost, as `hardware measure --out` found it, becomes the configuration `hardware`. The card is that of
`publish ground-truth`, with one section more: where models and images come from, the latter as the cards of the
datasets state it. No image, no weight and no feature of an image is in the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.labelled_images import expand_datasets, local_dataset_id
from hf_crosssight.ground_truth.table_pictures import draw_pictures
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.hub.card_templates import CARD, plain
from hf_crosssight.publishing.ground_truth import ground_truth_repository
from hf_crosssight.publishing.repository import Repository, write_folder

NAME = "crosssight/first-table"
PREFACE = """## Where models and images come from

`lineage-zoo/...` are this project's own models, in `benchmarks/zoo` of its repository. The others are small public
networks and earlier ones of this project: of them there are measured figures here and nothing else.

The images are small sub-samples of public collections, made for measuring. Their cards state:
"""


def source_of(card: str) -> tuple[str, str]:
    """Title and stated source of a dataset's card: the sentences before its own processing is told."""
    _, front, body = card.split("---", 2)
    title = str(yaml.safe_load(front).get("pretty_name", ""))
    told = next((line for line in body.splitlines() if line.startswith("Original source:")), "")
    return title, told.removeprefix("Original source:").split(" Sub-sampled")[0].strip()


def sources(datasets: list[str], used: set[str]) -> str:
    """A section of the card: one line a dataset of the table."""
    lines = [PREFACE]
    for dataset in map(Path, datasets):
        if local_dataset_id(dataset) in used:
            title, told = source_of((dataset / CARD).read_text(encoding="utf-8"))
            lines.append(f"- `{local_dataset_id(dataset)}`: {plain(title)}. {plain(told, 600)}")
    return "\n".join([*lines, ""])


def main(options: argparse.Namespace) -> None:
    """Draws, then writes the repository in one step."""
    draw_pictures(load_tidy(options.table), options.table, weighted_tau)
    made = ground_truth_repository(options.table, NAME, license="apache-2.0", hardware=options.hardware)
    used = {
        name.as_py()
        for path in (options.table / "data").glob("*.parquet")
        if "subsets" not in path.name
        for name in pq.read_table(path, columns=["dataset_id"])["dataset_id"].unique()
    }
    card = made.files[CARD]
    assert isinstance(card, bytes)
    before, limits, after = card.decode().partition("## Limits")
    told = before + sources(expand_datasets(options.datasets), used) + "\n" + limits + after
    write_folder(Repository(made.kind, {**made.files, CARD: told.encode()}, made.replaced), options.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--datasets", action="append", required=True)
    parser.add_argument("--hardware", type=Path, help="tables of `hardware measure --out`: a file or a folder")
    parser.add_argument("--out", type=Path, required=True)
    main(parser.parse_args())
