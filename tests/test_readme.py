"""The README: its two commands are the ones that CI runs, and its Python snippets run."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_there_are_exactly_two_install_commands_as_ci_takes_them():
    commands = [line for line in README.splitlines() if line.startswith("pip install -c constraints.txt ")]
    assert len(commands) == 2
    assert "hf-crosssight rank --dataset digits --offline" in commands[0]
    assert commands[1].endswith("&& pytest -n 2 --dist loadfile")
    assert r"pip install -c constraints\.txt" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", README, re.S))
def test_python_snippets_run(snippet, capsys):
    exec(compile(snippet, "README.md", "exec"), {})  # our own text
    assert "Traceback" not in capsys.readouterr().err


def test_files_that_it_links_are_there():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_figures_are_those_of_the_results():
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    for figure in ("0.532 ± 0.003", "-0.056 to -0.008", "1.299", "6.49"):
        assert figure in results, figure


def test_the_command_line_is_on_the_path():
    assert shutil.which("hf-crosssight")
