"""Compares what `rebuild.sh` made, or any part of it, with what is committed.

    python benchmarks/ground_truth/compare_rebuilt.py OUT

Looks for `OUT/zoo`, `OUT/table`, `OUT/zoo_index` and `OUT/features` and prints for each how much there is, how much of
it is the same bit for bit (of results: in all columns that do not come from a clock), and the largest difference.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from hf_crosssight.ground_truth.collected_table import TIMED

HERE = Path(__file__).parent
NOT_COMPARED = {*TIMED, "device", "versions"}


def summary(differences: list[float]) -> dict[str, Any]:
    """Of numbers that are 0 where something is the same bit for bit."""
    return {
        "compared": len(differences),
        "same": sum(difference == 0 for difference in differences),
        "largest_difference": max(differences, default=None),
    }


def arrays_apart(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> float:
    """Largest difference of the arrays of two files; infinite if they are not alike in names and shapes."""
    if {k: (v.shape, v.dtype) for k, v in first.items()} != {k: (v.shape, v.dtype) for k, v in second.items()}:
        return float("inf")
    return max(float(np.abs(first[k].astype(np.float64) - second[k].astype(np.float64)).max()) for k in first)


def zoo(rebuilt: Path) -> dict[str, Any]:
    """Weights of members."""
    apart = [
        arrays_apart(load_file(path), load_file(HERE.parent / "zoo" / path.relative_to(rebuilt)))
        for path in sorted(rebuilt.glob("*/*/model.safetensors"))
    ]
    return summary(apart)


def table(rebuilt: Path) -> dict[str, Any]:
    """Results by recipe; a row that is not the same counts with the difference of its accuracies."""
    found = {}
    for path in sorted(rebuilt.glob("data/*.parquet")):
        committed = {key_of(row): row for row in pq.read_table(HERE / "table/data" / path.name).to_pylist()}
        apart = [rows_apart(row, committed.get(key_of(row))) for row in pq.read_table(path).to_pylist()]
        found[path.stem] = summary(apart)
    return found


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which result a row is."""
    return row["model_id"], row["dataset_id"], row["seed"]


def rows_apart(row: Mapping[str, Any], other: Mapping[str, Any] | None) -> float:
    """0 for equal rows, else the difference of accuracies; infinite where only one has one."""
    if other is None or (row["accuracy"] is None) != (other["accuracy"] is None):
        return float("inf")
    if all(row[name] == other[name] for name in row if name not in NOT_COMPARED):
        return 0.0
    return max(abs((row["accuracy"] or 0.0) - (other["accuracy"] or 0.0)), 1e-12)


def features(rebuilt: Path) -> dict[str, Any]:
    """Features on the reference tasks, as they are kept."""
    apart = []
    for path in sorted(rebuilt.glob("*.npz")):
        with np.load(path) as first, np.load(HERE / "features" / path.name) as second:
            apart.append(arrays_apart(dict(first), dict(second)))
    return summary(apart)


def zoo_index(rebuilt: Path) -> dict[str, Any]:
    """Shards of views; their names hold a hash of their content."""
    apart = []
    for path in sorted(rebuilt.glob("*.safetensors")):
        view = path.name.split("-")[0]
        [committed] = (HERE / "zoo_index").glob(f"{view}-*.safetensors")
        apart.append(arrays_apart(load_file(path), load_file(committed)))
    return summary(apart)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    parts = {"zoo": zoo, "table": table, "zoo_index": zoo_index, "features": features}
    print(
        json.dumps({name: compare(out / name) for name, compare in parts.items() if (out / name).is_dir()}, indent=1)
    )
