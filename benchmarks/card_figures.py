"""Takes the figures of RESULTS.md on the ranker into the file that the bundled ranker's card is made from.

    python benchmarks/card_figures.py --out hf_crosssight/assets/ranker/evaluation.json

The file has the form of `hf-crosssight evaluate --format json`, one answer for each quadrant; where it lies in a
ranker's folder, the card there is made anew. Nothing is measured here: a test holds the file against RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_crosssight.models import CrossSightModel
from hf_crosssight.publishing.evaluation import read_evaluation
from hf_crosssight.publishing.ranker import ranker_card

RESULTS = Path(__file__).parent / "RESULTS.md"
QUADRANTS = {"Blind datasets": "unseen datasets", "Blind models": "unseen models", "Both blind": "both unseen"}
MEASURED = {
    **{title: f"{name}, small networks with a probe view" for title, name in QUADRANTS.items()},
    "Unseen families": "unseen families, small networks with a probe view",
}
SHUFFLED = "crosssight, another dataset's tokens"
METHODS = {
    "ranker": "crosssight",
    "ranker (all tables)": "crosssight",
    "ranker, shuffled tokens": SHUFFLED,
    "ranker (all tables), shuffled datasets": SHUFFLED,
}
ABOUT = (
    "Datasets are held out by parent, models by lineage; a figure is the mean over tables of published results. The "
    "ranker measured is this one's recipe trained without what is held out; this one was trained on everything, so "
    "its own weights have no blind test. Regret is in points of a table's measure."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    published, measured = _section("Ranker"), _section("Ranker on own ground truth")
    quadrants = {QUADRANTS[title]: {"methods": _methods(part)} for title, part in _parts(published, QUADRANTS)}
    quadrants |= {MEASURED[title]: {"methods": _means(part)} for title, part in _parts(measured, MEASURED)}
    about = f"{ABOUT} {_how(published)} {_how_measured(measured)}"
    said = {"about": about, "unit": "table", "quadrants": quadrants}
    options.out.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    folder = options.out.parent
    if (folder / "config.json").is_file():
        ranker = CrossSightModel.from_pretrained(folder)
        record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        card = ranker_card(ranker, str(folder), "apache-2.0", record, read_evaluation(options.out))
        (folder / "README.md").write_text(card, encoding="utf-8")


def _section(title: str) -> str:
    return RESULTS.read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def _how(text: str) -> str:
    """Command, sizes, date and machine, as the section's head tells them."""
    command, rest = re.findall(r"`(python benchmarks/\S+)[^`]*--folds (\d+ --seeds \d+)", text)[0]
    date, commit, machine = re.findall(r"(\d{4}-\d\d-\d\d), commit (\w+), ([^;]+);", text)[0]
    datasets, models = re.findall(r"(\d+ datasets of \d+ parents)|(\d+ models of \d+ lineages)", text)[:2]
    sizes = f"{datasets[0]}, {models[1]}, {rest.replace(' --seeds ', ' folds, ')} seeds"
    return f"Measured by `{command}` on {date} at commit {commit} ({sizes}; {machine.strip()})."


def _how_measured(text: str) -> str:
    command = re.findall(r"`(python benchmarks/\S+)", text)[0]
    date, commit = re.findall(r"(\d{4}-\d\d-\d\d), commit (\w+)", text)[0]
    sizes = " and of ".join(re.findall(r"\d+ models on \d+ datasets", text))
    return (
        f"With a probe view: means over our own fine-tuning of {sizes}, by `{command}` on {date} at commit {commit}; "
        "models compared there are small networks, and intervals are over parents of datasets."
    )


def _parts(text: str, wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    titles = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    return [(title, part) for title, part in zip(titles[1::2], titles[2::2], strict=True) if title in wanted]


def _means(part: str) -> dict[str, Any]:
    """The first table of a quadrant of our own measurements: means of all metrics, weighted tau with its interval."""
    found = {}
    block = re.findall(r"(?:^\|.*\n?)+", part, flags=re.MULTILINE)[0]
    for method, row in _table(block).items():
        if method in METHODS or not method.startswith("ranker"):
            told = {name.replace("weighted tau", "weighted_tau"): value for name, value in row.items()}
            figures = {name: {"mean": told[name]} for name in ("weighted_tau", "regret_at_1", "ndcg_at_5")}
            line = next(one for one in block.splitlines() if one.startswith(f"| {method} |"))
            low, high = re.findall(r"(-?\d+\.\d+) to (-?\d+\.\d+)", line)[0]
            figures["weighted_tau"] |= {"low": float(low), "high": float(high)}
            found[METHODS.get(method, method.replace(" ", "_"))] = figures
    return found


def _methods(part: str) -> dict[str, Any]:
    """Both tables of a quadrant: weighted tau of each table of results, and the means of all metrics."""
    taus, means = (_table(block) for block in re.findall(r"(?:^\|.*\n?)+", part, flags=re.MULTILINE)[:2])
    found: dict[str, Any] = {}
    for method, row in means.items():
        if method.startswith("ranker") and method not in METHODS:
            continue
        told: dict[str, Any] = {metric: {"mean": value} for metric, value in row.items() if value is not None}
        per_table = {name.split(" (")[0]: value for name, value in taus[method].items() if name != "mean"}
        if "weighted_tau" in told:
            told["weighted_tau"]["per_dataset"] = {
                name: value for name, value in per_table.items() if value is not None
            }
            found[METHODS.get(method, method.replace(" ", "_"))] = told
    return found


def _table(block: str) -> dict[str, dict[str, float | None]]:
    """Method → column → number, `None` for a dash; what follows a number (its spread) is left out."""
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()]
    header = lines[0][1:]
    return {
        line[0]: {
            name: float(number[0]) if (number := re.match(r"-?\d+\.\d+", cell)) else None
            for name, cell in zip(header, line[1:], strict=True)
        }
        for line in lines[2:]
    }


if __name__ == "__main__":
    main()
