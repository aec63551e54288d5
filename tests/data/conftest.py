"""A Hub that serves the dataset repositories that each test writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub import LoopbackHub


@pytest.fixture
def hub(tmp_path: Path, hub_factory: Callable[..., LoopbackHub]) -> LoopbackHub:
    """A Hub that serves `tmp_path / "hub"`; `pets` is an old name, `acme/closed` is not for all."""
    (tmp_path / "hub" / "datasets").mkdir(parents=True)
    return hub_factory(
        tmp_path / "hub",
        redirects={"pets": "acme/pets"},
        tokens={"secret": "anna"},
        gated={"acme/closed": {"anna"}},
    )
