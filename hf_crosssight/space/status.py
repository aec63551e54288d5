"""What stands where the result will be: before the first query, while one works, and when one fails."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hf_crosssight.errors import CrossSightError
from hf_crosssight.space.engine import Remaining
from hf_crosssight.space.job import Step
from hf_crosssight.space.markup import Safe, tag

_CONTROLS = {
    "--config": "the configuration",
    "--split": "the split",
    "--image-column": "the image column",
    "--label-column": "the label column",
    "--revision": "a revision (ID@REVISION)",
    "--filter": "task and library",
    "--license": "the licence",
    "--min-params": "the smallest size",
    "--max-params": "the largest size",
    "--token": "a token below",
    "--device": "the device",
    "--max-latency-ms": "the latency limit",
    "--max-memory-mb": "the memory limit",
    "--max-energy-j": "the energy limit",
    "--prefer": "the preferences",
}
_STEPS = (
    ("Read the dataset", ("starting", "reading", "opening")),
    ("Look at its images", ("computing",)),
    ("Rank the models", ("loading", "ranking", "scoring")),
)


def waiting() -> Safe:
    """Before the first query."""
    return tag(
        "div",
        tag("p", "Choose a dataset and press Rank.", class_="cs-lead"),
        tag(
            "p",
            "You get the models most worth fine-tuning on it, with the reasons and the code. Ten images of each class "
            "are looked at; no model is downloaded or run.",
            class_="cs-muted",
        ),
        class_="cs-panel cs-empty",
    )


def working(step: Step) -> Safe:
    """The steps of a query, and how far the present one is."""
    now = next((place for place, (_, words) in enumerate(_STEPS) if step.name.startswith(words)), 0)
    rows = []
    for place, (name, _) in enumerate(_STEPS):
        state = "done" if place < now else "now" if place == now else "later"
        count = f" {step.done} of {step.total}" if place == now and step.total else ""
        current = "step" if place == now else None
        rows.append(tag("li", tag("span", name), tag("small", count), class_=f"cs-{state}", aria_current=current))
    return tag("div", tag("ol", *rows, class_="cs-steps"), class_="cs-panel", role="status", aria_busy="true")


def failed(error: CrossSightError) -> Safe:
    """What is wrong and what to do."""
    return tag(
        "div",
        tag("p", on_the_page(error.what), class_="cs-lead"),
        tag("p", on_the_page(error.hint)) if error.hint else "",
        class_="cs-panel cs-error",
        role="alert",
    )


def stopped() -> Safe:
    """After a cancel."""
    return tag("div", tag("p", "Cancelled.", class_="cs-lead"), class_="cs-panel cs-empty", role="status")


def remaining(found: Remaining) -> Safe:
    """How many models are left, and what took the others."""
    if found.problem:
        return tag("p", on_the_page(found.problem), class_="cs-count cs-none", role="status")
    gone = _grouped(found.rejected)
    why = f"Removed by {', '.join(f'{name} {count:,}' for name, count in gone.items())}." if gone else ""
    return tag(
        "p",
        tag("strong", f"{found.count:,}"),
        f" of {found.total:,} models remain. ",
        tag("small", why),
        class_="cs-count",
        role="status",
    )


def on_the_page(message: str) -> str:
    """A message of the library with the command line's options called as the page calls its controls."""
    return re.sub(r"--[a-z-]+", lambda found: _CONTROLS.get(found.group(), found.group()), message)


def _grouped(rejected: Mapping[str, int]) -> dict[str, int]:
    """Counts by control: what failed a constraint and what has no such fact are one."""
    gone: dict[str, int] = {}
    for reason, count in rejected.items():
        option = "--" + reason.removesuffix("_unknown").replace("_", "-")
        name = _CONTROLS.get(option, reason).removeprefix("the ")
        gone[name] = gone.get(name, 0) + count
    return gone
