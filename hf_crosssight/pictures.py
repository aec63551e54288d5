"""PNG pictures by matplotlib, an optional dependency: a figure without a display, written whole or not at all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hf_crosssight.errors import UserError
from hf_crosssight.hub.places import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_matplotlib() -> None:
    """Raises `UserError` unless matplotlib is installed: before an hour of work, not after it."""
    if find_spec("matplotlib") is None:
        raise UserError("pictures are drawn with matplotlib", 'pip install "hf_crosssight[train]"')


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # no display, and pyplot's global state stays as the user has it
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG."""
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
