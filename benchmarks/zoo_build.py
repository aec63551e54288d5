"""How fast a zoo index is built from the Hub: models/s, MB/s, seconds of each view, and what was left out and why.

    python benchmarks/zoo_build.py --hub-root HUB --views structure,card,weights,probe

HUB is a folder in Hub layout (`models/org/name/...`). It is served by the loopback Hub in a process of its own, so all
that is read goes over real HTTP; the Hugging Face cache is an empty one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def serve(hub_root: Path) -> tuple[subprocess.Popen[str], str]:
    """A loopback Hub and its address."""
    code = (
        "import sys, time; from tests.hub import LoopbackHub\n"
        "with LoopbackHub(sys.argv[1]) as hub:\n    print(hub.url, flush=True)\n    time.sleep(86400)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(hub_root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def build(options: argparse.Namespace, url: str, home: Path, out: Path, extra: tuple[str, ...] = ()) -> dict:
    """Runs `zoo build` and returns its report, with the seconds of the whole command."""
    models = sorted(path.parent for path in (options.hub_root / "models").glob("*/*/config.json"))
    ids = [f"{path.parent.name}/{path.name}" for path in models][: options.models]
    command = [
        sys.executable, "-m", "hf_crosssight", "zoo", "build", *ids, "--out", str(out), "--views", options.views,
        "--byte-budget", options.byte_budget, "--workers", str(options.workers), "--format", "json", *extra,
    ]  # fmt: skip
    environment = {**os.environ, "HF_HOME": str(home), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return {**json.loads(done.stdout), "seconds_of_the_command": round(time.perf_counter() - begun, 1)}


def main(options: argparse.Namespace) -> None:
    """Prints a report a run, the second one over the finished index, which reads nothing."""
    server, url = serve(options.hub_root.resolve())
    try:
        with tempfile.TemporaryDirectory() as scratch:
            for run in range(options.runs):
                home, out = Path(scratch) / f"home-{run}", options.out or Path(scratch) / f"index-{run}"
                report = build(options, url, home, out)
                print(json.dumps(_told(report, out), indent=1))
            again = build(options, url, home, out)
            print(json.dumps({"run_again": {key: again[key] for key in ("read", "bytes_read", "seconds")}}))
    finally:
        server.terminate()
        server.wait()


def _told(report: dict, out: Path) -> dict:
    """The report with the index's size; reasons for missing views counted."""
    reasons: dict[str, int] = {}
    for entry in report.pop("missing_views"):
        key = f"{entry['view']}: {entry['reason']}"
        reasons[key] = reasons.get(key, 0) + 1
    size = sum(path.stat().st_size for path in out.iterdir() if path.is_file())
    return {**report, "index_bytes": size, "missing_views": dict(sorted(reasons.items(), key=lambda one: -one[1]))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub-root", type=Path, required=True)
    parser.add_argument("--views", default="structure,card,weights,probe,lineage")
    parser.add_argument("--byte-budget", default="8MiB")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--models", type=int, help="only the first so many")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep the index here")
    main(parser.parse_args())
