"""Fusion against Shadow on our own table and the machine at hand: models, device and results that neither was shown.

    hf-crosssight hardware measure benchmarks/zoo/lineage-zoo/* --batch-size 1 --threads 1 --out MEASURED
    python benchmarks/train_fusion_ranker.py --ground-truth FOLDER --hub FOLDER --out FUSION
    python benchmarks/hardware_fusion_own.py --fusion FUSION --measured MEASURED --datasets FOLDER [--models FOLDER]

Both rankers are networks of published results alone (the forests, which learned from this table, are left out), and
latencies are predicted from structure, the machine being described by its cores. On each dataset twenty budgets of
milliseconds an image (quantiles of the measured latencies) are set, and each method names one model; regret as in
`hardware_fusion.py`. Prints a table.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from hardware_fusion import FUSION, SHADOW, scored, told_the_budget, under_budgets
from scipy.stats import spearmanr

from hf_crosssight.evaluation.intervals import mean_interval
from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.known_models import known_models
from hf_crosssight.hardware.predict import predict_costs
from hf_crosssight.models import CrossSightModel
from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.training.measured_corpus import load_measured
from hf_crosssight.zoo.open import open_zoo

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fusion", type=Path, required=True, help="folder of a Fusion ranker")
    parser.add_argument("--measured", type=Path, required=True, help="what `hardware measure --out` wrote")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of datasets")
    parser.add_argument("--zoo", default=HERE / "ground_truth" / "zoo_index", help="zoo's index")
    parser.add_argument("--models", type=Path, default=HERE / "zoo", help="folder of the models")
    parser.add_argument("--ground-truth", type=Path, default=HERE / "ground_truth" / "table")
    parser.add_argument("--recipe", default="full")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fusion, ranker = CrossSightModel.from_pretrained(options.fusion), bundled_ranker()
    fusion.config.forest_weight = ranker.config.forest_weight = 0.0
    zoo = open_zoo(options.zoo, views=tuple(ranker.config.view_shapes))
    corpus = load_measured(zoo, [options.ground_truth], [str(options.datasets)], cache_dir=options.cache, offline=True)
    device = find_device("local")
    rows = {model_id: row for row, model_id in enumerate(corpus.zoo.model_ids)}
    measured = latencies(options.measured)
    counted = known_models([str(options.models / model) for model in measured])  # an index does not count GMACs
    for model, reason in counted.unknown.items():
        print(f"{model} is left out: {reason}")
    costs = predict_costs(counted.shapes, device, batch_size=1)
    place = {model: at for at, model in enumerate(measured) if np.isfinite(costs.latency_ms.high[at])}
    found: dict[str, dict[str, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    for task in corpus.tasks([table.id for table in corpus.tables if table.id.endswith(f"_{options.recipe}")]):
        kept = [at for at, model in enumerate(task.models) if model in place]
        index = np.array([rows[task.models[at]] for at in kept])
        taken = np.array([measured[task.models[at]] for at in kept])
        accuracy = 100.0 * task.scores[kept]
        tokens = corpus.tokens[task.dataset][-1].values
        own = [place[task.models[at]] for at in kept]
        value, high = costs.latency_ms.value[own], costs.latency_ms.high[own]
        outcomes = under_budgets(
            accuracy, taken, value, high, scored(ranker, corpus.zoo, tokens, index),
            told_the_budget(fusion, corpus.zoo, tokens, index, device),
        )  # fmt: skip
        for method, pairs in outcomes.items():
            found[method][task.parent] += pairs
    print(f"{device.title}; {len(taken)} models; rank correlation of predicted and measured latency "
          f"{spearmanr(value, taken).statistic:.2f}\n")  # fmt: skip
    print(markdown_table(["method", "regret", "breaks the budget"], [_row(*item) for item in found.items()]))
    lost = {name: {key: np.mean([one for one, _ in pairs]) for key, pairs in found[name].items()} for name in found}
    difference = [float(lost[FUSION][key] - lost[SHADOW][key]) for key in lost[SHADOW]]
    low, high_end = mean_interval(difference, list(lost[SHADOW])) or (float("nan"),) * 2
    print(f"\nFusion less Shadow: {np.mean(difference):+.2f} ({low:+.2f} to {high_end:+.2f}) points")


def latencies(path: Path) -> dict[str, float]:
    """Milliseconds of a pass of one image by model, of the measurements of one machine."""
    rows = [row for row in pq.read_table(path).to_pylist() if row["phase"] == "infer" and row["batch_size"] == 1]
    return {row["model_id"]: float(row["latency_ms"]) for row in rows if row["latency_ms"] is not None}


def _row(method: str, by_parent: dict[str, list[tuple[float, bool]]]) -> list[str]:
    pairs = [pair for own in by_parent.values() for pair in own]
    return [
        method,
        f"{np.mean([lost for lost, _ in pairs]):.2f}",
        f"{100 * np.mean([broken for _, broken in pairs]):.1f} %",
    ]


if __name__ == "__main__":
    main()
