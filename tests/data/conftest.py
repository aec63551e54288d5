"""A Hub of the test's own, which the clients of this process talk to, and a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import LoopbackHub


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face home."""
    from huggingface_hub import constants

    home = tmp_path / "hf_home"
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    return home


@pytest.fixture
def hub(tmp_path: Path, hub_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub that serves `tmp_path / "hub"`."""
    from huggingface_hub import constants

    (tmp_path / "hub" / "datasets").mkdir(parents=True)
    served = LoopbackHub(
        tmp_path / "hub",
        redirects={"pets": "acme/pets"},
        tokens={"secret": "anna"},
        gated={"acme/closed": {"anna"}},
    )
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with served:
        yield served
