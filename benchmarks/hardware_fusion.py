"""Fusion against Shadow: which finds better models under a budget, on datasets and devices that neither was shown?

python benchmarks/hardware_fusion.py --ground-truth FOLDER --hub FOLDER --cache FOLDER

Joined ground truth: published fine-tuning results whose architecture stands in timm's benchmark tables, on the six
devices of those. Three folds hold out a third of the parents of datasets and two devices each; rankers are trained on
the other datasets, Fusion and the latency predictor on the other four devices. On each held-out dataset and device,
twenty budgets of milliseconds an image (quantiles of the candidates' true latencies) are set, and each method names
one model. Regret: accuracy of the best model within the budget less that of the one named, in points; a model that
breaks the budget cannot be used, and counts as the worst within it. Prints JSON lines.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from hardware_table import CPUS, GPUS, read_rows, timings_of

from hf_crosssight.evaluation.quadrants import Fold, folds_of
from hf_crosssight.ground_truth.hub_models import hub_model, transfergraph_facts
from hf_crosssight.ground_truth.published_models import published_model
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.device import Device
from hf_crosssight.hardware.fit import fit_utilisation, settings_array
from hf_crosssight.hardware.measurements import zoo_latency
from hf_crosssight.hardware.model_shape import zoo_shapes
from hf_crosssight.hardware.predict import usual_batch
from hf_crosssight.hardware.residuals import Spread
from hf_crosssight.hardware.roofline import least_times, log_rates
from hf_crosssight.hardware.utilisation import load_utilisations
from hf_crosssight.models import CrossSightModel
from hf_crosssight.tokens.hardware import hardware_token
from hf_crosssight.tokens.word_match import evidence_of
from hf_crosssight.training.blind_evaluation import fitted_ranker
from hf_crosssight.training.bundled import NETWORK, bundled_recipe
from hf_crosssight.training.fusion import train_fusion
from hf_crosssight.training.published_corpus import PublishedCorpus, load_corpus
from hf_crosssight.zoo.index import ZooIndex

_PAIRS = (("rtx3090", "i7-12700h"), ("rtx4090", "i9-10940x"), ("rtx5090", "pro6000maxq"))
_BUDGETS = 20
SHADOW, FUSION = "shadow, upper end (as rank does)", "fusion"
_LEAST = 5  # different latencies among the models of a task

Latency = dict[str, tuple[Device, np.ndarray]]
"""By device name: the device, and milliseconds an image of the corpus' models there `[M]`, NaN where unknown."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground-truth", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--hub", type=Path, help="folder with datasets/ORG/NAME")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--steps", type=int, default=300, help="updates of each training")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    corpus = load_corpus(options.ground_truth, options.hub, cache_dir=options.cache)
    rows = read_rows(options.ground_truth / "timm_hardware.csv")
    timed = true_latency(corpus, options.ground_truth)
    print(json.dumps(_joined(corpus, timed)), flush=True)
    tasks = corpus.tasks(auxiliary=False)
    regrets: dict[str, dict[tuple[str, str, str], list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    predicted = {name: predicted_latency(corpus, name, rows, held) for held in _PAIRS for name in held}
    for seed, (number, held) in itertools.product(range(options.seeds), enumerate(_PAIRS)):
        fold = Fold(folds_of(tasks, corpus.models.lineage, len(_PAIRS), seed)[number].parents, frozenset())
        known = {name: pair for name, pair in timed.items() if name not in held}
        recipe = replace(bundled_recipe(seed, options.steps), consistency=0.0, anchor=0.0)  # cheap, both alike
        ranker = fitted_ranker(corpus, fold, seed, licensed_only=False, recipe=recipe, config=NETWORK)
        train = [task for task in corpus.tasks() if task.parent not in fold.parents]
        fusion = train_fusion(ranker, train, corpus.models.zoo, corpus.tokens, known, steps=options.steps, seed=seed)
        print(f"{held} held out, trained after {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        for name in held:
            tested = [task for task in tasks if task.parent in fold.parents]
            for task, method, outcome in outcomes(corpus, tested, name, timed, predicted[name], ranker, fusion):
                regrets[method][task.table, task.dataset, name] += outcome
    report(regrets)
    print(json.dumps({"seconds": round(time.perf_counter() - begun)}))


def true_latency(corpus: PublishedCorpus, folder: Path) -> Latency:
    """Measured milliseconds an image of each model, or of the network of timm with the same layers."""
    place = {model_id: row for row, model_id in enumerate(corpus.starter.model_ids)}
    facts = transfergraph_facts(folder)
    twins = []
    for model_id in corpus.models.zoo.model_ids:
        described = published_model(model_id) or (hub_model(model_id, facts[model_id]) if model_id in facts else None)
        twins.append(place.get(model_id, place.get(described.layers_of or "", -1) if described else -1))
    index = np.array(twins)
    found = {}
    for name in GPUS + CPUS:
        device = find_device(name)
        measured = zoo_latency(corpus.starter, device, usual_batch(device))
        found[name] = (device, np.where(index >= 0, measured[index], np.nan))
    return found


def predicted_latency(
    corpus: PublishedCorpus, name: str, rows: object, held: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(milliseconds an image, upper end of the 90 % interval) by a predictor that no held-out device has taught."""
    device = find_device(name)
    group = [other for other in (GPUS if device.engine == "gpu" else CPUS) if other not in held]
    infer = rows[(rows.phase == "infer") & rows.device.isin(group)].reset_index(drop=True)  # type: ignore[attr-defined]
    learned, bundled = fit_utilisation(timings_of(infer)), load_utilisations()[device.engine]
    shapes = zoo_shapes(corpus.models.zoo)
    times = least_times(shapes, device, usual_batch(device))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = learned.scaled(shapes.features())
        times = times * learned.rate_factors(log_rates(device))
        logs = learned.log_latency(scaled, times, settings_array(compiled=device.engine == "cpu"))
        half = bundled.conformal["unseen"][0] * Spread.from_array(bundled.spread["residual"]).prior_deviation(scaled)
    logs = np.where(shapes.known, logs, np.nan)
    return np.exp(logs), np.exp(logs + half)


def outcomes(
    corpus: PublishedCorpus,
    tasks: list[Task],
    name: str,
    timed: Latency,
    predicted: tuple[np.ndarray, np.ndarray],
    ranker: CrossSightModel,
    fusion: CrossSightModel,
) -> Iterator[tuple[Task, str, list[tuple[float, bool]]]]:
    """(task, method, [(regret, whether the budget was broken)]) of every budget, on one device."""
    units = {table.id: 1.0 if "%" in table.unit else 100.0 for table in corpus.tables}
    rows = {model_id: row for row, model_id in enumerate(corpus.models.zoo.model_ids)}
    device, truth = timed[name]
    for task in tasks:
        index = np.array([rows[model_id] for model_id in task.models])
        usable = np.isfinite(truth[index]) & np.isfinite(predicted[0][index])
        if len(np.unique(truth[index[usable]])) < _LEAST:  # networks of one architecture know no budget
            continue
        index, accuracy = index[usable], task.scores[usable] * units[task.table]
        taken, value, high = truth[index], predicted[0][index], predicted[1][index]
        tokens = corpus.tokens[task.dataset][-1].values
        scores = scored(ranker, corpus.models.zoo, tokens, index)
        found = under_budgets(
            accuracy, taken, value, high, scores,
            told_the_budget(fusion, corpus.models.zoo, tokens, index, device),
        )  # fmt: skip
        for method, pairs in found.items():
            yield task, method, pairs


def under_budgets(
    accuracy: np.ndarray,
    taken: np.ndarray,
    value: np.ndarray,
    high: np.ndarray,
    scores: np.ndarray,
    fused_for: Callable[[float], np.ndarray],
) -> dict[str, list[tuple[float, bool]]]:
    """By method (regret, whether the budget was broken) of every budget.

    Args:
        accuracy: of M models, in points.
        taken, value, high: milliseconds an image: true, predicted, and the upper end of the prediction.
        scores: of a ranker that knows no device.
        fused_for: scores of a Fusion ranker under a budget.
    """
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for share in (np.arange(_BUDGETS) + 1) / _BUDGETS:
        budget = float(np.exp(np.quantile(np.log(taken), share))) * (1 + 1e-9)
        fused = fused_for(budget)
        named = {
            SHADOW: first_within(scores, high, budget),
            "shadow, likely value": first_within(scores, value, budget),
            "shadow, true latency": first_within(scores, taken, budget),
            FUSION: int(np.argmax(fused)),
            "fusion within shadow's limit": first_within(fused, high, budget),
            "accuracy alone": int(np.argmax(scores)),
            "the fastest by prediction": int(np.argmin(value)),
            "chance within the budget": int(rng.choice(np.flatnonzero(taken <= budget))),
        }
        for method, row in named.items():
            found[method].append(regret(accuracy, taken, budget, row))
    return found


def first_within(scores: np.ndarray, latency: np.ndarray, budget: float) -> int:
    """The best-scored model within the budget; where none is, the best-scored of the fastest."""
    within = latency <= budget
    return int(np.argmax(np.where(within if within.any() else latency == latency.min(), scores, -np.inf)))


def regret(accuracy: np.ndarray, taken: np.ndarray, budget: float, row: int) -> tuple[float, bool]:
    """(points lost, whether the budget was broken)."""
    within = accuracy[taken <= budget]
    broken = bool(taken[row] > budget)
    return float(within.max() - (within.min() if broken else accuracy[row])), broken


def scored(
    model: CrossSightModel,
    zoo: ZooIndex,
    tokens: np.ndarray,
    index: np.ndarray,
    hardware: np.ndarray | None = None,
) -> np.ndarray:
    """Scores of some models of a zoo on one dataset, by the views that the network reads."""
    views = {name: np.asarray(zoo.views[name][index], np.float32) for name in model.config.view_shapes}
    evidence = evidence_of(model, tokens, views)
    return model.score_zoo(tokens, views, evidence=evidence, hardware_token=hardware).scores[0].numpy()


def told_the_budget(
    fusion: CrossSightModel, zoo: ZooIndex, tokens: np.ndarray, index: np.ndarray, device: Device
) -> Callable[[float], np.ndarray]:
    """What Fusion scores some models of a zoo on one dataset for a limit on latency."""
    return lambda budget: scored(fusion, zoo, tokens, index, hardware_token(device, budget))


def report(regrets: dict[str, dict[tuple[str, str, str], list[tuple[float, bool]]]]) -> None:
    """Means over budgets, then over datasets and devices, then over tables; and what Fusion loses against Shadow."""
    for method, found in regrets.items():
        by_table = defaultdict(list)
        for (table, _, _), pairs in found.items():
            by_table[table].append(np.mean([lost for lost, _ in pairs]))
        broken = np.mean([flag for pairs in found.values() for _, flag in pairs])
        means = {table: round(float(np.mean(values)), 2) for table, values in sorted(by_table.items())}
        line = {"method": method, "regret": round(float(np.mean([*means.values()])), 2)}
        print(json.dumps(line | {"budget broken": round(float(broken), 3), "tables": means, "cases": len(found)}))
    shadow, fusion = (regrets[name] for name in (SHADOW, FUSION))
    for group, names in (("GPUs", GPUS), ("CPUs", CPUS), ("all", GPUS + CPUS)):
        _difference(group, {case: pairs for case, pairs in shadow.items() if case[2] in names}, fusion)


def _difference(group: str, shadow: dict, fusion: dict) -> None:
    """Regret of Fusion less Shadow's, with a 90 % interval over datasets drawn with replacement."""
    by_dataset = defaultdict(list)
    for case, pairs in shadow.items():
        lost, lost_by_shadow = (np.mean([regret for regret, _ in found]) for found in (fusion[case], pairs))
        by_dataset[case[1]].append(float(lost - lost_by_shadow))
    values = np.array([np.mean(found) for found in by_dataset.values()])
    rng = np.random.default_rng(0)
    draws = rng.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, (0.05, 0.95))
    said = {"fusion less shadow": round(float(values.mean()), 2), "low": round(float(low), 2)}
    print(json.dumps({"devices": group} | said | {"high": round(float(high), 2), "datasets": len(values)}))


def _joined(corpus: PublishedCorpus, timed: Latency) -> dict[str, object]:
    rows = {model_id: row for row, model_id in enumerate(corpus.models.zoo.model_ids)}
    pairs = {
        name: sum(int(np.isfinite(truth[[rows[m] for m in task.models]]).sum()) for task in corpus.tasks())
        for name, (_, truth) in timed.items()
    }
    return {"joined ground truth, results by device": pairs, "tables": len({t.table for t in corpus.tasks()})}


if __name__ == "__main__":
    main()
