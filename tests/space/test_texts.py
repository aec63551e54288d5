"""The page's texts: figures are those of the results, and code that is shown runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from hf_crosssight.space.about import about, evidence
from hf_crosssight.space.query import Query
from hf_crosssight.space.snippets import fine_tuning_code
from tests.conftest import ROOT, client_environment


def test_the_evidence_on_the_page_is_that_of_the_results():
    section = evidence()
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    figures = set(re.findall(r"(?<![\d.])0\.\d{3}(?!\d)", section))
    assert len(figures) > 5
    assert not [figure for figure in figures if figure not in results]
    assert "](benchmarks" not in section
    assert section in about()


def test_the_code_for_a_hub_dataset_names_what_was_picked():
    query = Query("hub", "acme/shapes@main", "small", "test", "picture", "kind")
    code = fine_tuning_code("acme/tiny-resnet", "transformers", query)
    compile(code, "shown", "exec")
    assert "load_dataset('acme/shapes', 'small', split='test', revision='main')" in code
    assert "batch['picture']" in code
    assert "timm" not in code


def test_the_code_for_digits_makes_the_dataset_it_ranks_for(tmp_path):
    code = fine_tuning_code("org/model", "timm", Query())
    assert " timm\n" in code.splitlines()[0] + "\n"
    loading = code[: code.index("processor =")] + "\nprint(len(names), parts)"
    run = run_code(loading, None, tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.startswith("10 ")


def run_code(code: str, hub: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = client_environment(hub) | {"HF_HOME": str(folder / "hf_home")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=170,
    )  # fmt: skip
