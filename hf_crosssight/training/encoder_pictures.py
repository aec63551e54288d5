"""Curves and clusters of an encoder as PNG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.pictures import new_figure, save_figure

from .encoder_clusters import LayerClusters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COLOURS = 12
_OTHER = "#c8c8c8"


def draw_curves(path: Path, curves: Sequence[dict[str, float]], best_epoch: int) -> None:
    """One panel each for the losses of training and validation, and for what they weigh."""
    names = [name for name in curves[-1] if name != "epoch"]
    panels = [("reconstruction", "validation_reconstruction"), *(
        (name,) for name in names if name not in ("reconstruction", "validation_reconstruction")
    )]  # fmt: skip
    figure = new_figure(3.6 * len(panels), 3.2)
    epochs = [figures["epoch"] for figures in curves]
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name in panel:
            if name in names:
                label = "held-out lineages" if name.startswith("validation") else "training"
                axes.plot(epochs, [figures[name] for figures in curves], label=label, linewidth=1.6, marker=".")
        axes.axvline(best_epoch, color="#999999", linestyle=":", linewidth=1.2)
        axes.set_title(panel[0].removeprefix("validation_"), fontsize=11)
        axes.set_xlabel("epoch (dotted: kept)", fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    save_figure(figure, path)


def draw_clusters(path: Path, clusters: LayerClusters, title: str) -> None:
    """Projections by rows, colourings by columns, each with its silhouette."""
    figure = new_figure(6.2 * len(clusters.labels), 4.6 * len(clusters.projections) + 1.0)
    grid = figure.subplots(len(clusters.projections), len(clusters.labels), squeeze=False)
    for row, (projection, points) in enumerate(clusters.projections.items()):
        for axes, (colouring, labels) in zip(grid[row], clusters.labels.items(), strict=True):
            _scatter(axes, points, labels, with_legend=row == len(clusters.projections) - 1)
            found, chance = clusters.silhouettes[colouring], clusters.by_chance[colouring]
            axes.set_title(
                f"{projection} by {colouring}\nsilhouette {found:+.2f} (shuffled {chance:+.2f})", fontsize=11
            )
    figure.suptitle(f"{title}: {len(clusters.codes)} layers", fontsize=13)
    save_figure(figure, path)


def _scatter(axes: Axes, points: np.ndarray, labels: Sequence[str], *, with_legend: bool) -> None:
    """The most frequent labels in colours, the others in grey below them."""
    from matplotlib import colormaps

    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    order = [colours[i] for i in (0, 2, 4, 6, 8, 10, 12, 16, 18, 1, 5, 3)]
    frequent = [name for name, _ in Counter(label for label in labels if label).most_common(_MOST_COLOURS)]
    names = np.array(labels)
    rest = ~np.isin(names, frequent)
    style: dict[str, Any] = {"s": 9, "linewidths": 0, "alpha": 0.8}
    if rest.any():
        axes.scatter(*points[rest].T, color=_OTHER, label=f"others ({rest.sum()})", **style)
    for name, colour in zip(frequent, order, strict=False):
        chosen = names == name
        axes.scatter(*points[chosen].T, color=[colour], label=f"{name} ({chosen.sum()})", **style)
    axes.set_xticks([])
    axes.set_yticks([])
    if with_legend:
        axes.legend(
            fontsize=8, markerscale=2.2, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.03), frameon=False
        )
