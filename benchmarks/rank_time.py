"""Time and memory of `rank --dataset digits --offline`, from process start to result, and of start-up.

    python benchmarks/rank_time.py [--repeats 5]

Cold: nothing cached by us (the dataset's tokens are computed). Warm: tokens cached. Each figure is the median over
the repeats with its range. `import` rows say how much of it is importing others' libraries.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RANK = [sys.executable, "-m", "hf_crosssight", "rank", "--dataset", "digits", "--offline", "--format", "quiet"]
HELP = [sys.executable, "-m", "hf_crosssight", "--help"]
IMPORTS = {
    "import torch": "import torch",
    "import torch, PreTrainedModel": "import torch; from transformers import PreTrainedModel",
    "import hf_crosssight": "import hf_crosssight",
}
ADDED = """
from transformers import PreTrainedModel, AutoModel, pipeline
import time; begin = time.perf_counter()
import hf_crosssight
print(time.perf_counter() - begin)
"""


def run(command: list[str], home: Path) -> float:
    """Wall seconds of one process; fails loudly if it fails."""
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - begin


def show(name: str, seconds: list[float]) -> None:
    print(
        f"{name:<44} {statistics.median(seconds):6.2f} s   [{min(seconds):.2f} … {max(seconds):.2f}]  n={len(seconds)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        show("rank --dataset digits, cold", [run(RANK, home / f"cold{i}") for i in range(repeats)])
        run(RANK, home / "warm")
        show("rank --dataset digits, tokens cached", [run(RANK, home / "warm") for _ in range(repeats)])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{'peak memory of these processes':<44} {peak:6.0f} MiB")
        show("--help", [run(HELP, home) for _ in range(repeats)])
        for name, code in IMPORTS.items():
            show(name, [run([sys.executable, "-c", code], home) for _ in range(repeats)])
    added = [float(subprocess.check_output([sys.executable, "-c", ADDED])) for _ in range(repeats)]
    show("import hf_crosssight adds to transformers", added)


if __name__ == "__main__":
    main()
