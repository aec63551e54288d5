"""The whole ranking as a table that sorts by any column; the script of the page moves the rows."""

from __future__ import annotations

from collections.abc import Sequence

from hf_crosssight.recommendation import Recommendation
from hf_crosssight.space.markup import Safe, latency, model_link, score, size, tag, text

_COLUMNS = ("#", "Model", "Score", "90 % interval", "Tier", "Parameters", "Licence", "Latency", "Why")


def ranking_table(items: Sequence[Recommendation]) -> Safe:
    """All shown models; the latency is left out where no device was chosen."""
    timed = any(latency(item.hardware) for item in items)
    shown = [place for place, name in enumerate(_COLUMNS) if timed or name != "Latency"]
    head = [tag("th", _sorter(_COLUMNS[place]), scope="col", aria_sort="none") for place in shown]
    rows = [tag("tr", *(_cells(item)[place] for place in shown)) for item in items]
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows)),
        class_="cs-table",
        role="region",
        tabindex=0,
        aria_label="All results as a table",
    )


def _sorter(name: str) -> Safe:
    return tag("button", name, tag("span", class_="cs-arrow", aria_hidden="true"), type="button", class_="cs-sort")


def _cells(item: Recommendation) -> tuple[Safe, ...]:
    cost = (item.hardware or {}).get("latency_ms")
    return (
        _cell(item.rank, item.rank),
        _cell(model_link(item.model_id), item.model_id),
        _cell(score(item.score), item.score),
        _cell(f"{score(item.score_low)} to {score(item.score_high)}", item.score_low),
        _cell(item.tier, item.tier),
        _cell(size(item.params), item.params if item.params is not None else ""),
        _cell(item.license or "not stated", item.license or ""),
        _cell(latency(item.hardware), cost if cost is not None else ""),
        _cell("; ".join(item.why), item.why[0] if item.why else "", "cs-reasons"),
    )


def _cell(shown: object, by: object, kind: str | None = None) -> Safe:
    """A cell, and the value that it is sorted by."""
    return tag("td", text(shown), data_v=by, class_=kind)
