"""Takes the figures of RESULTS.md, section Ranker, into the file that the bundled ranker's card is made from.

    python benchmarks/card_figures.py --out hf_crosssight/assets/ranker/evaluation.json

The file has the form of `hf-crosssight evaluate --format json`, one answer for each quadrant. Nothing is measured
here: a test holds the file against RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "RESULTS.md"
QUADRANTS = {"Blind datasets": "unseen datasets", "Blind models": "unseen models", "Both blind": "both unseen"}
METHODS = {
    "ranker (all tables)": "crosssight",
    "ranker (all tables), shuffled datasets": "crosssight, another dataset's tokens",
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
    text = RESULTS.read_text(encoding="utf-8").split("\n## Ranker\n", 1)[1].split("\n## ", 1)[0]
    quadrants = {QUADRANTS[title]: {"methods": _methods(part)} for title, part in _parts(text) if title in QUADRANTS}
    said = {"about": f"{ABOUT} {_how(text)}", "unit": "table", "quadrants": quadrants}
    options.out.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _how(text: str) -> str:
    """Command, sizes, date and machine, as the section's head tells them."""
    command, rest = re.findall(r"`(python benchmarks/\S+)[^`]*--folds (\d+ --seeds \d+)", text)[0]
    date, commit, machine = re.findall(r"(\d{4}-\d\d-\d\d), commit (\w+), ([^;]+);", text)[0]
    datasets, models = re.findall(r"(\d+ datasets of \d+ parents)|(\d+ models of \d+ lineages)", text)[:2]
    sizes = f"{datasets[0]}, {models[1]}, {rest.replace(' --seeds ', ' folds, ')} seeds"
    return f"Measured by `{command}` on {date} at commit {commit} ({sizes}; {machine.strip()})."


def _parts(text: str) -> list[tuple[str, str]]:
    titles = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    return list(zip(titles[1::2], titles[2::2], strict=True))


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
