"""Figures that public implementations returned, with their source, and ours beside them.

`parity_figures.csv` holds what public code returned on two recorded cases (float64 in, seed 0), one line an
implementation, with its repository, file and commit. Where public implementations disagree each has a line of its own,
and the method's docstring says which one the default follows and why. The inputs are not part of this repository: name
their folder in CROSSSIGHT_PARITY (`cases/digits.npz`, `cases/mixture.npz`) to run the comparison; the table itself is
always checked against the registry. `benchmarks/transferability_parity.py` runs all recorded rows.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.transferability import METHODS, implementations, score

FIGURES = list(csv.DictReader((Path(__file__).parent / "parity_figures.csv").open()))


def test_every_method_with_public_code_has_figures() -> None:
    assert {line["method"] for line in FIGURES} == set(METHODS) - {"linear_probe"}
    for line in FIGURES:
        assert line["implementation"] in implementations(line["method"])
        assert "@" in line["source"]


@pytest.mark.parametrize(
    "line", FIGURES, ids=lambda line: "-".join((line["case"], line["method"], line["implementation"]))
)
def test_our_figure_is_theirs(line: dict[str, str]) -> None:
    folder = os.environ.get("CROSSSIGHT_PARITY")
    if not folder:
        pytest.skip("CROSSSIGHT_PARITY does not name the folder of recorded cases")
    case = np.load(Path(folder) / "cases" / f"{line['case']}.npz")
    inputs = {name: case[name].astype(np.float64) for name in ("features", "source_probs", "source_features")}
    found = score(
        line["method"],
        labels=case["labels"],
        source_labels=case["source_labels"],
        label_embeddings=case["label_embeddings"],
        parity=True,
        implementation=line["implementation"],
        **inputs,
    )
    assert found == pytest.approx(float(line["score"]), abs=float(line["tolerance"]))
