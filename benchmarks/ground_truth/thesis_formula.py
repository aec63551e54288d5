"""How much of the thesis' ground truth is the hand-set similarity alone, and how much the models' accuracy.

Zoos are drawn as the thesis describes its own: 31 models, each trained on one of 11 datasets of the matrix, with
accuracies uniform between 0.7 and 0.99. The ranking by the formula is compared, on every target of the matrix, with
the ranking by the similarity alone and with the ranking by the reported accuracy alone.

    python benchmarks/ground_truth/thesis_formula.py
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.thesis_scores import ReportedAccuracy, thesis_similarity, weighted_scores

MODELS, SOURCES = 31, 11


def one_zoo(rng: np.random.Generator) -> list[ReportedAccuracy]:
    """A zoo as the thesis has it; every source has at least one model."""
    names = rng.permutation(thesis_similarity().datasets)[:SOURCES]
    sources = [*names, *rng.choice(names, MODELS - SOURCES)]
    return [
        ReportedAccuracy(str(source), f"m{number}", float(accuracy))
        for number, (source, accuracy) in enumerate(zip(sources, rng.uniform(0.7, 0.99, MODELS), strict=True))
    ]


def what_decides(zoos: int, seed: int) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over zoos of the weighted tau with the formula's score, mean over the 16 targets."""
    rng = np.random.default_rng(seed)
    matrix = thesis_similarity()
    found: dict[str, list[float]] = {"similarity alone": [], "accuracy alone": [], "trained on the target": []}
    for _ in range(zoos):
        reported = one_zoo(rng)
        accuracy = np.array([entry.accuracy for entry in reported])
        taus: dict[str, list[float]] = {name: [] for name in found}
        for target in matrix.datasets:
            _, score = weighted_scores(reported, target, matrix)
            similarity = np.array([matrix.between(target, entry.dataset) for entry in reported])
            taus["similarity alone"].append(weighted_tau(similarity, score))
            taus["accuracy alone"].append(weighted_tau(accuracy, score))
            taus["trained on the target"].append(weighted_tau(similarity == 1.0, score))
        for name, values in taus.items():
            found[name].append(float(np.mean(values)))
    return {name: {"mean": float(np.mean(v)), "sd": float(np.std(v))} for name, v in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoos", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(what_decides(options.zoos, options.seed), indent=1))
