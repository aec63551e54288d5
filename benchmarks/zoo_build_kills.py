"""Kills `zoo build` (SIGKILL) at random moments, lets it finish, and compares the folder with one nobody disturbed.

    python benchmarks/zoo_build_kills.py --kills 20
    python benchmarks/zoo_build_kills.py --kills 20 --zoo FOLDER --views structure,card,weights

Every kill is a build of its own: killed once, up to a tenth of a second after a random number of models were staged
(0 to all: the last kills hit the writing of the index), run again, compared file by file. Without --zoo, small models
are written for it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hf_crosssight.zoo.index import ZooIndex  # noqa: E402
from tests.zoo.small_zoo import content, write_models  # noqa: E402


def command(options: argparse.Namespace, zoo: Path, out: Path) -> list[str]:
    """The build that is killed and run again."""
    return [sys.executable, "-m", "hf_crosssight", "zoo", "build", "--from", str(zoo), "--out", str(out),
            "--views", options.views, "--workers", str(options.workers), "--format", "quiet"]  # fmt: skip


def run(arguments: list[str]) -> float:
    """Runs a build to its end; its seconds."""
    begun = time.monotonic()
    subprocess.run(arguments, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return time.monotonic() - begun


def killed(arguments: list[str], out: Path, staged: int, later: float) -> bool:
    """Starts a build and kills it `later` seconds after so many models are staged; whether it was still running."""
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    while process.poll() is None and len(list((out / ".stages").glob("*.safetensors"))) < staged:
        time.sleep(0.001)
    time.sleep(later)
    alive = process.poll() is None
    process.kill()
    process.wait()
    return alive


def main(options: argparse.Namespace) -> None:
    """Prints how many builds were identical, and in what state each was when it died."""
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        zoo = options.zoo or Path(scratch) / "models"
        if options.zoo is None:
            write_models(zoo, options.models)
        whole = Path(scratch) / "whole"
        seconds = run(command(options, zoo, whole))
        wanted = content(whole)
        wanted_models = ZooIndex.open(whole).model_ids
        deaths, identical = [], 0
        while len(deaths) < options.kills:
            out = Path(scratch) / f"killed-{len(deaths)}"
            moment = rng.randint(0, len(wanted_models)), rng.uniform(0.0, 0.1)
            if not killed(command(options, zoo, out), out, *moment):
                shutil.rmtree(out)  # it had got to its end before
                continue
            found = content(out) if out.exists() else {}
            staged = sum(name.startswith(".stages/") and name.endswith(".safetensors") for name in found)
            deaths.append({"staged": staged, "index_there": "index.json" in found})
            run(command(options, zoo, out))
            identical += content(out) == wanted
        print(json.dumps({"kills": len(deaths), "identical": identical, "files": len(wanted),
                          "seconds_of_a_build": round(seconds, 1), "deaths": deaths}))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--models", type=int, default=24)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--views", default="structure,weights,lineage")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
