"""How long does every transferability method take, and how much memory, as N, D and C grow, beside public code?

    python benchmarks/transferability_speed.py [TIMING.csv] [--method logme] [--quick] [--largest]

CPU seconds on one thread (set OMP_NUM_THREADS=1 before starting Python), the best of a few runs; memory is the most
that a call allocates beyond its inputs. With TIMING.csv (method, N, D, C, Cs, cpu_seconds of public implementations,
one thread) every time stands beside the fastest recorded one. Where transformer-ranker can be imported (it is no
dependency: `pip install --no-deps transformer-ranker torchmetrics lightning-utilities` in an environment to throw
away), its LogME, H-score and kNN run on the same inputs in the same process; what they take here over what was
recorded for them is how fast this machine is beside the recording one, and ratios are scaled by it. A fixed matrix
product and SVD are timed as well. `--quick` leaves out N = 8,000 with D = 2,048; `--largest` adds LogME at N = 10,000,
D = 2,048, C = 100 by both of its routes.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.transferability import METHODS, score
from hf_crosssight.transferability.classes import one_hot
from hf_crosssight.transferability.logme import evidence
from hf_crosssight.transferability.spectrum import spectrum

Size = tuple[int, int, int, int]
SIZES: tuple[Size, ...] = (
    (500, 256, 10, 100),
    (2000, 256, 10, 100),
    (8000, 256, 10, 100),
    (500, 2048, 10, 100),
    (2000, 2048, 10, 100),
    (8000, 2048, 10, 100),
    (2000, 256, 100, 100),
    (2000, 256, 10, 1000),
)
# transformer-ranker's estimators: module, class, and the method of ours and of TIMING.csv that each is.
PEERS = {
    "logme": ("logme", "LogME", "LogME"),
    "hscore_regularized": ("hscore", "HScore", "regularised H-Score"),
    "knn": ("nearestneighbors", "NearestNeighbors", "kNN (leave one out)"),
}
# The recorded method that ours stands against.
RECORDED = {
    "nce": "NCE",
    "leep": "LEEP",
    "nleep": "N-LEEP",
    "logme": "LogME",
    "hscore": "H-Score",
    "hscore_regularized": "regularised H-Score",
    "otce": "OTCE",
    "pactran_dirichlet": "PACTran-Dirichlet",
    "pactran_gamma": "PACTran-Gamma",
    "pactran_gaussian": "PACTran-Gaussian",
    "gbc": "GBC",
    "lfc": "LFC",
    "parc": "PARC",
    "sfda": "SFDA",
    "ncti": "NCTI",
    "etran": "ETran: LDA part",
    "transrate": "TransRate",
    "knn": "kNN (leave one out)",
    "emms": "EMMS' weighted least squares",
}


@dataclass(frozen=True)
class Measured:
    """One method at one size: CPU seconds and MiB of ours, seconds of transformer-ranker, recorded seconds."""

    method: str
    size: Size
    seconds: float
    memory: float
    direct: float | None
    recorded: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("timing", type=Path, nargs="?")
    parser.add_argument("--method", action="append", default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--largest", action="store_true")
    options = parser.parse_args()
    recorded, theirs = read_recorded(options.timing) if options.timing else ({}, {})
    print(f"calibration: {calibration()}")
    found = []
    for size in SIZES[:5] + SIZES[6:] if options.quick else SIZES:
        inputs = make_inputs(*size)
        for method in options.method or METHODS:
            found.append(measure(method, size, inputs, recorded.get((RECORDED.get(method, ""), *size))))
            print(line(found[-1]), flush=True)
    summarise(found, theirs)
    if options.largest:
        largest()


def measure(method: str, size: Size, inputs: dict[str, Any], recorded: float | None) -> Measured:
    """Time and memory of one method on one size."""
    if size[0] * size[1] < 1_000_000:
        # Modules that the first call imports are not the method's.
        score(method, **inputs)
    tracemalloc.start()
    score(method, **inputs)
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    seconds = timed(lambda: score(method, **inputs))
    return Measured(method, size, seconds, memory, transformer_ranker(method, inputs), recorded)


def transformer_ranker(method: str, inputs: dict[str, Any]) -> float | None:
    """CPU seconds of transformer-ranker's estimator, None without it."""
    if method not in PEERS or importlib.util.find_spec("transformer_ranker") is None:
        return None
    import torch

    torch.set_num_threads(1)
    module, name, _ = PEERS[method]
    estimator = getattr(importlib.import_module(f"transformer_ranker.estimators.{module}"), name)
    features, labels = torch.tensor(inputs["features"]), torch.tensor(inputs["labels"])
    return timed(lambda: estimator(regression=False).fit(embeddings=features, labels=labels))


def line(row: Measured) -> str:
    """One row of the table."""
    beside = f"  recorded {row.recorded:8.4f} s, ratio {row.seconds / row.recorded:5.2f}" if row.recorded else ""
    if row.direct:
        beside += f"  transformer-ranker {row.direct:8.4f} s, ratio {row.seconds / row.direct:5.2f}"
    count, dims, classes, source = row.size
    return (
        f"N {count:5} D {dims:4} C {classes:3} Cs {source:4}  {row.method:18} {row.seconds:8.4f} s "
        f"{row.memory:7.1f} MiB{beside}"
    )


def summarise(found: list[Measured], theirs: dict[tuple[object, ...], float]) -> None:
    """What is slower than public code, and all together."""
    known = [
        (row, theirs[PEERS[row.method][2], *row.size])
        for row in found
        if row.direct and (PEERS[row.method][2], *row.size) in theirs
    ]
    factor = 1.0
    if known:
        factor = sum(float(row.direct or 0.0) for row, _ in known) / sum(seconds for _, seconds in known)
        print(
            f"transformer-ranker takes {factor:.2f} of what was recorded for it: recorded seconds are scaled by that"
        )
        ours, direct = sum(row.seconds for row, _ in known), sum(float(row.direct or 0.0) for row, _ in known)
        print(
            f"beside transformer-ranker in the same run: {ours:.2f} s for {direct:.2f} s, {direct / ours:.1f} x faster"
        )
    compared = [row for row in found if row.recorded]
    if not compared:
        return
    total, public = sum(row.seconds for row in compared), sum(float(row.recorded or 0.0) for row in compared)
    print(
        f"{len(compared)} comparisons, all together {total:.1f} s for {public * factor:.1f} s scaled ({public:.1f} s ",
        end="",
    )
    print(f"recorded): {public * factor / total:.1f} x faster")
    ratios = defaultdict(list)
    for row in compared:
        ratios[row.method].append((row.seconds / (float(row.recorded or 0.0) * factor), row.size))
    for method, values in ratios.items():
        worst, size = max(values)
        middle = float(np.median([value for value, _ in values]))
        note = "  SLOWER" if worst > 1.1 else ""
        print(f"  {method:18} median ratio {middle:5.2f}, worst {worst:5.2f} at N, D, C, Cs = {size}{note}")


def make_inputs(count: int, dims: int, classes: int, source_classes: int) -> dict[str, Any]:
    """Class clusters with a decaying spectrum, so that no method meets a degenerate case."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    centres = rng.normal(size=(classes, dims))
    features = np.maximum((rng.normal(size=(count, dims)) + centres[labels]) * np.linspace(2.0, 0.1, dims), 0.0)
    logits = rng.normal(size=(count, source_classes)) + 3.0 * rng.normal(size=(classes, source_classes))[labels]
    probabilities = np.exp(logits)
    return {
        "features": features.astype(np.float32),
        "labels": labels,
        "source_probs": (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32),
        "source_features": rng.normal(size=(250, dims)).astype(np.float32),
        "source_labels": np.arange(250) % 10,
        "label_embeddings": rng.normal(size=(classes, 16, 3)),
    }


def timed(run: Callable[[], object]) -> float:
    """CPU seconds of one run: the best of up to five, within about two seconds."""
    best, spent = np.inf, 0.0
    for _ in range(5):
        start = time.process_time()
        run()
        taken = time.process_time() - start
        best, spent = min(best, taken), spent + taken
        if spent > 2.0:
            break
    return float(best)


def calibration() -> str:
    """CPU seconds of a fixed matrix product and SVD on this machine."""
    matrix = np.random.default_rng(0).normal(size=(1500, 1500))
    product = timed(lambda: matrix @ matrix)
    factors = timed(lambda: np.linalg.svd(matrix[:, :800], full_matrices=False))
    return f"1500 x 1500 product {product:.3f} s, 1500 x 800 SVD {factors:.3f} s"


def largest() -> None:
    """LogME by its two routes at the largest size, and how far they differ."""
    inputs = make_inputs(10_000, 2_048, 100, 10)
    features, targets = np.asarray(inputs["features"], dtype=np.float64), one_hot(np.asarray(inputs["labels"]), 100)
    found = []
    for name, condition in (("gram", 1e6), ("qr-svd", 0.0)):
        start = time.process_time()
        seen = spectrum(features, targets, condition=condition or 1e-300)
        found.append(float(evidence(seen, len(features)).mean()))
        print(
            f"logme N 10000 D 2048 C 100 by {seen.route} (asked {name}): {time.process_time() - start:.2f} s, {found[-1]:.12f}"  # noqa: E501
        )
    print(f"the routes differ by {abs(found[0] - found[1]):.1e}")


def read_recorded(path: Path) -> tuple[dict[tuple[object, ...], float], dict[tuple[object, ...], float]]:
    """Recorded CPU seconds of each method and size: the fastest implementation's, and transformer-ranker's."""
    fastest: dict[tuple[object, ...], float] = {}
    theirs: dict[tuple[object, ...], float] = {}
    for line in csv.DictReader(path.open()):
        if line["cpu_seconds"]:
            key = (line["method"], *(int(line[k]) for k in ("N", "D", "C", "Cs")))
            seconds = float(line["cpu_seconds"])
            fastest[key] = min(seconds, fastest.get(key, np.inf))
            if "transformer-ranker" in line["implementation"]:
                theirs[key] = seconds
    return fastest, theirs


if __name__ == "__main__":
    main()
