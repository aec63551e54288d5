"""Trains a Fusion ranker from the bundled one: the same network with a hardware token in its memory.

    python benchmarks/train_fusion_ranker.py --ground-truth FOLDER --hub FOLDER --cache FOLDER --out FOLDER

    hf-crosssight rank --dataset digits --device rtx4090 --max-latency-ms 1 --method fusion --ranker FOLDER

Learns from all published tables whose models stand in timm's benchmark tables, on the six devices of those. About
two minutes on one core, once the dataset tokens are cached.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from hardware_fusion import true_latency

from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.training.fusion import train_fusion
from hf_crosssight.training.published_corpus import load_corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ground-truth", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--hub", type=Path, help="folder with datasets/ORG/NAME")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)

    def progress(step: str, done: int, total: int | None) -> None:
        print(f"\r{step}: {done}/{total}   ", end="", file=sys.stderr, flush=True)

    corpus = load_corpus(options.ground_truth, options.hub, cache_dir=options.cache)
    model = train_fusion(
        bundled_ranker(), corpus.tasks(), corpus.models.zoo, corpus.tokens,
        true_latency(corpus, options.ground_truth), steps=options.steps, seed=options.seed, progress=progress,
    )  # fmt: skip
    model.save_pretrained(options.out)


if __name__ == "__main__":
    main()
