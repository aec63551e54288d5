"""A ranking as one piece of HTML: summary, cards, table and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from hf_crosssight.recommendation import Ranking, Recommendation
from hf_crosssight.space.cards import CARDS, model_card
from hf_crosssight.space.charts import Point, attention_plot, interval_plot, nearest_plot, trade_off_plot
from hf_crosssight.space.insight import Insight
from hf_crosssight.space.markup import Safe, copy_button, download, tag
from hf_crosssight.space.query import Query
from hf_crosssight.space.snippets import fine_tuning_code
from hf_crosssight.space.table import ranking_table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def result_page(
    ranking: Ranking,
    insight: Insight,
    query: Query,
    libraries: Mapping[str, str | None],
    pictures: dict[str, tuple[str, ...]],
) -> Safe:
    """All that is shown of a ranking.

    Args:
        libraries: the library of each model, by its id.
        pictures: a few pictures of each class, as `data:` addresses.
    """
    cards = [
        model_card(item, fine_tuning_code(item.model_id, libraries.get(item.model_id), query))
        for item in ranking[:CARDS]
    ]
    return tag(
        "div",
        _summary(ranking, query),
        _warnings(ranking),
        tag("h2", "Try these first"),
        tag("div", *cards, class_="cs-cards"),
        tag("h2", f"All {len(ranking)} shown"),
        ranking_table(ranking[:]),
        tag("h2", "What stands behind it"),
        tag(
            "div",
            interval_plot(ranking[:]),
            _trade_off(ranking[:]),
            nearest_plot(insight),
            attention_plot(insight, pictures),
            class_="cs-plots",
        ),
        class_="cs-result",
    )


def _summary(ranking: Ranking, query: Query) -> Safe:
    data, zoo = ranking.dataset, ranking.zoo
    classes = f"{data['num_classes']} classes, " if data["num_classes"] else "no labels, "
    told = (
        f"{zoo['num_candidates']:,} of {zoo['num_models']:,} models ranked in {ranking.timing_s['total']:.1f} s, "
        f"from {classes}{data['num_images_used']} images"
    )
    if ranking.shortlist:
        size, coverage = ranking.shortlist["size"], ranking.shortlist["coverage"]
        told += f". The best one is among the first {size:,} in {coverage:.0%} of cases"
    stem = f"ranking-{data['id'].rsplit('/', 1)[-1]}"
    actions = [
        download("CSV", f"{stem}.csv", "text/csv", to_csv(ranking)),
        download("JSON", f"{stem}.json", "application/json", json.dumps(ranking.to_dict(), indent=1)),
    ]
    if query.is_linkable:
        actions.append(copy_button("Copy link", "Copy a link to this query", data_link=query.link()))
    return tag(
        "div",
        tag("div", tag("h2", data["id"]), tag("p", told, class_="cs-muted")),
        tag("div", *actions, class_="cs-actions"),
        class_="cs-summary",
    )


def _warnings(ranking: Ranking) -> Safe:
    if not ranking.warnings:
        return Safe("")
    return tag("ul", *(tag("li", warning) for warning in ranking.warnings), class_="cs-notes")


def _trade_off(items: tuple[Recommendation, ...]) -> Safe:
    """Score against latency where a device was chosen, else against the number of parameters."""
    timed = [
        Point(item.hardware["latency_ms"], item.score, item.model_id)
        for item in items
        if item.hardware and item.hardware.get("latency_ms")
    ]
    if timed:
        device = next(item.hardware["device"] for item in items if item.hardware)
        return trade_off_plot(timed, f"latency on {device}, ms an image")
    sized = [Point(item.params / 1e6, item.score, item.model_id) for item in items if item.params]
    return trade_off_plot(sized, "parameters, million")


def to_csv(ranking: Ranking) -> str:
    """The rows of a ranking; what a spreadsheet would take for a formula is put behind an apostrophe."""
    frame: pd.DataFrame = ranking.to_pandas()
    texts = frame.select_dtypes(include=["object", "string"]).columns
    for name in texts:
        frame[name] = [f"'{v}" if isinstance(v, str) and v.startswith(_FORMULA) else v for v in frame[name]]
    return frame.to_csv(index=False)
