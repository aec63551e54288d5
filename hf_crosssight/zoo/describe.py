"""What an index holds, counted: families, licences, libraries, views, sizes; for `zoo info` and for its card."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import DESCRIPTION, SKIPPED, read_skipped


def describe(zoo: ZooIndex, folder: Path | None = None) -> dict[str, Any]:
    """The counts of a zoo.

    Args:
        folder (*optional*): where its files lie; without it sizes and what was skipped are not told.

    Returns:
        `dict`: `id`, `num_models`, `views` (name → spec and models that have it), `encoders`, `byte_budget`,
        `families`, `licenses`, `libraries`, `tasks` (value → models, most first, `unknown` for none), `sources`,
        `outdated`, `shards`, `bytes`, `skipped` (model → reason) and `missing_views` (view → reason → models).
    """
    known = zoo.description
    skipped, missing = read_skipped(folder) if folder else ({}, {})
    return {
        "id": zoo.id,
        "num_models": len(zoo),
        "views": {
            name: {"spec": known.specs[name] if known else None, "models": int(mask.sum())}
            for name, mask in zoo.view_mask.items()
        },
        "outdated": known.outdated if known else {},
        "encoders": known.encoders if known else {},
        "byte_budget": known.byte_budget if known else None,
        "families": _counts(zoo, "family"),
        "licenses": _counts(zoo, "license"),
        "libraries": _counts(zoo, "library"),
        "tasks": _counts(zoo, "task"),
        "params": _spread(zoo),
        "shards": len(known.shards) if known else 0,
        "bytes": _bytes(zoo, folder),
        "sources": list(zoo.sources),
        "skipped": skipped or dict(zoo.skipped),
        "missing_views": _missing(missing),
    }


def _counts(zoo: ZooIndex, column: str) -> dict[str, int]:
    """Value → models, most first, then by name."""
    counted = Counter(value or "unknown" for value in zoo.column(column).to_pylist())
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _spread(zoo: ZooIndex) -> dict[str, int] | None:
    """Smallest, median and largest number of parameters."""
    known = sorted(value for value in zoo.column("params").to_pylist() if value is not None)
    return {"min": known[0], "median": known[len(known) // 2], "max": known[-1]} if known else None


def _bytes(zoo: ZooIndex, folder: Path | None) -> int | None:
    if folder is None or zoo.description is None:
        return None
    places = [folder / name for name in (*zoo.description.files(), DESCRIPTION, SKIPPED)]
    return sum(place.stat().st_size for place in places if place.is_file())


def _missing(missing: dict[str, dict[str, str]]) -> dict[str, dict[str, int]]:
    """View → reason → models; most frequent first."""
    counted: dict[str, Counter[str]] = {}
    for own in missing.values():
        for view, reason in own.items():
            counted.setdefault(view, Counter())[reason] += 1
    return {view: dict(reasons.most_common()) for view, reasons in sorted(counted.items())}
