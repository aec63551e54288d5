"""Tables told apart: what is static, what is interaction, what is noise, and how high a ranker could get."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.cli.ground_truth import app
from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.ground_truth.throughput import throughput
from hf_crosssight.ground_truth.tidy_tables import load_tidy
from hf_crosssight.ground_truth.variance import agreement, share_of_groups, variance_shares


def table(scores: np.ndarray, repeats: np.ndarray | None = None) -> GroundTruthTable:
    datasets, models = scores.shape
    return GroundTruthTable(
        "t", "mit", "here", "accuracy", tuple(f"d{i}" for i in range(datasets)), tuple(f"m{i}" for i in range(models)),
        scores, np.zeros(scores.shape, dtype=bool), repeats,
    )  # fmt: skip


def drawn(static: float, interaction: float, noise: float, seeds: int = 2) -> GroundTruthTable:
    """Accuracies of 60 models on 25 datasets with known variances."""
    rng = np.random.default_rng(0)
    true = np.sqrt(static) * rng.normal(size=60) + np.sqrt(interaction) * rng.normal(size=(25, 60))
    repeats = true[..., None] + np.sqrt(noise) * rng.normal(size=(25, 60, seeds))
    return table(repeats.mean(-1), repeats)


@pytest.mark.parametrize(("static", "interaction", "noise"), [(0.7, 0.2, 0.2), (0.0, 0.6, 0.8), (0.2, 0.8, 0.0)])
def test_shares_are_those_that_were_put_in(static: float, interaction: float, noise: float) -> None:
    found = variance_shares(drawn(static, interaction, noise))
    assert found is not None
    total = static + interaction + noise / 2  # the mean of two seeds has half the noise
    assert found.static == pytest.approx(static / total, abs=0.08)
    assert found.interaction == pytest.approx(interaction / total, abs=0.08)
    assert found.noise == pytest.approx(noise / 2 / total, abs=0.08)
    assert found.static + found.interaction + (found.noise or 0) == pytest.approx(1)
    assert (found.models, found.datasets) == (60, 25)


def test_one_seed_leaves_noise_unknown() -> None:
    found = variance_shares(table(drawn(0.5, 0.3, 0.2).scores))
    assert found is not None
    assert found.noise is None
    assert found.static + found.interaction == pytest.approx(1)


def test_models_that_miss_a_dataset_are_left_out() -> None:
    scores = drawn(0.5, 0.3, 0.2).scores.copy()
    scores[3, 7] = np.nan
    found = variance_shares(table(scores))
    assert found is not None
    assert found.models == 59
    scores[:, 1:] = np.nan
    assert variance_shares(table(scores)) is None


def test_agreement_of_recipes() -> None:
    first = table(np.arange(12.0).reshape(2, 6))
    second = table(-np.arange(12.0).reshape(2, 6))
    assert agreement(first, first, weighted_tau) == agreement(second, second, weighted_tau)
    found = agreement(first, second, weighted_tau)
    assert found is not None
    assert (found.mean, found.datasets) == (pytest.approx(-1), 2)
    assert agreement(first, table(np.ones((2, 4))), weighted_tau) is None


def test_the_share_that_families_explain() -> None:
    rng = np.random.default_rng(1)
    family = {f"m{model}": f"f{model % 6}" for model in range(60)}
    effect = np.array([rng.normal(size=6)[model % 6] for model in range(60)])
    level = {group: rng.normal() for group in set(family.values())}
    decided = table(np.array([[level[family[f"m{m}"]] for m in range(60)]] * 8) + 0.05 * rng.normal(size=(8, 60)))
    unrelated = table(np.tile(rng.normal(size=60), (8, 1)) + 0.05 * rng.normal(size=(8, 60)) + 0 * effect)
    assert share_of_groups(decided, family) == pytest.approx(1, abs=0.02)
    assert share_of_groups(unrelated, family) == pytest.approx(0, abs=0.15)
    assert share_of_groups(decided, dict.fromkeys(family, "one")) is None


def write_table(folder: Path, noise: float) -> Path:
    rng = np.random.default_rng(0)
    quality = rng.normal(size=20)
    lines = [
        f"m{m},d{d},{s},{quality[m] + noise * rng.normal():.6f}" for d in range(2) for m in range(20) for s in (0, 1)
    ]
    (folder / "t.csv").write_text("\n".join(["model_id,dataset_id,seed,accuracy", *lines]))
    return folder / "t.csv"


def test_the_ceiling_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ceilings = []
    for noise in (0.0, 0.3, 1.0):
        app(["ceiling", str(write_table(tmp_path, noise)), "--format", "json"], standalone_mode=False)
        told = json.loads(capsys.readouterr().out)
        assert set(told["per_dataset"]) == {"d0", "d1"}
        ceilings.append(told["ceiling"])
        assert told["between_halves"] <= told["ceiling"] + 1e-9  # the mean of both halves ranks better than one
    assert ceilings[0] == pytest.approx(1)
    assert ceilings[0] > ceilings[1] > ceilings[2] > 0.3


def test_a_ceiling_needs_repeated_runs(tmp_path: Path) -> None:
    lines = ["model_id,dataset_id,seed,accuracy", *(f"m{i},d,0,0.{i}" for i in range(9))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match="two seeds"):
        app(["ceiling", str(tmp_path / "t.csv")], standalone_mode=False)
    with pytest.raises(UserError, match="recipe 'full'"):
        app(["ceiling", str(tmp_path / "t.csv"), "--recipe", "full"], standalone_mode=False)


def test_tidy_tables_leave_failures_out_and_refuse_what_is_none(tmp_path: Path) -> None:
    head = "model_id,dataset_id,seed,accuracy,recipe,status,self_transfer\n"
    rows = "m,d,0,0.5,full,ok,false\nm,d,1,,full,failed,false\nn,d,0,0.7,head,ok,true\n"
    (tmp_path / "a.csv").write_text(head + rows)
    (tmp_path / "b.csv").write_text(head + "m,d,2,0.7,full,ok,false\n")
    tables = load_tidy(tmp_path)
    assert list(tables) == ["full", "head"]
    assert tables["full"].scores.tolist() == [[pytest.approx(0.6)]]
    assert tables["head"].self_transfer.all()
    (tmp_path / "c.csv").write_text("model,accuracy\nm,1\n")
    with pytest.raises(UserError, match="no column 'model_id'"):
        load_tidy(tmp_path)
    with pytest.raises(UserError, match="is no table"):
        load_tidy(tmp_path / "nowhere")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(UserError, match="cannot be read"):
        load_tidy(tmp_path / "d.parquet")


def test_throughput_counts_training_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    lines = [
        {"kind": "trial", "status": "ok", "seconds": 10.0, "step_seconds": 9.0},
        {"kind": "trial", "status": "ok", "seconds": 5.0, "step_seconds": 4.5},
        {"kind": "trial", "status": "failed", "seconds": 50.0},
        {"kind": "result", "status": "ok", "seconds": 10.0, "step_seconds": 9.0},
    ]
    (tmp_path / "records/a.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + '\n{"kind": "tri')
    assert throughput(tmp_path) == {
        "training_runs": 2, "training_runs_per_hour_and_process": 480.0, "share_outside_training_steps": 0.1
    }  # fmt: skip
    assert throughput(tmp_path / "none") is None


def test_the_score_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.csv").write_text("dataset,model,accuracy\nMNIST,a,0.9\nSVHN,b,0.8\n")
    arguments = ["score", "--reported", str(tmp_path / "p.csv"), "--target", "svhn", "--format", "json"]
    app(arguments, standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["ranking"] == [
        {"rank": 1, "model_id": "b", "score": 1.8}, {"rank": 2, "model_id": "a", "score": pytest.approx(0.54)}
    ]  # fmt: skip
