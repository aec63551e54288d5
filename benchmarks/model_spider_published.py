"""Recomputes Model Spider's published table from its published scores and accuracies, in both conventions.

    python benchmarks/model_spider_published.py --tables FOLDER

FOLDER holds `model_spider_baselines.csv` (scores of nine methods, ten models, eight targets), `model_spider_ranks.csv`
(fine-tuned accuracies) and `model_spider_published_tau.csv` (the table in the repository's README). A cell counts as
reproduced if it agrees at the three decimals that were published. The row "Model Spider" cannot be recomputed: its
scores were not published.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hf_crosssight.evaluation.metrics import weighted_tau, weighted_tau_true_rank
from hf_crosssight.evaluation.report import markdown_table

ZOO = "single_source_10"


@dataclass(frozen=True)
class Cell:
    """One method on one target: the published tau, and ours in both conventions."""

    method: str
    dataset: str
    published: float
    true_rank: float
    both_rankings: float

    @property
    def reproduced(self) -> bool:
        """Whether the convention of the true ranking gives what was published."""
        return round(self.true_rank, 3) == round(self.published, 3)

    @property
    def reproduced_otherwise(self) -> bool:
        """Whether scipy's default convention does."""
        return round(self.both_rankings, 3) == round(self.published, 3)


def recomputed(folder: Path) -> list[Cell]:
    """Every cell of the table whose scores were published."""
    scores = pd.read_csv(folder / "model_spider_baselines.csv")
    ranks = pd.read_csv(folder / "model_spider_ranks.csv")
    truth = ranks[ranks.zoo == ZOO].set_index(["dataset", "model"]).finetuned_score
    published = pd.read_csv(folder / "model_spider_published_tau.csv")
    cells = []
    for row in published.itertuples():
        own = scores[(scores.method == row.csv_method) & (scores.dataset == row.dataset)]
        if own.empty:
            continue
        accuracies = np.array([truth[row.dataset, model] for model in own.model])
        taus = (metric(own.score, accuracies) for metric in (weighted_tau_true_rank, weighted_tau))
        cells.append(Cell(str(row.method), str(row.dataset), float(row.published_weighted_tau), *taus))
    return cells


def report(cells: list[Cell]) -> str:
    """The table, and the cells that differ by name."""
    methods, datasets = (list(dict.fromkeys(getattr(c, name) for c in cells)) for name in ("method", "dataset"))
    by_place = {(cell.method, cell.dataset): cell for cell in cells}

    def line(method: str) -> list[str]:
        own = [by_place[method, dataset] for dataset in datasets]
        marked = [f"{cell.true_rank:.3f}{'' if cell.reproduced else '*'}" for cell in own]
        means = (
            np.mean([getattr(cell, name) for cell in own]) for name in ("true_rank", "both_rankings", "published")
        )
        return [method, *marked, *(f"{mean:.3f}" for mean in means)]

    header = ["method", *datasets, "mean", "mean, other convention", "mean, published"]
    other = [
        f"{c.method} on {c.dataset}: published {c.published:.3f}, recomputed {c.true_rank:.3f}"
        for c in cells
        if not c.reproduced
    ]
    right, otherwise = (sum(getattr(c, name) for c in cells) for name in ("reproduced", "reproduced_otherwise"))
    return "\n".join([
        markdown_table(header, [line(method) for method in methods]),
        "",
        f"{right} of {len(cells)} cells agree at three decimals under `weighted_tau_true_rank`, "
        f"{otherwise} under `weighted_tau`. The others (*): {'; '.join(other)}.",
    ])  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder of published tables")
    print(report(recomputed(parser.parse_args().tables)))
