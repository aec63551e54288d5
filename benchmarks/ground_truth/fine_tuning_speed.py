"""How many fine-tuning runs a core does in an hour, and the share of the time that is not spent in training steps.

    python benchmarks/ground_truth/fine_tuning_speed.py --zoo benchmarks/zoo --dataset DATASETS/cifar10 --models 12

Collects the recipe `full` for members of all families on one thread, into a table of its own. Time is told twice: on
the clock, which other work on the machine stretches, and as time of this process on a processor, which it does not.
The processor time counts all that `collect` does, the forward passes that are measured included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from hf_crosssight.cli.progress import ProgressLine
from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.ground_truth.collect import collect
from hf_crosssight.ground_truth.recipes import make_recipe
from hf_crosssight.ground_truth.throughput import throughput


def main(options: argparse.Namespace) -> None:
    """Collects and prints."""
    folders = sorted(path.parent for path in options.zoo.glob("*/*/config.json"))
    chosen = folders[:: max(len(folders) // options.models, 1)][: options.models]
    with tempfile.TemporaryDirectory() as out:
        begun, used = time.perf_counter(), time.process_time()
        collect(
            [str(folder) for folder in chosen], options.dataset, out, recipes=[make_recipe("full")],
            seeds=options.seeds, offline=True, progress=ProgressLine(),
        )  # fmt: skip
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        told = throughput(out)
    assert told is not None
    runs = told["training_runs"]
    print(json.dumps(told | {
        "models": len(chosen), "seconds": round(seconds, 1), "processor_seconds": round(used, 1),
        "runs_per_hour_on_the_clock": round(3600 * runs / seconds, 1),
        "runs_per_hour_of_a_core": round(3600 * runs / used, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--dataset", action="append", required=True)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1)
    silence_libraries()
    main(parser.parse_args())
