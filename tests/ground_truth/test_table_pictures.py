"""Pictures of a table: what is in them, and when there is too little to draw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.cli.ground_truth import app
from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.table_pictures import draw_pictures, heat_map, similarities, variance_bars
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.ground_truth.variance import ranking_similarity, z_scores
from hf_crosssight.publishing.ground_truth import ground_truth_repository


def table(scores: np.ndarray, self_transfer: np.ndarray | None = None) -> GroundTruthTable:
    datasets, models = scores.shape
    own = np.zeros(scores.shape, bool) if self_transfer is None else self_transfer
    names = tuple(f"org/d{i}" for i in range(datasets)), tuple(f"org/m{i}" for i in range(models))
    return GroundTruthTable("t", "mit", "here", "accuracy", *names, scores, own)


SCORES = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.2, 0.4, 0.6, 0.8, 0.9, 1.0], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]])


def test_datasets_are_alike_as_far_as_they_rank_alike() -> None:
    found = ranking_similarity(table(SCORES), weighted_tau)
    assert found == pytest.approx(np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]))
    own = np.zeros(SCORES.shape, bool)
    own[0, 0] = own[2, 0] = own[2, 1] = True
    found = ranking_similarity(table(SCORES, own), weighted_tau)
    assert found[1, 0] == pytest.approx(1)
    assert np.isnan(found[2, 0])  # three models are left


def test_z_scores_keep_holes_and_constants() -> None:
    z = z_scores(np.array([[1.0, 3.0, np.nan], [2.0, 2.0, 2.0]]))
    assert z[0, :2].tolist() == [-1, 1]
    assert np.isnan(z[0, 2])
    assert z[1].tolist() == [0, 0, 0]


def test_the_heat_map_has_the_best_model_first() -> None:
    axes = heat_map(table(SCORES), "full").axes[0]
    assert axes.get_xticklabels()[0].get_text() == "m5"
    assert {label.get_text() for label in axes.get_yticklabels()} == {"d0", "d1", "d2"}
    shown = axes.images[0].get_array()
    assert shown.shape == (3, 6)
    assert shown.mean(0)[0] == shown.mean(0).max()


def test_the_matrices_stand_side_by_side() -> None:
    left, right = similarities(table(SCORES), "full", weighted_tau).axes[:2]
    assert left.images[0].get_array().shape == (3, 3)
    assert right.images[0].get_array().shape == (16, 16)
    assert [label.get_text() for label in right.get_yticklabels()][:2] == ["MNIST", "SVHN"]


def test_bars_sum_to_one() -> None:
    axes = variance_bars({"full": table(SCORES), "knn": table(SCORES[:, :1])}).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)  # one model has no shares: no bar
    assert [label.get_text() for label in axes.get_xticklabels()] == ["full"]


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"org/m{m},org/d{d},{0},{SCORES[d, m]}" for d in range(3) for m in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["model_id,dataset_id,seed,accuracy", *rows]))
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    app(["picture", str(tmp_path), "--format", "json"], standalone_mode=False)
    told = [Path(path) for path in json.loads(capsys.readouterr().out)["pictures"]]
    assert [path.name for path in told] == ["heat_map.png", "variance.png", "similarity.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in told)
    card = (tmp_path / "README.md").read_text()
    assert all(f"](pictures/{path.name})" in card for path in told)
    repository = ground_truth_repository(tmp_path, "org/table")
    assert [name for name in repository.files if name.startswith("pictures/")] == [f"pictures/{p.name}" for p in told]
    assert b"](pictures/heat_map.png)" in repository.files["README.md"]


def test_too_little_to_draw_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too small"):
        draw_pictures({"full": table(SCORES[:1]), "head": table(SCORES[:, :4])}, tmp_path, weighted_tau)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="no folder"):
        app(["picture", str(tmp_path / "none")], standalone_mode=False)
