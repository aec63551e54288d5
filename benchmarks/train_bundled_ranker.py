"""Trains the ranker that ships with the package and writes it, with its card.

    python benchmarks/train_bundled_ranker.py --ground-truth FOLDER --hub FOLDER --out hf_crosssight/assets/ranker

What the dataset may change (the gate, the weight of the word match) is chosen on held-out parents, then the ranker is
trained on everything with it. One core, about four minutes, once the dataset tokens are cached. Afterwards
`evaluate_published.py --write` and `card_figures.py` measure the recipe and take the figures to its card.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from hf_crosssight.ground_truth.tables import Task, split_by_parent
from hf_crosssight.publishing.ranker import ranker_card
from hf_crosssight.training import RankerRecipe, save_ranker, train_ranker
from hf_crosssight.training.bundled import (
    LIMITS,
    NETWORK,
    bundled_recipe,
    tables_learnt_from,
    validation_parents,
)
from hf_crosssight.training.published_corpus import Progress, PublishedCorpus, load_corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ground-truth", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--hub", type=Path, help="folder with datasets/ORG/NAME and models/ORG/NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--tables", choices=("licensed", "all"), default="all")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gate", type=float, help="factor on the dataset's part, with --match: skips the choice")
    parser.add_argument("--match", type=float, help="weight of the word match")
    options = parser.parse_args()
    torch.set_num_threads(1)

    def progress(step: str, done: int, total: int | None) -> None:
        print(f"\r{step}: {done}/{total}   ", end="", file=sys.stderr, flush=True)

    corpus = load_corpus(options.ground_truth, options.hub, cache_dir=options.cache, progress=progress)
    started = time.perf_counter()
    tasks = corpus.tasks(licensed_only=options.tables == "licensed")
    recipe = bundled_recipe(options.seed, options.steps)
    if options.gate is None or options.match is None:
        recipe = _choose_dataset_part(corpus, tasks, recipe, progress)
    else:
        recipe = replace(recipe, gates=(options.gate,), match_weights=(options.match,))
    print(f"gate {recipe.gates[0]:.4f}, match {recipe.match_weights[0]:.4f}", file=sys.stderr)
    trained = train_ranker(
        tasks, corpus.models.zoo, corpus.tokens, consistency_zoo=corpus.starter, texts=corpus.texts,
        recipe=recipe, config=NETWORK, progress=progress,
    )  # fmt: skip
    used = {task.table for task in tasks}
    record = {
        "tables": tables_learnt_from(corpus.tables, used), "limits": LIMITS,
        "seconds": round(time.perf_counter() - started), "device": f"one core of an {platform.machine()} machine",
        "carbon_g": None,
    }  # fmt: skip
    save_ranker(trained.model, options.out, ranker_card(trained.model, str(options.out), "apache-2.0", record), record)
    size = sum(path.stat().st_size for path in options.out.iterdir()) / 1e6
    print(f"\n{options.out}: {size:.1f} MB, trained in {record['seconds']} s", file=sys.stderr)


def _choose_dataset_part(
    corpus: PublishedCorpus, tasks: list[Task], recipe: RankerRecipe, progress: Progress
) -> RankerRecipe:
    """The recipe with the gate and the match's weight that serve best, in the mean over three held-out quarters."""
    auxiliary = frozenset(table.id for table in corpus.tables if table.auxiliary)
    gates, weights = [], []
    for number in range(3):
        held_out = validation_parents(tasks, 0.25, recipe.seed + number, auxiliary)
        kept, validation = split_by_parent(tasks, held_out)
        trained = train_ranker(
            kept, corpus.models.zoo, corpus.tokens, validation=validation, consistency_zoo=corpus.starter,
            recipe=recipe, config=NETWORK, progress=progress,
        )  # fmt: skip
        assert trained.match_weight is not None
        gates.append(trained.gate)
        weights.append(trained.match_weight)
        print(
            f"\nwithout {', '.join(sorted(held_out))}: gate {trained.gate}, match {trained.match_weight:.2f}, "
            f"validation weighted tau {trained.validation:.3f} at update {trained.steps}",
            file=sys.stderr,
        )
    return replace(recipe, gates=(fmean(gates),), match_weights=(fmean(weights),))


if __name__ == "__main__":
    main()
