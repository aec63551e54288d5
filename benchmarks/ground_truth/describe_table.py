"""What is in a collected table: sizes, shares of variance, ceilings, agreement of recipes; and the picture of it.

    python benchmarks/ground_truth/describe_table.py --table TABLE --members benchmarks/zoo/members.csv --out FOLDER

Writes `description.json` and `heat_map.png`: models x datasets, the shares of variance, and the similarity of datasets
by how they rank the models, next to the thesis' hand-set matrix.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.ground_truth.thesis_scores import thesis_similarity
from hf_crosssight.ground_truth.throughput import throughput
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.ground_truth.variance import agreement, share_of_groups, variance_shares

RECIPES = ("full", "head", "knn")


def members_of(path: Path) -> dict[str, dict[str, str]]:
    """Lines of `members.csv` by model id."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["model_id"]: row for row in csv.DictReader(file)}


def describe(tables: dict[str, GroundTruthTable], members: dict[str, dict[str, str]], folder: Path) -> dict[str, Any]:
    """All figures, by recipe."""
    told: dict[str, Any] = {}
    for recipe, table in tables.items():
        shares = variance_shares(table)
        own = table.keep_models(i for i, model in enumerate(table.models) if model in members)
        told[recipe] = {
            "models": len(table.models),
            "datasets": len(table.datasets),
            "pairs": int(np.isfinite(table.scores).sum()),
            "variance": asdict(shares) if shares else None,
            "static_part_explained_by": {
                fact: share_of_groups(own, {model: members[model][fact] for model in own.models})
                for fact in ("family", "role", "source", "image_size")
            },
            "source_accuracy_as_predictor": source_accuracy_tau(own, members),
        }
        if recipe in RECIPES:
            told[recipe]["ceilings"] = {one.dataset: asdict(one) for one in ceilings(table)}
    told["weighted_tau_between"] = {
        f"{first} ~ {second}": asdict(found)
        for first in tables
        for second in tables
        if first < second and (found := agreement(tables[first], tables[second], weighted_tau))
    }
    told["throughput"] = throughput(folder)
    return told


def source_accuracy_tau(table: GroundTruthTable, members: dict[str, dict[str, str]]) -> float | None:
    """Mean weighted tau of the accuracy that cards report, self-transfer left out: the thesis' other ingredient."""
    taus = []
    for row in range(len(table.datasets)):
        kept, scores = table.row(row)
        if len(kept) >= 5:
            taus.append(weighted_tau([float(members[table.models[i]]["source_accuracy"]) for i in kept], scores))
    return float(np.mean(taus)) if taus else None


def similarity_by_rankings(table: GroundTruthTable) -> np.ndarray:
    """`[D, D]`: weighted tau between the rankings of two datasets, over the models that both have."""
    count = len(table.datasets)
    found = np.eye(count)
    for first in range(count):
        for second in range(first):
            x, y = table.scores[first], table.scores[second]
            both = np.isfinite(x) & np.isfinite(y)
            found[first, second] = found[second, first] = weighted_tau(x[both], y[both]) if both.sum() > 4 else np.nan
    return found


def draw(table: GroundTruthTable, title: str, path: Path) -> None:
    """The picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    spread = np.nanstd(table.scores, axis=1, keepdims=True)
    z = (table.scores - np.nanmean(table.scores, axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    order = np.argsort(-np.nan_to_num(np.nanmean(z, axis=0)))
    by_rankings = similarity_by_rankings(table)
    near = np.argsort(-np.nan_to_num(by_rankings).mean(0))
    names = [table.datasets[i].split("/")[-1] for i in near]
    figure, axes = plt.subplots(1, 4, figsize=(26, 7), width_ratios=[3, 0.5, 1.6, 1.2], layout="constrained")
    image = axes[0].imshow(z[np.ix_(near, order)], aspect="auto", cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_xticks([])
    axes[0].set_xlabel(f"{len(order)} models, the best on average first")
    axes[0].set_title(f"{title}: accuracy, z-scored within each dataset")
    figure.colorbar(image, ax=axes[0], shrink=0.8)
    shares = variance_shares(table)
    bottom = 0.0
    for label, share in (("static", shares and shares.static), ("interaction", shares and shares.interaction),
                         ("noise of seeds", shares and shares.noise)):  # fmt: skip
        if share is not None:
            axes[1].bar([0], [share], bottom=bottom, label=f"{label} {share:.2f}")
            bottom += share
    axes[1].set_xticks([])
    axes[1].set_title("share of variance")
    axes[1].legend(loc="lower center")
    _matrix(axes[2], by_rankings[np.ix_(near, near)], names, "similarity of datasets by their rankings (weighted tau)")
    thesis = thesis_similarity()
    _matrix(axes[3], thesis.values, list(thesis.datasets), "the thesis' hand-set similarity")
    figure.savefig(path, dpi=90)


def _matrix(axis: Any, values: np.ndarray, names: list[str], title: str) -> None:
    axis.imshow(values, cmap="viridis", vmin=0, vmax=1)
    axis.set_xticks(range(len(names)), names, rotation=90)
    axis.set_yticks(range(len(names)), names)
    axis.set_title(title)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--members", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = load_tidy(options.table)
    options.out.mkdir(parents=True, exist_ok=True)
    description = describe(found, members_of(options.members), options.table)
    (options.out / "description.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    shown = next(recipe for recipe in RECIPES if recipe in found)
    draw(found[shown], shown, options.out / "heat_map.png")
