"""Kills `ground-truth collect` at random moments, lets it finish, and compares with a run that nobody disturbed.

    python benchmarks/ground_truth/kill_recovery.py --model benchmarks/zoo/lineage-zoo/resnet-3-hoda-digits --kills 20

The dataset is `digits`, with few images and one epoch. Each process is forked from one that has imported everything,
so that the moments of death, uniform over an undisturbed run's length, fall into reading, training and writing and not
into start-up. It is killed with signal 9 and started again until the table is whole; then the next table is begun,
until there were as many deaths as asked for. Compared are all columns that do not come from a clock.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from hf_crosssight.cli.quiet import silence_libraries
from hf_crosssight.ground_truth.collect import collect
from hf_crosssight.ground_truth.collected_table import TIMED
from hf_crosssight.ground_truth.recipes import make_recipe
from hf_crosssight.ground_truth.record_store import key_of

FORKED = multiprocessing.get_context("fork")
RECIPES = [make_recipe("knn"), make_recipe("head"), make_recipe("full", max_train=150, epochs=1)]


def fill(models: list[str], out: Path) -> None:
    """What is killed and repeated."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    collect(models, ["digits"], out, recipes=RECIPES, subsets=8, offline=True)


def run(models: list[str], out: Path, seconds: float | None = None) -> bool:
    """Whether a process got to its end; after `seconds` it is killed."""
    process = FORKED.Process(target=fill, args=(models, out))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return False
    if process.exitcode != 0:
        raise SystemExit(f"the process ended with {process.exitcode}")
    return True


def results(folder: Path) -> dict[str, list[dict[str, object]]]:
    """The rows of each table, clocks left out."""
    return {
        path.name: [{k: v for k, v in row.items() if k not in TIMED} for row in pq.read_table(path).to_pylist()]
        for path in sorted((folder / "data").glob("*.parquet"))
    }


def written(folder: Path) -> list[tuple[str, ...]]:
    """The keys of all whole lines in the record files."""
    lines = [line for path in (folder / "records").glob("*.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]
    return [key_of(json.loads(line)) for line in lines]


def main(options: argparse.Namespace) -> None:
    """Prints how often it was killed, at how many records, and whether the tables are equal."""
    rng = random.Random(options.seed)
    deaths: list[list[int]] = []
    equal = twice = 0
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole"
        begun = time.monotonic()
        run(options.model, whole)
        seconds = time.monotonic() - begun
        while sum(map(len, deaths)) < options.kills:
            killed = Path(temporary) / f"killed-{len(deaths)}"
            deaths.append([])
            while sum(map(len, deaths)) < options.kills and not run(options.model, killed, rng.uniform(0, seconds)):
                deaths[-1].append(len(written(killed)))
            run(options.model, killed)
            keys = written(killed)
            twice += len(keys) - len(set(keys))
            equal += results(killed) == results(whole)
        print(json.dumps({
            "kills": sum(map(len, deaths)), "tables": len(deaths), "equal_to_uninterrupted": equal,
            "records_at_each_kill": deaths, "records": len(written(whole)), "records_twice": twice,
            "uninterrupted_seconds": round(seconds, 1),
        }))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", required=True, help="folder of a model; repeat")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    silence_libraries()
    main(parser.parse_args())
