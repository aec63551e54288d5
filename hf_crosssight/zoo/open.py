"""`open_zoo`: the models to rank, whatever the user named."""

from __future__ import annotations

from pathlib import Path

from hf_crosssight.zoo.index import ZooIndex

STARTER = Path(__file__).parents[1] / "assets" / "starter_zoo"


def open_zoo(spec: str | Path = "starter") -> ZooIndex:
    """The bundled zoo, or an index folder."""
    return ZooIndex.open(STARTER, id="starter") if spec == "starter" else ZooIndex.open(spec)
