"""`hf-crosssight space`; what it serves is tested in a browser (tests/space)."""

from __future__ import annotations

import pytest

from hf_crosssight.cli import space
from hf_crosssight.errors import UserError


def test_help_ends_in_an_example(run_cli):
    shown = run_cli(["space", "--help"])
    assert shown.returncode == 0
    assert "hf-crosssight space --zoo" in shown.stdout


def test_without_gradio_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(space, "find_spec", lambda name: None)
    with pytest.raises(UserError) as raised:
        space.space_command()
    assert "pip install 'hf_crosssight[space]'" in raised.value.hint


def test_a_zoo_that_is_none_is_told_before_anything_is_served(run_cli):
    pytest.importorskip("gradio")
    shown = run_cli(["space", "--zoo", "./no-such-zoo", "--no-browser"], timeout=170)
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: There is no folder ./no-such-zoo")
