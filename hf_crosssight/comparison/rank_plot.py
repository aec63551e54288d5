"""A picture of a comparison: for every method its rank of each model against the rank by measured accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hf_crosssight.pictures import new_figure, save_figure

from .compare import Comparison

_COLUMNS = 6


def draw_ranks(comparison: Comparison, path: Path) -> None:
    """One panel a method, 1 (best) at the top left; on the diagonal the method is right.

    The model that is truly best is drawn red: how far down it stands is what the method would have cost.
    """
    assert comparison.accuracies is not None
    measured = np.flatnonzero(np.isfinite(comparison.accuracies))
    true = _ranked(comparison.accuracies[measured])
    shown = [one for one in comparison.methods if one.metrics is not None]
    rows = -(-len(shown) // _COLUMNS)
    figure = new_figure(2.2 * min(len(shown), _COLUMNS), 2.5 * rows + 0.6)
    panels = figure.subplots(rows, min(len(shown), _COLUMNS), squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, one in zip(panels, shown, strict=False):
        scores = one.found.scores[measured]
        known = np.isfinite(scores)
        own, best = _ranked(scores[known]), true[known] == 1
        axes.plot([1, len(true)], [1, len(true)], color="#cccccc", linewidth=1)
        axes.scatter(own, true[known], s=12, color=np.where(best, "#c0392b", "#34608f"))
        axes.set_xlim(0.5, len(true) + 0.5)
        axes.set_ylim(len(true) + 0.5, 0.5)
        assert one.metrics is not None
        axes.set_title(f"{one.method.name}\ntau_w {one.metrics['weighted_tau']:+.2f}", fontsize=8)
        axes.tick_params(labelsize=6)
    figure.supxlabel("rank by the method", fontsize=9)
    figure.supylabel("rank by measured accuracy", fontsize=9)
    figure.suptitle(f"{comparison.dataset['id']}: {len(true)} models (red: the best)", fontsize=10)
    save_figure(figure, path)


def _ranked(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 for the highest, ties sharing the mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-values))
