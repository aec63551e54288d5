"""Results as HTML: names from outside stay text, figures are right, and a spreadsheet runs nothing."""

from __future__ import annotations

import csv
import dataclasses
import io
from html.parser import HTMLParser

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.recommendation import Ranking, Recommendation
from hf_crosssight.space import status
from hf_crosssight.space.charts import Point, trade_off_plot
from hf_crosssight.space.engine import Remaining
from hf_crosssight.space.insight import Insight
from hf_crosssight.space.job import Step
from hf_crosssight.space.markup import model_link, size, tag, text
from hf_crosssight.space.query import Query
from hf_crosssight.space.result import result_page, to_csv

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def recommendation(rank, **other):
    facts = {
        "rank": rank, "model_id": f"org/model-{rank}", "score": 2.0 - rank / 10, "score_low": 1.5 - rank / 10,
        "score_high": 2.5 - rank / 10, "tier": 1, "in_shortlist": None, "score_static": 1.0, "score_dataset": 0.5,
        "seen_in_training": False, "params": 10**6 * rank, "license": "mit", "views": ("card",), "hardware": None,
        "why": ("pre-trained on imagenet-1k",),
    }  # fmt: skip
    return Recommendation(**(facts | other))


def ranking(items, dataset="digits", warnings=()):
    data = {"id": dataset, "revision": None, "split": "train", "num_classes": 10, "num_images_used": 100}
    zoo = {"id": "starter", "num_models": 9, "num_candidates": len(items), "rejected": {}}
    return Ranking(tuple(items), data, {}, zoo, None, {"total": 0.1}, warnings)


INSIGHT = Insight((("usps", 0.4), ("svhn", 0.6)), (("text", 0.5), ("0", 0.3), ("1", 0.2)), 0.17, 2)


class Elements(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.words.append(data)


def test_names_cards_and_labels_are_text_wherever_they_stand():
    item = recommendation(1, model_id=HOSTILE, license=HOSTILE, why=(HOSTILE,))
    insight = dataclasses.replace(INSIGHT, nearest=((HOSTILE, 0.1),), attended=((HOSTILE, 0.9), ("0", 0.1)))
    query = Query("hub", "acme/shapes", HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    page = result_page(ranking([item, recommendation(2)], HOSTILE, (HOSTILE,)), insight, query, {}, {})
    said = (
        status.failed(UserError(HOSTILE, HOSTILE)) + status.working(Step(HOSTILE)) + tag("p", HOSTILE, title=HOSTILE)
    )
    found = Elements(page + said + status.remaining(Remaining(0, 9, {HOSTILE: 1})))
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert not [name for name in found.attributes if name.startswith("on")]
    assert any("<script>alert(2)" in words for words in found.words)


def test_only_what_can_be_an_id_on_the_hub_is_linked():
    assert 'href="https://huggingface.co/timm/resnet50.a1_in1k"' in model_link("timm/resnet50.a1_in1k")
    for name in ("javascript:alert(1)", "folder", "a/b/c", "a/b?c"):
        assert "href" not in model_link(name)


def test_a_spreadsheet_takes_no_name_for_a_formula():
    hostile = recommendation(1, model_id="=HYPERLINK(1)", license="@x", why=("+1",))
    row = next(csv.DictReader(io.StringIO(to_csv(ranking([hostile])))))
    assert (row["model_id"], row["license"], row["why"]) == ("'=HYPERLINK(1)", "'@x", "'+1")
    assert float(row["score"]) == hostile.score


def test_latency_has_a_column_and_a_plot_once_a_device_was_chosen():
    plain = result_page(ranking([recommendation(1), recommendation(2)]), INSIGHT, Query(), {}, {})
    assert "Latency" not in plain
    assert "Score against parameters" in plain
    hardware = dict.fromkeys(("memory_mb", "energy_j", "throughput", "source", "pareto"), None) | {"device": "rtx4090"}
    items = [recommendation(n, hardware=hardware | {"latency_ms": 3.14 * n}) for n in (1, 2)]
    timed = result_page(ranking(items), INSIGHT, Query(), {}, {})
    assert "3.14 ms" in timed
    assert "Score against latency on rtx4090" in timed


def test_the_pareto_front_is_drawn_and_named_from_its_cheapest_model_on():
    costs, scores = (3, 1, 2, 2, 4), (9, 1, 5, 4, 8)
    plot = trade_off_plot([Point(*both, name) for *both, name in zip(costs, scores, "abcde", strict=True)], "ms")
    assert plot.count('class="cs-front"') == 3
    assert "On the Pareto front: b: 1, +1.00; c: 2, +5.00; a: 3, +9.00." in plot
    assert trade_off_plot([Point(1, 1, "a")], "ms") == ""


def test_every_plot_says_in_words_what_it_shows():
    page = result_page(ranking([recommendation(1), recommendation(2)]), INSIGHT, Query(), {}, {"0": ("data:x",)})
    assert page.count('role="img" aria-label="') == 4
    assert "svhn at 0.60" in page
    assert "(its words) 50.0%" in page
    assert 'src="data:x" alt=""' in page


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "unknown"), (999, "999"), (1_500, "1.5k"), (26_300_000, "26.3M"), (1_200_000_000, "1.2B")],
)
def test_sizes_for_people(count, shown):
    assert size(count) == shown


def test_messages_call_options_as_the_page_does():
    error = UserError("acme/two has several configurations: a, b", "Name one with --config.")
    assert "Name one with the configuration." in status.failed(error)
    assert "--" not in status.on_the_page("--license (mit) removed 9; --max-params removed 1")


def test_what_is_already_html_is_not_escaped_twice():
    assert text(tag("b", "a & b")) == "<b>a &amp; b</b>"
