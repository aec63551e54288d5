"""A resumable file of architecture facts: one JSON line a (architecture, classes, input size), written as computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Key = tuple[str, int, int]


def architecture_table(
    keys: Iterable[Key], compute: Callable[[str, int, int], dict[str, Any]], path: Path
) -> dict[Key, dict[str, Any]]:
    """Facts of every key, read from `path` where they stand there, else computed and appended (an error is a fact)."""
    table: dict[Key, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            key, facts = json.loads(line)
            table[tuple(key)] = facts
    missing = [key for key in dict.fromkeys(keys) if key not in table]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for done, key in enumerate(missing):
            try:
                table[key] = compute(*key)
            except Exception as error:  # one network that cannot be built must not cost the other thousand
                table[key] = {"error": f"{type(error).__name__}: {error}"[:300]}
            file.write(json.dumps([key, table[key]]) + "\n")
            file.flush()
            if done % 50 == 0:
                print(f"architectures: {done} of {len(missing)}", flush=True)
    return table
