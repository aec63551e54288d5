"""The best models as cards: what each is, why it is there, and the code that fine-tunes it."""

from __future__ import annotations

from hf_crosssight.recommendation import Recommendation
from hf_crosssight.space.markup import Safe, copy_button, joined, latency, model_link, score, size, tag

CARDS = 5


def model_card(item: Recommendation, code: str) -> Safe:
    """One recommended model."""
    place = f"cs-code-{item.rank}"
    return tag(
        "article",
        tag(
            "header",
            tag("span", item.rank, class_="cs-rank", aria_label=f"rank {item.rank}"),
            tag("h3", model_link(item.model_id)),
            tag(
                "span",
                score(item.score),
                tag("small", f" {score(item.score_low)} to {score(item.score_high)}"),
                class_="cs-score",
            ),
        ),
        _facts(item),
        tag("ul", *(tag("li", reason) for reason in item.why), class_="cs-why"),
        tag(
            "details",
            tag("summary", "Code to fine-tune it"),
            copy_button("Copy", f"Copy the code for {item.model_id}", data_copy=place),
            tag("pre", tag("code", code), id=place, tabindex=0, role="region", aria_label=f"Code for {item.model_id}"),
        ),
        class_="cs-card",
    )


def _facts(item: Recommendation) -> Safe:
    facts = [
        ("Tier", item.tier),
        ("Parameters", size(item.params)),
        ("Licence", item.license or "not stated"),
        ("Latency", latency(item.hardware)),
        ("Seen in training", "yes" if item.seen_in_training else ""),
    ]
    return tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in facts if value))
