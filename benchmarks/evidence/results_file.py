"""One section of benchmarks/RESULTS.md at a time, the others left alone."""

from __future__ import annotations

from pathlib import Path

from hf_crosssight.hub.places import write_text

RESULTS = Path(__file__).parents[1] / "RESULTS.md"


def replace_section(heading: str, text: str) -> None:
    """Puts a section (from its heading to the next of its level) into the file, at the end where it is new."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "# Results\n"
    before, found, after = old.partition(heading + "\n")
    rest = after[after.index("\n## ") + 1 :] if found and "\n## " in after else ""
    write_text(RESULTS, before.rstrip() + "\n\n" + text.rstrip() + "\n" + ("\n" + rest if rest else ""))
