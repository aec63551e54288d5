"""How long scoring takes: 1,000, 10,000 and 100,000 models on one dataset, intervals included, with cached tokens.

Views have the shapes and the float16 type of a zoo index, tokens those of the default encoder; values are random, as
time does not depend on them. Each size runs in a process of its own, so that peak memory is that size's own.

    python benchmarks/score_models.py                      # prints a table; exit code 1 if a claim does not hold
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

SIZES = (1_000, 10_000, 100_000)
BUDGET_S = 4.0
SPREAD_PER_MODEL = 1.25
TOKENS = 66
REFERENCES = 40


def measure(models: int, repeats: int, threads: int, preset: str) -> dict[str, float]:
    """Seconds for one size (median, least, most of the repeats; CPU) and memory in MB, before and at its peak."""
    import numpy as np
    import torch

    from hf_crosssight.models import CrossSightConfig, CrossSightModel

    torch.set_num_threads(threads)
    config = CrossSightConfig.from_preset(preset)
    ranker = CrossSightModel(config).eval()
    rng = np.random.default_rng(0)
    views = {name: _random_view(rng, models, *shape) for name, shape in config.view_shapes.items()}
    masks = {name: rng.random(models) < 0.9 for name in views}
    tokens = _random_tokens(rng, config, TOKENS)
    ranker.set_references([_random_tokens(rng, config, TOKENS) for _ in range(REFERENCES)])
    before = _peak_mb()
    ranker.score_zoo(tokens, views, masks)
    repeats = max(repeats, min(50, 100_000 // models))
    seconds, cpu_seconds = [], []
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        output = ranker.score_zoo(tokens, views, masks)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    assert output.scores is not None
    assert output.scores.shape == (1, models)
    assert bool(torch.isfinite(output.scores).all())
    return {
        "median": float(np.median(seconds)),
        "least": min(seconds),
        "most": max(seconds),
        "cpu": min(cpu_seconds),
        "before_mb": before,
        "peak_mb": _peak_mb(),
    }


def _random_view(rng, models: int, rows: int, columns: int):
    import numpy as np

    view = np.empty((models, rows, columns), dtype=np.float16)
    for start in range(0, models, 10_000):
        part = view[start : start + 10_000]
        part[...] = rng.standard_normal(part.shape, dtype=np.float32)
    view[..., 0] = rng.random((models, rows)) < 0.8
    view[:, 0, 0] = 1
    return view


def _random_tokens(rng, config, count: int):
    """Prototypes, a global token and a text token."""
    import numpy as np

    tokens = np.zeros((count, config.dataset_token_dim), dtype=np.float32)
    for kind, part, rows in (
        (0, "prototype", slice(0, -2)),
        (1, "global", slice(-2, -1)),
        (2, "text", slice(-1, None)),
    ):
        start, stop = config.dataset_layout[part]
        tokens[rows, start:stop] = rng.standard_normal(tokens[rows, start:stop].shape)
        tokens[rows, config.dataset_layout["kind"][0] + kind] = 1
    return tokens


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_own_process(models: int, arguments: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--models", str(models), "--repeats", str(arguments.repeats)]
    command += ["--threads", str(arguments.threads), "--preset", arguments.preset]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="at least as many timed runs a size")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--models", type=int, help="measure this size alone, print JSON")
    arguments = parser.parse_args()
    if arguments.models:
        print(json.dumps(measure(arguments.models, arguments.repeats, arguments.threads, arguments.preset)))
        return 0
    results = {models: _in_own_process(models, arguments) for models in SIZES}
    print(" models   median s  (least to most)     CPU s  us/model  peak MB  of which scoring MB")
    for models, r in results.items():
        scoring_mb = r["peak_mb"] - r["before_mb"]
        print(
            f"{models:>7}  {r['median']:9.3f}  ({r['least']:.3f} to {r['most']:.3f})"
            f"  {r['cpu']:8.3f}  {r['least'] / models * 1e6:8.1f}"
            f"  {r['peak_mb']:7.0f}  {scoring_mb:10.0f}"
        )
    # The least of the repeats: what the code takes; the others hold what else the machine did meanwhile.
    per_model = [r["least"] / models for models, r in results.items()]
    ratio = max(per_model) / min(per_model)
    total = results[SIZES[-1]]["least"]
    print(f"time per model, largest over smallest: {ratio:.2f} (claim: at most {SPREAD_PER_MODEL})")
    print(f"100,000 models: {total:.2f} s (claim: under {BUDGET_S} s)")
    return int(ratio > SPREAD_PER_MODEL or total >= BUDGET_S)


if __name__ == "__main__":
    sys.exit(main())
