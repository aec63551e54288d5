"""Evaluates the ranker's recipe on datasets, models and both that it did not see, beside the baselines.

    python benchmarks/evaluate_published.py --ground-truth FOLDER --hub FOLDER --cache FOLDER --seeds 2

Each fold holds out a fifth of the parents and a fifth of the lineages of all tables; a ranker is trained on the rest
(stopped and gated on further parents held out of it) and scores the blind part. Two rankers: on all tables, and on
those with a licence and our own results alone; both are tested on all tables. One core: about a minute a training.
`--write` puts the figures into the section "Ranker" of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch

from hf_crosssight.evaluation.ceiling import ceilings
from hf_crosssight.evaluation.quadrants import BLIND_DATASETS, QUADRANTS, folds_of
from hf_crosssight.evaluation.report import Outcome, bootstrap_interval, mean_over_tables, overall, per_table
from hf_crosssight.ground_truth.hub_models import transfergraph_facts
from hf_crosssight.training.blind_evaluation import baselines_of, evaluate_fold, fitted_ranker, ranker_predictors
from hf_crosssight.training.bundled import NETWORK, bundled_recipe
from hf_crosssight.training.published_corpus import PublishedCorpus, load_corpus

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADING = "## Ranker"
RANKERS = {"ranker (licensed tables)": True, "ranker (all tables)": False}
COMPARED = ("params", "gmacs", "source accuracy", "static mean rank", "nearest dataset", "ridge", "trees")
METRICS = ("weighted_tau", "weighted_tau_true_rank", "regret_at_1", "regret_at_5", "ndcg_at_5")


def main() -> None:
    options = _options()
    if options.render:
        _render(options)
        return
    torch.set_num_threads(1)
    started = time.perf_counter()
    corpus = load_corpus(options.ground_truth, options.hub, cache_dir=options.cache)
    outcomes: list[Outcome] = []
    for found in _all_folds(corpus, options):
        outcomes += found
        if options.outcomes:
            options.outcomes.write_bytes(pickle.dumps((outcomes, time.perf_counter() - started, _commit())))
    text = _section(corpus, outcomes, options, time.perf_counter() - started, _commit())
    print(text)
    if options.write:
        _replace_section(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ground-truth", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--hub", type=Path, help="folder with datasets/ORG/NAME and models/ORG/NAME")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--outcomes", type=Path, help="also write every outcome there (pickle)")
    parser.add_argument("--render", type=Path, help="only write the section again, from outcomes written before")
    parser.add_argument("--write", action="store_true", help="write the section of RESULTS.md")
    return parser.parse_args()


def _render(options: argparse.Namespace) -> None:
    outcomes, seconds, commit = pickle.loads(options.render.read_bytes())
    corpus = load_corpus(options.ground_truth, options.hub, cache_dir=options.cache)
    text = _section(corpus, outcomes, options, seconds, commit)
    print(text)
    if options.write:
        _replace_section(text)


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def _all_folds(corpus: PublishedCorpus, options: argparse.Namespace) -> Iterator[list[Outcome]]:
    stated = {
        model: float(row["pretrain_accuracy"]) * 100 if row.get("pretrain_accuracy") else None
        for model, row in transfergraph_facts(options.ground_truth).items()
    }
    tested = corpus.tasks(auxiliary=False)
    for seed in range(options.seeds):
        for number, fold in enumerate(folds_of(tested, corpus.models.lineage, options.folds, seed)):
            print(f"seed {seed}, fold {number + 1} of {options.folds}", file=sys.stderr, flush=True)
            methods = baselines_of(corpus, fold, seed, stated)
            for name, licensed_only in RANKERS.items():
                model = fitted_ranker(
                    corpus, fold, seed, licensed_only=licensed_only, recipe=bundled_recipe(seed, options.steps),
                    config=NETWORK,
                )  # fmt: skip
                methods.update(ranker_predictors(name, model, corpus, seed))
            yield list(evaluate_fold(corpus, fold, seed, methods))


def _section(
    corpus: PublishedCorpus, outcomes: list[Outcome], options: argparse.Namespace, seconds: float, commit: str
) -> str:
    methods = list(dict.fromkeys(outcome.method for outcome in outcomes))
    lines = [HEADING, "", *_preamble(corpus, outcomes, options, seconds, commit)]
    for quadrant in QUADRANTS:
        lines += [
            f"### {quadrant.capitalize()}",
            "",
            "Weighted tau (`weighted_tau`), per table (number of datasets):",
            "",
        ]
        lines += [per_table(outcomes, quadrant, methods, "weighted_tau"), "", "Means over tables, all metrics:", ""]
        lines += [overall(outcomes, quadrant, methods, METRICS), ""]
    lines += ["### Differences on blind datasets", "", *_differences(outcomes), ""]
    lines += ["### Noise ceiling", "", *_ceiling_lines(corpus)]
    return "\n".join(lines) + "\n"


def _preamble(
    corpus: PublishedCorpus, outcomes: list[Outcome], options: argparse.Namespace, seconds: float, commit: str
) -> list[str]:
    command = "python benchmarks/evaluate_published.py --ground-truth FOLDER --hub FOLDER --cache FOLDER "
    flags = f"--folds {options.folds} --seeds {options.seeds} --steps {options.steps} --write"
    parents = len({outcome.parent for outcome in outcomes})
    images = sum(any(sample.has_images for sample in samples) for samples in corpus.tokens.values())
    return [
        f"`{command}{flags}`",
        "",
        f"{date.today().isoformat()}, commit {commit}, {platform.processor() or platform.machine()}, "
        f"{os.cpu_count()} cores (one used), torch {torch.__version__}; {seconds / 60:.0f} min.",
        "",
        f"{len({o.dataset for o in outcomes})} datasets of {parents} parents ({images} of the {len(corpus.tokens)} "
        "known ones with images, the others by their words alone), "
        f"{len(corpus.models.zoo)} models of {len(set(corpus.models.lineage.values()))} lineages. A fold holds out "
        "parents and lineages together, so all three quadrants come from one training. Self-transfer pairs are left "
        "out, and so are tasks with fewer than five models in a quadrant. Baselines are fitted to the known part of "
        "*all* tables. Regret is in points of a table's measure. ± is the standard deviation over seeds (each with "
        "its own folds).",
        "",
    ]


def _differences(outcomes: list[Outcome]) -> list[str]:
    """Paired differences to each baseline, parents drawn with replacement."""
    blind = [outcome for outcome in outcomes if outcome.quadrant == BLIND_DATASETS]
    by_method = {name: [o for o in blind if o.method == name] for name in {o.method for o in blind}}
    lines = [
        "Difference in weighted tau over the tasks that both rank; 90 % interval by a bootstrap over parents.",
        "",
        "| ranker | against | difference | interval |",
        "|---|---|---:|---:|",
    ]
    for ranker in RANKERS:
        against = [*COMPARED, f"{ranker}, static part", f"{ranker}, shuffled datasets"]
        for other in against:
            mean, low, high = bootstrap_interval(by_method[ranker], by_method.get(other, []), "weighted_tau")
            lines.append(f"| {ranker} | {other} | {mean:+.3f} | {low:+.3f} to {high:+.3f} |")
    lines += ["", *_verdict(by_method)]
    licensed, every = (mean_over_tables(by_method[name], "weighted_tau") for name in RANKERS)
    lines += ["", f"Licensed tables alone against all tables: {licensed - every:+.3f} weighted tau on blind datasets."]
    return lines


def _verdict(by_method: dict[str, list[Outcome]]) -> list[str]:
    """Which baselines each ranker beats on blind datasets, by the interval: beaten, not told apart, or better."""
    lines = []
    for ranker in RANKERS:
        groups: dict[str, list[str]] = {"beats": [], "cannot be told apart from": [], "loses to": []}
        for other in COMPARED:
            _, low, high = bootstrap_interval(by_method[ranker], by_method.get(other, []), "weighted_tau")
            key = "beats" if low > 0 else "loses to" if high < 0 else "cannot be told apart from"
            groups[key].append(other)
        told = "; ".join(f"{verb} {', '.join(names)}" for verb, names in groups.items() if names)
        lines.append(f"On blind datasets the {ranker} {told}.")
    return lines


def _ceiling_lines(corpus: PublishedCorpus) -> list[str]:
    lines = []
    for table in corpus.tables:
        found = ceilings(table)
        if found:
            between = np.mean([one.between_seeds for one in found])
            truth = np.mean([one.with_truth for one in found])
            lines.append(
                f"{table.id}: weighted tau between two seeds {between:.3f}, of the published mean with endless seeds "
                f"{truth:.3f} ({len(found)} datasets run twice). The other tables have one run a pair."
            )
    return lines


def _replace_section(text: str) -> None:
    """Puts the section into RESULTS.md, leaving the others alone."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "# Results\n"
    before, found, after = old.partition(HEADING + "\n")
    rest = after[after.index("\n## ") + 1 :] if found and "\n## " in after else ""
    joined = before.rstrip() + "\n\n" + text + ("\n" + rest if rest else "")
    temporary = RESULTS.with_suffix(".tmp")
    temporary.write_text(joined, encoding="utf-8")
    os.replace(temporary, RESULTS)


if __name__ == "__main__":
    main()
