"""Random hostile safetensors headers, by the thousand: none may crash the reader or be accepted unsound.

    python benchmarks/hostile_headers.py --cases 20000

Prints how many were accepted and for which reasons the others were refused; fails at the first that breaks a rule.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hypothesis import HealthCheck, given, seed, settings

from tests.hub_room.hostile_headers import check, files


def _kind(reason: str) -> str:
    """A reason without the names and numbers in it."""
    found = re.fullmatch(r"tensor .* (is not|has|overlaps|leaves|of shape)(.*)", reason, re.DOTALL)
    told = f"tensor … {found[1]}{found[2]}" if found else reason
    return re.sub(r"(?<=of shape ).*(?= cannot)|'.*'|\".*\"|-?\d+|\(.*\)", "…", told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ends: Counter[str] = Counter()
    slowest = 0.0

    @seed(arguments.seed)
    @settings(max_examples=arguments.cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(files())
    def search(content: bytes) -> None:
        nonlocal slowest
        started = time.perf_counter()
        reason = check(content)
        slowest = max(slowest, time.perf_counter() - started)
        ends["accepted" if reason is None else _kind(reason)] += 1

    started = time.perf_counter()
    search()
    print(
        f"{ends.total()} files in {time.perf_counter() - started:.0f} s, the slowest read in {slowest * 1000:.0f} ms"
    )
    for reason, count in ends.most_common():
        print(f"{count:7d}  {reason}")


if __name__ == "__main__":
    main()
