"""Pictures of a table: what every model reached everywhere, what decides it, and which datasets rank models alike.

They lie in `pictures/` of the table's folder, and its card shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..pictures import new_figure, save_figure
from .table_card import PICTURES
from .tables import GroundTruthTable
from .thesis_scores import Similarity, thesis_similarity
from .variance import Metric, ranking_similarity, variance_shares, z_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NAMES = 45
_SHARES = ("static", "interaction", "noise")


def draw_pictures(tables: Mapping[str, GroundTruthTable], folder: Path, metric: Metric) -> list[Path]:
    """Writes the pictures of a table's recipes into `folder/pictures`.

    Heat map and similarity show the first of `full`, `head`, `knn` and others that has two datasets and five models.

    Args:
        metric: weighted tau of two score vectors.

    Raises:
        UserError: there is too little to draw, matplotlib is missing, or the folder cannot be written.
    """
    shown = next((name for name in ("full", "head", "knn", *tables) if name in tables and _ranks(tables[name])), None)
    if shown is None:
        raise UserError("the table is too small for a picture", "It takes two datasets with five models each.")
    drawn = {
        "heat_map.png": heat_map(tables[shown], shown),
        "variance.png": variance_bars(tables),
        "similarity.png": similarities(tables[shown], shown, metric),
    }
    try:
        for name, figure in drawn.items():
            save_figure(figure, folder / PICTURES / name)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error}", "Free space or copy the table first.") from error
    return [folder / PICTURES / name for name in drawn]


def _ranks(table: GroundTruthTable) -> bool:
    return len(table.datasets) >= 2 and len(table.models) >= 5


def heat_map(table: GroundTruthTable, title: str) -> Any:
    """Models by their mean, datasets by how alike they are to the others."""
    z = z_scores(table.scores)
    models = np.argsort(-np.nan_to_num(np.nanmean(z, axis=0)), kind="stable")
    datasets = np.argsort(-np.nan_to_num(np.nanmean(z * np.nanmean(z, axis=0), axis=1)), kind="stable")
    figure = new_figure(4 + 0.16 * len(models), 2.5 + 0.24 * len(datasets))
    axes = figure.subplots()
    image = axes.imshow(z[np.ix_(datasets, models)], aspect="auto", cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    axes.set_yticks(range(len(datasets)), [_short(table.datasets[i]) for i in datasets], fontsize=8)
    if len(models) <= _MOST_NAMES:
        axes.set_xticks(range(len(models)), [_short(table.models[i]) for i in models], rotation=90, fontsize=7)
    else:
        axes.set_xticks([])
    axes.set_xlabel(f"{len(models)} models, the best on average first")
    axes.set_title(f"{title}: accuracy, z-scored within each dataset")
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def variance_bars(tables: Mapping[str, GroundTruthTable]) -> Any:
    """One bar a recipe."""
    found = {name: shares for name, table in tables.items() if (shares := variance_shares(table))}
    figure = new_figure(3 + 1.1 * max(len(found), 1), 4)
    axes = figure.subplots()
    bottom = np.zeros(len(found))
    for part in _SHARES:
        heights = np.array([getattr(shares, part) or 0.0 for shares in found.values()])
        bars = axes.bar(list(found), heights, bottom=bottom, label=part)
        axes.bar_label(bars, [f"{h:.2f}" if h >= 0.02 else "" for h in heights], label_type="center", fontsize=8)
        bottom = bottom + heights
    axes.set_ylabel("share of variance")
    axes.tick_params(axis="x", labelsize=8, rotation=20)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, frameon=False, fontsize=8)
    return figure


def similarities(table: GroundTruthTable, title: str, metric: Metric) -> Any:
    """The measured matrix beside the thesis' own."""
    measured = ranking_similarity(table, metric)
    order = np.argsort(-np.nan_to_num(measured).mean(0), kind="stable")
    by_rankings = Similarity(tuple(_short(table.datasets[i]) for i in order), measured[np.ix_(order, order)])
    figure = new_figure(15, 7.5)
    left, right = figure.subplots(1, 2)
    image = _matrix(left, by_rankings, f"by how they rank models ({title})")
    _matrix(right, thesis_similarity(), "set by hand in the thesis")
    figure.colorbar(image, ax=[left, right], shrink=0.7)
    return figure


def _matrix(axes: Axes, matrix: Similarity, title: str) -> Any:
    places = range(len(matrix.datasets))
    axes.set_xticks(places, matrix.datasets, rotation=90, fontsize=8)
    axes.set_yticks(places, matrix.datasets, fontsize=8)
    axes.set_title(title)
    return axes.imshow(matrix.values, cmap="viridis", vmin=0, vmax=1)


def _short(name: str) -> str:
    return name.split("/")[-1]
