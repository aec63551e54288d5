"""What `rank --refine K` costs beside ranking alone and beside running a whole zoo, in seconds of one core.

    python benchmarks/refinement_cost.py --zoo MODELS --dataset DATASET [--dataset ...] [--k 10]

For every dataset, from an empty feature cache: the ranking alone (dataset tokens included), running the best K models
(loading, forward passes and the fitted methods), and running all of them. What the ranks gain by it is printed by
`benchmarks/fit_refinement.py`. CPU seconds, since another process may be running; wall seconds beside them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.data import load_sample
from hf_crosssight.features import FeatureStore
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import find_ranker
from hf_crosssight.refinement.evidence import measure
from hf_crosssight.refinement.fusion import bundled_fusion
from hf_crosssight.scoring import best_first, score_candidates
from hf_crosssight.tokens.dataset import dataset_tokens
from hf_crosssight.tokens.image_encoder import default_encoder
from hf_crosssight.zoo import open_zoo
from hf_crosssight.zoo.model_folders import ModelFolders

STEPS = ("ranking alone", "best {k} run", "all run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--dataset", action="append", required=True)
    parser.add_argument("--k", type=int, default=10)
    options = parser.parse_args()
    silence_libraries()
    import torch

    torch.set_num_threads(1)
    ranker = find_ranker("bundled", client=HubClient(offline=True)).load()
    zoo = open_zoo(options.zoo, views=ranker.views)
    folders = ModelFolders(zoo, options.zoo, None)
    default_encoder()
    rows = []
    for dataset in options.dataset:
        with tempfile.TemporaryDirectory() as scratch:
            sample = load_sample(dataset, offline=True)
            seconds, order = timed(lambda: ranked(ranker, zoo, sample, scratch))  # noqa: B023
            found = [seconds]
            for ids in (order[: options.k], order):
                store = FeatureStore(Path(scratch) / f"features-{len(ids)}")
                seconds, _ = timed(lambda: measure(ids, sample, bundled_fusion().methods, folders, store=store))  # noqa: B023
                found.append(seconds)
        rows.append(found)
        told = "; ".join(
            f"{name.format(k=options.k)} {c:.2f} ({w:.2f})" for name, (c, w) in zip(STEPS, found, strict=True)
        )
        print(f"{sample.id}, {len(sample.images)} images, {len(zoo)} models, CPU (wall) s: {told}", flush=True)
    for name, column in zip(STEPS, np.moveaxis(np.array(rows), 1, 0), strict=True):
        cpu = column[:, 0]
        print(f"{name.format(k=options.k)}, CPU: median {np.median(cpu):.2f} s, {cpu.min():.2f} to {cpu.max():.2f}")


def ranked(ranker: Any, zoo: Any, sample: Any, scratch: str) -> list[str]:
    """Ids of the zoo's models, best first."""
    tokens = dataset_tokens(sample, default_encoder(), cache_dir=Path(scratch) / "tokens")
    scores = score_candidates(ranker.model, tokens.values, zoo).score
    return [zoo.model_ids[index] for index in best_first(scores, zoo.model_ids)]


def timed(run: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """CPU and wall seconds of a call, and what it returned."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run()
    return (time.process_time() - cpu, time.perf_counter() - wall), result


if __name__ == "__main__":
    main()
