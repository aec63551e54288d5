"""What is in a collected table: sizes, shares of variance, ceilings, agreement of recipes, throughput.

    python benchmarks/ground_truth/describe_table.py --table TABLE --members benchmarks/zoo/members.csv

Prints the tables of RESULTS.md, and with `--json FILE` writes all figures. What members of the zoo are (family,
source, role) is in `members.csv`; other models count in sizes, variance and agreement alone.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.ground_truth.thesis_scores import thesis_similarity
from hf_crosssight.ground_truth.throughput import throughput
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.ground_truth.variance import agreement, ranking_similarity, share_of_groups, variance_shares

RECIPES = ("full", "head", "knn", "ridge-subsets", "knn-subsets")
FACTS = ("family", "role", "source", "image_size")
# The thesis' datasets that are in the table, whole or in part.
OF_THE_THESIS = {
    "mnist": "MNIST", "usps": "USPS Digits", "fashion-mnist": "Fashion MNIST", "fashion-products": "Fashion Product",
    "tiny-imagenet-100": "ImageNet 1k", "cifar10": "CIFAR-10", "caltech101": "Caltech-101", "ham10000": "HAM10000",
    "stanford-cars-100": "Cars", "dtd-10": "DTD", "oxford-pets-5": "Pets",
}  # fmt: skip

Members = Mapping[str, Mapping[str, str]]


def members_of(path: Path) -> Members:
    """Lines of `members.csv` by model id."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["model_id"]: row for row in csv.DictReader(file)}


def lineage_of(model: str, members: Members) -> tuple[str, str]:
    """Family and first source dataset of a member: what its root shares with its kin."""
    while members[model]["base_model"]:
        model = members[model]["base_model"]
    return members[model]["family"], members[model]["source"]


def describe(table: GroundTruthTable, members: Members) -> dict[str, Any]:
    """Figures of one recipe."""
    own = table.keep_models(i for i, model in enumerate(table.models) if model in members)
    shares = variance_shares(table)
    return {
        "models": len(table.models),
        "members": len(own.models),
        "lineages_of_members": len({lineage_of(model, members) for model in own.models}),
        "datasets": len(table.datasets),
        "pairs": int(np.isfinite(table.scores).sum()),
        "self_transfer_pairs": int(table.self_transfer.sum()),
        "seeds": 1 if table.repeats is None else table.repeats.shape[-1],
        "variance": asdict(shares) if shares else None,
        "static_part_explained_by": {
            fact: share_of_groups(own, {model: members[model][fact] for model in own.models}) for fact in FACTS
        },
        "source_accuracy_as_predictor": source_accuracy_tau(own, members),
        "similarity_by_hand": similarity_by_hand(table),
        "ceilings": [asdict(one) for one in ceilings(table)] if "#" not in table.datasets[0] else [],
    }


def source_accuracy_tau(table: GroundTruthTable, members: Members) -> float | None:
    """Mean weighted tau of the accuracy that cards report, self-transfer left out: the thesis' other ingredient."""
    taus = []
    for row in range(len(table.datasets)):
        kept, scores = table.row(row)
        if len(kept) >= 5:
            taus.append(weighted_tau([float(members[table.models[i]]["source_accuracy"]) for i in kept], scores))
    return float(np.mean(taus)) if taus else None


def similarity_by_hand(table: GroundTruthTable) -> dict[str, float | int] | None:
    """Spearman's correlation of the thesis' similarities with how alike the datasets rank models, over pairs."""
    known = [i for i, name in enumerate(table.datasets) if name.split("/")[-1] in OF_THE_THESIS]
    if len(known) < 4:
        return None
    measured = ranking_similarity(table.keep_datasets(known), weighted_tau)
    names = [OF_THE_THESIS[table.datasets[i].split("/")[-1]] for i in known]
    matrix = thesis_similarity()
    by_hand = np.array([[matrix.between(first, second) for second in names] for first in names])
    pairs = np.tril_indices(len(names), -1)
    return {
        "datasets": len(names),
        "pairs": len(pairs[0]),
        "spearman": float(spearmanr(measured[pairs], by_hand[pairs], nan_policy="omit").statistic),
    }


def printed(told: Mapping[str, Any]) -> str:
    """Markdown: recipes, ceilings of the first recipe that has any, agreements, throughput."""
    lines = ["| | " + " | ".join(told["recipes"]) + " |", "|---|" + "---:|" * len(told["recipes"])]
    rows = {
        name: [recipe[name] for recipe in told["recipes"].values()]
        for name in ("models", "members", "lineages_of_members", "datasets", "pairs", "self_transfer_pairs", "seeds")
    }
    for part in ("static", "interaction", "noise"):
        rows[f"share of variance: {part}"] = [(one["variance"] or {}).get(part) for one in told["recipes"].values()]
    for fact in FACTS:
        explained = [one["static_part_explained_by"][fact] for one in told["recipes"].values()]
        rows[f"of the static part, {fact.replace('_', ' ')} explains"] = explained
    rows["weighted tau of the source accuracy"] = [
        one["source_accuracy_as_predictor"] for one in told["recipes"].values()
    ]
    rows["Spearman of the hand-set similarity"] = [
        (one["similarity_by_hand"] or {}).get("spearman") for one in told["recipes"].values()
    ]
    lines += [f"| {name.replace('_', ' ')} | {' | '.join(map(_cell, values))} |" for name, values in rows.items()]
    for recipe, one in told["recipes"].items():
        if one["ceilings"]:
            lines += ["", f"Ceilings of `{recipe}`, weighted tau:", "", "| dataset | two seeds agree at | ceiling |",
                      "|---|---:|---:|"]  # fmt: skip
            lines += [
                f"| {c['dataset']} | {c['between_seeds']:.3f} | {c['with_truth']:.3f} |" for c in one["ceilings"]
            ]
            lines.append(f"| mean | {_mean(one, 'between_seeds'):.3f} | {_mean(one, 'with_truth'):.3f} |")
            break
    lines += ["", "| recipes | weighted tau, mean over datasets | datasets |", "|---|---:|---:|"]
    lines += [f"| {pair} | {found['mean']:.3f} | {found['datasets']} |" for pair, found in told["agreement"].items()]
    return "\n".join([*lines, "", f"Throughput: {json.dumps(told['throughput'])}"])


def _mean(recipe: Mapping[str, Any], figure: str) -> float:
    return float(np.mean([one[figure] for one in recipe["ceilings"]]))


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def main(options: argparse.Namespace) -> None:
    """Prints, and writes if asked."""
    tables, members = load_tidy(options.table), members_of(options.members)
    recipes = [recipe for recipe in RECIPES if recipe in tables]
    told = {
        "recipes": {recipe: describe(tables[recipe], members) for recipe in recipes},
        "agreement": {
            f"{first} ~ {second}": asdict(found)
            for position, first in enumerate(recipes)
            for second in recipes[position + 1 :]
            if (found := agreement(tables[first], tables[second], weighted_tau))
        },
        "throughput": throughput(options.table),
    }
    print(printed(told))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--members", type=Path, required=True)
    parser.add_argument("--json", type=Path, default=None)
    main(parser.parse_args())
