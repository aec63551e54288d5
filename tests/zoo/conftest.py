"""A Hub of the test's own, which the clients of this process talk to, and a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import LoopbackHub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub that serves `tmp_path / "hub"`, with the models of `hub/models` and the data sets of `hub/datasets`."""
    from huggingface_hub import constants

    for kind in ("models", "datasets"):
        (tmp_path / "hub" / kind).mkdir(parents=True)
    home = tmp_path / "hf_home"
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    served = LoopbackHub(tmp_path / "hub", tokens={"secret": "anna"}, gated={"acme/closed": {"anna"}})
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    with served:
        yield served
