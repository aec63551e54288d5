"""How long does every transferability method take as N, D and C grow, beside recorded times of public code?

    python benchmarks/transferability_speed.py [TIMING.csv] [--method logme] [--largest]

CPU seconds on one thread (set OMP_NUM_THREADS=1 before starting Python). With TIMING.csv (method, N, D, C, Cs,
cpu_seconds
of public implementations, one thread) every time stands beside the fastest recorded one of that method and the ratio
of the
two is printed. The two machines differ: a fixed matrix product and SVD are timed in the same run and printed, so that
a
ratio can be scaled where the recording machine's figure is known. `--largest` adds LogME at N = 10,000, D = 2,048, C
= 100
by both of its routes.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hf_crosssight.transferability import METHODS, score
from hf_crosssight.transferability.classes import one_hot
from hf_crosssight.transferability.logme import evidence
from hf_crosssight.transferability.spectrum import spectrum

SIZES = ((500, 256, 10, 100), (2000, 256, 10, 100), (8000, 256, 10, 100), (500, 2048, 10, 100), (2000, 2048, 10, 100))
MORE_CLASSES = ((2000, 256, 100, 100), (2000, 256, 10, 1000))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("timing", type=Path, nargs="?")
    parser.add_argument("--method", action="append", default=[])
    parser.add_argument("--largest", action="store_true")
    options = parser.parse_args()
    recorded = read_recorded(options.timing) if options.timing else {}
    print(f"calibration: {calibration()}")
    for size in SIZES + MORE_CLASSES:
        inputs = make_inputs(*size)
        for method in options.method or METHODS:
            seconds = timed(lambda method=method, inputs=inputs: score(method, **inputs))  # type: ignore[misc]
            theirs = recorded.get((RECORDED.get(method, ""), *size))
            beside = f"  recorded {theirs:8.4f}  ratio {seconds / theirs:6.2f}" if theirs else ""
            print(
                f"N {size[0]:5} D {size[1]:4} C {size[2]:3} Cs {size[3]:4}  {method:18} {seconds:8.4f}{beside}",
                flush=True,
            )
    if options.largest:
        largest()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def make_inputs(count: int, dims: int, classes: int, source_classes: int) -> dict[str, object]:
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
    """CPU seconds of one run, the shorter of two where that is cheap."""
    best = np.inf
    for _ in range(2):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
        if best > 1.0:
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


def read_recorded(path: Path) -> dict[tuple[object, ...], float]:
    """The fastest recorded CPU seconds of each method and size."""
    fastest: dict[tuple[object, ...], float] = {}
    for line in csv.DictReader(path.open()):
        if line["cpu_seconds"]:
            key = (line["method"], *(int(line[k]) for k in ("N", "D", "C", "Cs")))
            fastest[key] = min(float(line["cpu_seconds"]), fastest.get(key, np.inf))
    return fastest


if __name__ == "__main__":
    main()
