"""The metrics as modules of the real `evaluate`: from their folders, and from Spaces of a Hub."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from scipy.stats import weightedtau

from .conftest import ROOT, client_environment
from .hub import LoopbackHub

FOLDER = ROOT / "spaces_metrics"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
SCORES, ACCURACIES = [0.2, 0.9, 0.4, 0.4], [71.0, 78.0, 80.0, 75.0]
# Gains by share beaten: 0.5874, the mean 0.63 of the two tied, 0; at best 1, 0.5874, 0.2599.
NDCG = (0.5874 + 0.63 / 1.585 + 0.63 / 2) / (1 + 0.5874 / 1.585 + 0.2599 / 2)
EXPECTED = {
    "weighted_kendall_tau": {
        "weighted_tau": weightedtau(SCORES, ACCURACIES).statistic,
        "weighted_tau_true_rank": weightedtau(ACCURACIES, SCORES, rank=None).statistic,
    },
    "regret_at_k": {"regret_at_1": 2.0, "regret_at_3": 0.0, "regret_at_5": 0.0},
    "ndcg_at_k": {"ndcg_at_5": pytest.approx(NDCG, abs=1e-3)},
}

ON_THE_HUB = """
import json, sys
import evaluate
scores, accuracies = json.loads(sys.argv[1])
for name in sys.argv[2:]:
    print(json.dumps(evaluate.load(f"acme/{name}").compute(predictions=scores, references=accuracies)))
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_loaded_offline(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import evaluate

    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
    metric = evaluate.load(str(FOLDER / name))
    assert metric.compute(predictions=SCORES, references=ACCURACIES) == EXPECTED[name]
    constant = metric.compute(predictions=[1.0] * 4, references=ACCURACIES)
    assert all(value == value for value in constant.values())
    if name == "weighted_kendall_tau":
        assert set(constant.values()) == {0.0}


def test_k_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    import evaluate

    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
    regret, ndcg = (evaluate.load(str(FOLDER / name)) for name in ("regret_at_k", "ndcg_at_k"))
    assert regret.compute(predictions=SCORES, references=ACCURACIES, k=2) == {"regret_at_2": 1.0}  # 80 or 75, evenly
    assert ndcg.compute(predictions=ACCURACIES, references=ACCURACIES, k=2) == {"ndcg_at_2": 1.0}


def test_spaces_of_a_hub_are_loaded(tmp_path: Path) -> None:
    root = Path(shutil.copytree(FOLDER, tmp_path / "hub" / "spaces" / "acme")).parents[1]
    with LoopbackHub(root) as hub:
        command = [sys.executable, "-c", ON_THE_HUB, json.dumps([SCORES, ACCURACIES]), *NAMES]
        environment = client_environment(hub) | {"HF_HOME": str(tmp_path / "home")}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert found == [EXPECTED[name] for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_a_space(name: str) -> None:
    card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---")[1])
    assert (FOLDER / name / header["app_file"]).read_text().count(f'evaluate.load("{name}.py")') == 1
    assert header["sdk"] == "gradio"
    assert "hf_crosssight" in (FOLDER / name / "requirements.txt").read_text().split()
