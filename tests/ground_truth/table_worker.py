"""A process that fills a table with pieces of two records each: what `collect` does, without its training."""

from __future__ import annotations

import sys
import time
from functools import partial

from hf_crosssight.ground_truth.record_store import Record, RecordStore, key_of
from hf_crosssight.ground_truth.work_queue import Piece, work_through

PIECES = 40


def about(number: int, seed: int) -> Record:
    return {"kind": "result", "model_id": f"m{number:02}", "dataset_id": "d", "recipe": "full", "seed": seed}


def run(number: int, seconds: float, store: RecordStore) -> None:
    for seed in (0, 1):
        if store.get(key_of(about(number, seed))) is None:
            time.sleep(seconds)
            padding = "x" * (5000 * (number % 3))  # lines longer than a pipe's or a page's worth
            store.append(about(number, seed) | {"status": "ok", "accuracy": number / (seed + 2), "padding": padding})


def fill(folder: str, seconds: float) -> int:
    with RecordStore(folder) as store:
        pieces = [
            Piece(f"m{number}", tuple(key_of(about(number, seed)) for seed in (0, 1)), partial(run, number, seconds))
            for number in range(PIECES)
        ]
        return work_through(store, pieces)


if __name__ == "__main__":
    sys.exit(fill(sys.argv[1], float(sys.argv[2])))
