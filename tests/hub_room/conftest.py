"""Pauses between attempts are skipped where a test counts attempts."""

import pytest


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleep no more, in the clients and in the Hub."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
