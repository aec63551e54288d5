"""The thesis' formula against cases worked out by hand from its slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.thesis_scores import (
    ReportedAccuracy,
    ranking_indices,
    read_reported,
    read_similarity,
    score_table,
    thesis_ranking,
    thesis_similarity,
    weighted_scores,
)

REPORTED = [
    ReportedAccuracy("MNIST", "a", 0.99),
    ReportedAccuracy("USPS Digits", "b", 0.96),
    ReportedAccuracy("SVHN", "c", 0.90),
    ReportedAccuracy("Pets", "d", 0.80),
]


def test_the_matrix_is_that_of_the_thesis() -> None:
    matrix = thesis_similarity()
    assert matrix.values.shape == (16, 16)
    assert matrix.datasets[0] == "MNIST"
    assert matrix.datasets[-1] == "Pets"
    assert np.array_equal(np.diag(matrix.values), np.ones(16))
    assert np.array_equal(matrix.values, matrix.values.T)  # which transfer is not
    assert matrix.values.sum() == pytest.approx(107.0)
    assert [matrix.between("MNIST", name) for name in ("SVHN", "USPS Digits", "ImageNet 1k")] == [0.6, 0.85, 0.05]
    assert matrix.between("cifar10", "CIFAR-100") == 0.75
    assert matrix.between("Caltech-101", "Pets") == 0.8
    assert matrix.between("HAM10000", "Cars") == 0.2
    assert matrix.between("DTD", "SUN397") == 0.75


def test_weighted_scores_by_hand() -> None:
    models, scores = weighted_scores(REPORTED, "mnist", thesis_similarity())
    assert models == ("a", "b", "c", "d")
    assert scores == pytest.approx([1.99, 0.96 * 0.85, 0.90 * 0.6, 0.80 * 0.1], abs=1e-15)
    _, scores = weighted_scores(REPORTED, "SVHN", thesis_similarity())
    assert scores == pytest.approx([0.99 * 0.6, 0.96 * 0.65, 1.90, 0.80 * 0.1], abs=1e-15)


def test_ranking_by_hand() -> None:
    assert [name for name, _ in thesis_ranking(REPORTED, "SVHN")] == ["c", "b", "a", "d"]  # b: .624, a: .594
    assert [name for name, _ in thesis_ranking(REPORTED, "Pets")] == ["d", "a", "b", "c"]  # .99, .96, .90 times .1


def test_any_model_of_the_target_goes_before_all_others() -> None:
    reported = [ReportedAccuracy("USPS Digits", "good", 1.0), ReportedAccuracy("MNIST", "hopeless", 0.0)]
    assert thesis_ranking(reported, "MNIST") == [("hopeless", 1.0), ("good", 0.85)]


def test_ties_go_to_the_later_model() -> None:
    assert ranking_indices(np.array([0.5, 0.5, 0.9, 0.5])).tolist() == [2, 3, 1, 0]
    assert ranking_indices(np.zeros(4)).tolist() == [3, 2, 1, 0]


def test_the_tie_break_overturns_what_is_closer_than_a_millionth() -> None:
    assert ranking_indices(np.array([0.5000005, 0.5])).tolist() == [1, 0]
    assert ranking_indices(np.array([0.5000015, 0.5])).tolist() == [0, 1]


def test_a_model_reported_twice_gets_its_better_score() -> None:
    reported = [*REPORTED, ReportedAccuracy("MNIST", "d", 0.5)]
    assert dict(thesis_ranking(reported, "MNIST"))["d"] == 1.5


def test_score_table_has_a_vector_for_each_target() -> None:
    table = score_table(REPORTED, ["MNIST", "SVHN"])
    assert table["MNIST"][0] == pytest.approx(1.99)
    assert table["SVHN"][2] == pytest.approx(1.90)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("dataset,model,accuracy\nx,a,0.5\ny,b,1\n")
    (tmp_path / "s.csv").write_text("dataset,x,y\nx,1,0.3\ny,0.2,1\n")
    ranking = thesis_ranking(read_reported(tmp_path / "p.csv"), "x", read_similarity(tmp_path / "s.csv"))
    assert ranking == [("a", 1.5), ("b", 0.3)]  # the row is the target: a matrix need not be symmetric


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("dataset,model\nx,a\n", "no column 'accuracy'"),
        ("dataset,model,accuracy\nx,a,93\n", "'93'"),
        ("dataset,model,accuracy\nx,a,nan\n", "'nan'"),
        ("dataset,model,accuracy\nx,a,good\n", "'good'"),
    ],
)
def test_bad_reported_files(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=what):
        read_reported(tmp_path / "p.csv")


@pytest.mark.parametrize(
    "text", ["dataset,x,y\nx,1,0.3\n", "dataset,x\nx,2\n", "dataset,x\nx,high\n", "dataset,x\ny,1\n"]
)
def test_bad_matrices(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(UserError):
        read_similarity(tmp_path / "s.csv")


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(UserError, match="EuroSAT"):
        thesis_ranking(REPORTED, "EuroSAT")
    with pytest.raises(UserError, match="cannot be read"):
        read_reported("nowhere.csv")
