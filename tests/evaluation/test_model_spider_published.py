"""The recomputation of Model Spider's published table, on tables small enough to know the answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from scipy.stats import weightedtau

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ACCURACIES = [71.0, 80.0, 78.0, 78.0]
SCORES = {"LogME": [1.0, 3.0, 2.0, 4.0], "LEEP": [-2.0, -1.0, -3.0, -2.5]}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    models = "abcd"
    scores = [f"Cars,{m},{name},{value}" for name, own in SCORES.items() for m, value in zip(models, own, strict=True)]
    (tmp_path / "model_spider_baselines.csv").write_text("\n".join(["dataset,model,method,score", *scores]))
    truth = [f"single_source_10,Cars,{model},{value}" for model, value in zip(models, ACCURACIES, strict=True)]
    other = [f"multi_source_66,Cars,{model},1.0" for model in models]
    (tmp_path / "model_spider_ranks.csv").write_text("\n".join(["zoo,dataset,model,finetuned_score", *truth, *other]))
    right = round(weightedtau(ACCURACIES, SCORES["LogME"], rank=None).statistic, 3)
    published = [f"LogME,LogME,Cars,{right}", "LEEP,LEEP,Cars,0.999", "Model Spider,,Cars,0.8"]
    (tmp_path / "model_spider_published_tau.csv").write_text(
        "\n".join(["method,csv_method,dataset,published_weighted_tau", *published])
    )
    return tmp_path


def test_cells_are_recomputed_and_others_named(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from model_spider_published import recomputed, report

    cells = {cell.method: cell for cell in recomputed(tables)}
    assert set(cells) == {"LogME", "LEEP"}  # Model Spider's own scores are not published
    assert cells["LogME"].reproduced
    assert not cells["LEEP"].reproduced
    assert cells["LEEP"].both_rankings == pytest.approx(weightedtau(SCORES["LEEP"], ACCURACIES).statistic)
    page = report(list(cells.values()))
    assert "1 of 2 cells agree at three decimals under `weighted_tau_true_rank`" in page
    assert "LEEP on Cars: published 0.999" in page
    del sys.modules["model_spider_published"]
