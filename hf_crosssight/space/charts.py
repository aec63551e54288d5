"""Plots as HTML and SVG: they follow the page's colours, keep their letters' size on a phone, and say in words what
they show. Rows are laid out by the browser; only the scatter plot has axes of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_crosssight.hardware.pareto import on_front
from hf_crosssight.recommendation import Recommendation
from hf_crosssight.space.insight import Insight
from hf_crosssight.space.markup import Safe, joined, score, tag, text

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 340, 52, 46, 16, 16
_SHOWN = 15


@dataclass(frozen=True)
class Point:
    """A model in the scatter plot: what it costs, what it scores, how it is called."""

    cost: float
    score: float
    name: str


def figure(title: str, explained: str, body: Safe, label: str) -> Safe:
    """A plot with its heading and, for those who do not see it, what it shows in words."""
    return tag(
        "section",
        tag("h3", title),
        tag("p", explained, class_="cs-muted"),
        tag("div", body, role="img", aria_label=label, class_="cs-plot"),
        class_="cs-figure",
    )


def interval_plot(items: Sequence[Recommendation]) -> Safe:
    """The best models' scores with their intervals on one scale."""
    shown = items[:_SHOWN]
    low, high = min(item.score_low for item in shown), max(item.score_high for item in shown)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return 100 * (value - low) / span

    rows = [
        tag(
            "div",
            tag("span", _short(item.model_id), class_="cs-name", title=item.model_id),
            tag(
                "span",
                _span("cs-range", left=place(item.score_low), width=place(item.score_high) - place(item.score_low)),
                _span("cs-dot", left=place(item.score)),
                class_="cs-track",
            ),
            tag("span", score(item.score), class_="cs-value"),
            class_="cs-row" + (" cs-new-tier" if item.tier != shown[max(place_ - 1, 0)].tier else ""),
        )
        for place_, item in enumerate(shown)
    ]
    said = "; ".join(f"{item.model_id} {score(item.score)}, tier {item.tier}" for item in shown[:5])
    return figure(
        "Scores and their intervals",
        "Dots are scores, bars hold 90 % of the ensemble, lines set tiers apart: models of one "
        "tier cannot be told apart.",
        joined(*rows),
        f"Scores with intervals of the best {len(shown)} models, from {score(low)} to {score(high)}. {said}.",
    )


def nearest_plot(insight: Insight) -> Safe:
    """The training datasets nearest to the user's, a bar for how alike they are."""
    rows = [_bar(name, 1 - distance / 2, f"{distance:.2f}") for name, distance in insight.nearest]
    said = ", ".join(f"{name} at {distance:.2f}" for name, distance in insight.nearest)
    gate = "" if insight.gate is None else f" So near, your dataset weighs {insight.gate:.0%} of what it could."
    return figure(
        "Nearest training datasets",
        f"Distance between tokens: 0 is the same, 2 the farthest.{gate}",
        joined(*rows),
        f"Training datasets nearest to yours, by distance: {said}.",
    )


def attention_plot(insight: Insight, pictures: dict[str, tuple[str, ...]]) -> Safe:
    """The tokens of the dataset that the best models attended to most, with pictures where there are any."""
    shown = insight.attended[:8]
    even = 1 / max(len(insight.attended), 1)
    largest = max(share for _, share in shown)
    rows = [
        _bar(_token_name(name), share / largest, f"{share:.1%}", _pictures_of(name, pictures)) for name, share in shown
    ]
    said = ", ".join(f"{_token_name(name)} {share:.1%}" for name, share in shown)
    return figure(
        "What the models looked at",
        f"Share of the attention on each class prototype, mean over the best {insight.models} models. Looking at all "
        f"alike would give {even:.1%} each.",
        joined(*rows),
        f"Attention of the best models to the tokens of your dataset: {said}.",
    )


def trade_off_plot(points: Sequence[Point], axis: str) -> Safe:
    """Score against cost, the Pareto front drawn as a line."""
    usable = [point for point in points if point.cost > 0]
    if len(usable) < 2:
        return Safe("")
    marks = on_front(np.array([p.score for p in usable]), np.array([p.cost for p in usable]))
    front = sorted((p for p, mark in zip(usable, marks, strict=True) if mark), key=lambda point: point.cost)
    x, y = _Scale.of([math.log10(p.cost) for p in usable]), _Scale.of([p.score for p in usable])

    def at(point: Point) -> tuple[float, float]:
        across = _LEFT + x.share(math.log10(point.cost)) * (_WIDTH - _LEFT - _RIGHT)
        return across, _HEIGHT - _BOTTOM - y.share(point.score) * (_HEIGHT - _BOTTOM - _TOP)

    best = set(map(id, front))
    dots = [
        tag(
            "circle",
            tag("title", f"{point.name}: {score(point.score)}, {point.cost:.3g}"),
            cx=f"{at(point)[0]:.1f}",
            cy=f"{at(point)[1]:.1f}",
            r=5 if id(point) in best else 3.5,
            class_="cs-front" if id(point) in best else "cs-point",
        )
        for point in usable
    ]
    line = tag("path", d="M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in map(at, front)), class_="cs-line")
    drawing = tag("svg", _axes(x, y, axis), line, *dots, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", aria_hidden="true")
    said = "; ".join(f"{point.name}: {point.cost:.3g}, {score(point.score)}" for point in front[:8])
    return figure(
        f"Score against {axis}",
        "Filled dots on the line are the Pareto front: nothing shown here is both better and cheaper.",
        drawing,
        f"Score against {axis} of {len(usable)} models. On the Pareto front: {said}.",
    )


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        low, high = min(values), max(values)
        margin = 0.06 * (high - low) or 0.5
        return cls(low - margin, high + margin)

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self, count: int = 4) -> list[float]:
        step = (self.high - self.low) / (count + 1)
        return [self.low + step * number for number in range(1, count + 1)]


def _axes(x: _Scale, y: _Scale, axis: str) -> Safe:
    floor, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts: list[Safe] = [tag("path", d=f"M{_LEFT} {_TOP}V{floor}H{right}", class_="cs-axis")]
    for value in x.ticks():
        across = f"{_LEFT + x.share(value) * (right - _LEFT):.1f}"
        parts.append(tag("text", _round(10**value), x=across, y=floor + 20, text_anchor="middle"))
    for value in y.ticks():
        up = floor - y.share(value) * (floor - _TOP)
        parts.append(tag("path", d=f"M{_LEFT} {up:.1f}H{right}", class_="cs-grid"))
        parts.append(tag("text", score(value), x=_LEFT - 8, y=f"{up + 4:.1f}", text_anchor="end"))
    parts.append(tag("text", axis, x=(right + _LEFT) / 2, y=_HEIGHT - 6, text_anchor="middle", class_="cs-title"))
    return joined(*parts)


def _bar(name: str, share: float, value: str, pictures: Safe | None = None) -> Safe:
    return tag(
        "div",
        tag("span", name, class_="cs-name", title=name),
        tag("span", _span("cs-fill", left=0, width=100 * max(0.0, min(share, 1.0))), class_="cs-track"),
        tag("span", value, class_="cs-value"),
        pictures or "",
        class_="cs-row" + (" cs-pictured" if pictures else ""),
    )


def _span(kind: str, **percent: float) -> Safe:
    return tag("span", class_=kind, style=";".join(f"{name}:{value:.2f}%" for name, value in percent.items()))


def _pictures_of(token: str, pictures: dict[str, tuple[str, ...]]) -> Safe | None:
    """Pictures of a token's class, or of the first class of a token that stands for several."""
    name = token if token in pictures else next((known for known in pictures if token.startswith(f"{known}, ")), None)
    shown = pictures.get(name or "", ())
    if not shown:
        return None
    return tag(
        "span", *(tag("img", src=address, alt="", width=40, height=40) for address in shown), class_="cs-thumbs"
    )


def _token_name(name: str) -> str:
    return {"global": "(the dataset as a whole)", "text": "(its words)"}.get(name, name)


def _short(model_id: str) -> Safe:
    return text(model_id.rsplit("/", 1)[-1])


def _round(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"
