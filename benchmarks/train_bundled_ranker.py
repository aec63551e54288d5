"""Trains the ranker that ships with the package and writes it, with its card.

    python benchmarks/train_bundled_ranker.py --ground-truth FOLDER --hub FOLDER --out hf_crosssight/assets/ranker

The factor on the dataset's part is chosen on held-out parents, then the ranker is trained on everything with it.
One core, about two minutes, once the dataset tokens are cached.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from hf_crosssight.training import save_ranker, split_by_parent, train_ranker
from hf_crosssight.training.bundled import NETWORK, bundled_recipe, table_of_licences, validation_parents
from hf_crosssight.training.published_corpus import PublishedCorpus, load_corpus

_CARD = Path(__file__).parents[1] / "model_card_templates" / "bundled_ranker.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ground-truth", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--hub", type=Path, help="folder with datasets/ORG/NAME and models/ORG/NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--tables", choices=("licensed", "all"), default="all")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)

    def progress(step: str, done: int, total: int | None) -> None:
        print(f"\r{step}: {done}/{total}   ", end="", file=sys.stderr, flush=True)

    corpus = load_corpus(options.ground_truth, options.hub, cache_dir=options.cache, progress=progress)
    started = time.perf_counter()
    tasks = corpus.tasks(licensed_only=options.tables == "licensed")
    gate, score = _choose_gate(corpus, options.tables == "licensed", options.steps, options.seed, progress)
    print(f"\nfactor on the dataset's part {gate}, validation weighted tau {score:.3f}", file=sys.stderr)
    trained = train_ranker(
        tasks, corpus.models.zoo, corpus.tokens, consistency_zoo=corpus.starter, texts=corpus.texts,
        recipe=bundled_recipe(options.seed, options.steps), config={**NETWORK, "gate_scale": gate}, progress=progress,
    )  # fmt: skip
    used = {task.table for task in tasks}
    readme = _CARD.read_text(encoding="utf-8").replace("{{ tables }}", table_of_licences(corpus.tables, used))
    save_ranker(trained.model, options.out, readme)
    size = sum(path.stat().st_size for path in options.out.iterdir()) / 1e6
    print(f"\n{options.out}: {size:.1f} MB, trained in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def _choose_gate(corpus: PublishedCorpus, licensed_only: bool, steps: int, seed: int, progress) -> tuple[float, float]:
    """Gate that validates best on parents held out of a training of the same length."""
    tasks = corpus.tasks(licensed_only=licensed_only)
    auxiliary = frozenset(table.id for table in corpus.tables if table.auxiliary)
    held_out = validation_parents(tasks, 0.25, seed, auxiliary)
    kept, validation = split_by_parent(tasks, held_out)
    trained = train_ranker(
        kept, corpus.models.zoo, corpus.tokens, validation=validation, consistency_zoo=corpus.starter,
        recipe=bundled_recipe(seed, steps), config=NETWORK, progress=progress,
    )  # fmt: skip
    assert trained.validation is not None
    return trained.gate, trained.validation


if __name__ == "__main__":
    main()
