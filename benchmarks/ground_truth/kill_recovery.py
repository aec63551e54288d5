"""Kills `ground-truth collect` at random moments, lets it finish, and compares with a run that nobody disturbed.

    python benchmarks/ground_truth/kill_recovery.py --zoo benchmarks/zoo --models 2 --kills 20

The dataset is `digits`, with few images and one epoch, so that the moments of death spread over all that a process
does: starting up, reading, training, writing. Compared are all columns that do not come from a clock.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from hf_crosssight.ground_truth.collected_table import TIMED
from hf_crosssight.ground_truth.record_store import key_of


def command(options: argparse.Namespace, models: list[str], out: Path) -> list[str]:
    """The command that is killed and repeated."""
    code = "from hf_crosssight.cli.ground_truth import app; app()"
    chosen = [part for model in models for part in ("--model", model)]
    return [sys.executable, "-c", code, "collect", "--zoo", str(options.zoo), *chosen, "--dataset", "digits",
            "--out", str(out), "--recipe", "knn", "--recipe", "head", "--recipe", "full", "--max-train", "150",
            "--epochs", "1", "--offline", "--format", "quiet"]  # fmt: skip


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
    folders = sorted(path.parent for path in options.zoo.glob("*/*/config.json"))[: options.models]
    models = [f"{folder.parent.name}/{folder.name}" for folder in folders]
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = Path(temporary) / "whole", Path(temporary) / "killed"
        begun = time.monotonic()
        subprocess.run(command(options, models, whole), check=True, capture_output=True)
        seconds = time.monotonic() - begun
        deaths = []
        while len(deaths) < options.kills:
            process = subprocess.Popen(command(options, models, killed), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)  # fmt: skip
            try:
                process.wait(timeout=rng.uniform(0.05, 1.0) * seconds)
                break  # it had got to its end before
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            deaths.append(len(written(killed)) if killed.exists() else 0)
        subprocess.run(command(options, models, killed), check=True, capture_output=True)
        keys = written(killed)
        told = {
            "kills": len(deaths), "records_at_each_kill": deaths, "records": len(keys),
            "records_twice": len(keys) - len(set(keys)), "equal_to_uninterrupted": results(killed) == results(whole),
            "uninterrupted_seconds": round(seconds, 1),
        }  # fmt: skip
        print(json.dumps(told))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
