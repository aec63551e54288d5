"""Pictures of the training: loss of each ablation over the updates, one picture a ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .cells import MODEL_SPIDER, Cell, Material, curves_of


def draw_curves(material: Material, cells: Sequence[Cell], folder: Path) -> list[Path]:
    """Writes `curves-<truth>.png`: mean ListMLE a list over the last ten updates, a line a cell of the first fold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    made = []
    for truth in sorted({cell.truth for cell in cells}):
        figure, axes = pyplot.subplots(figsize=(8, 5))
        for cell in dict.fromkeys(cells):
            shown = cell.truth == truth and cell.fold == 0 and not cell.without and cell.zoo_size is None
            points = curves_of(cell, material) if shown and cell.network != MODEL_SPIDER else []
            if points:
                label = f"{cell.network}, {cell.token}"
                axes.plot([point["step"] for point in points], [point["loss"] for point in points], label=label)
        axes.set(xlabel="updates", ylabel="ListMLE at temperature T", title=f"Ground truth: {truth}")
        axes.legend(fontsize=8)
        figure.tight_layout()
        made.append(folder / f"curves-{truth}.png")
        figure.savefig(made[-1], dpi=120)
        pyplot.close(figure)
    return made
