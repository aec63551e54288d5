"""A Hub that serves the model repositories and indexes that each test writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub import LoopbackHub


@pytest.fixture
def hub(tmp_path: Path, hub_factory: Callable[..., LoopbackHub]) -> LoopbackHub:
    """A Hub that serves `tmp_path / "hub"`, with the models of `hub/models` and the data sets of `hub/datasets`."""
    for kind in ("models", "datasets"):
        (tmp_path / "hub" / kind).mkdir(parents=True)
    return hub_factory(tmp_path / "hub", tokens={"secret": "anna"}, gated={"acme/closed": {"anna"}})
