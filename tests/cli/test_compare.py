"""`compare` and `evaluate` on the command line: the result alone on stdout, bad input in two lines."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.cli.entry import main
from hf_crosssight.comparison import seen
from tests.comparison.conftest import write_table
from tests.ground_truth.small_world import draw, png, write_dataset, write_resnet

DATASETS = ("zoo-bench/pacs-sketch", "zoo-bench/pacs-photo", "zoo-bench/usps", "zoo-bench/trashnet")
MODELS = ("acme/small", "acme/large", "acme/wide")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cli")
    for number, name in enumerate(DATASETS):
        write_dataset(root / "data" / name, train=12, test=0, seed=number)
    for number, name in enumerate(MODELS):
        (root / "models" / name).mkdir(parents=True)
        write_resnet(root / "models" / name, seed=number, width=4 + 2 * number, card="license: mit")
    write_table(root / "table.csv", MODELS, np.random.default_rng(0).permutation(12).reshape(3, 4) / 20)
    return root


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def compared(folder: Path, *more: object) -> int:
    return run(
        "compare", "--dataset", folder / "data" / DATASETS[2], "--zoo", folder / "models", "--offline",
        "--images-per-class", 4, *more,
    )  # fmt: skip


def evaluated(folder: Path, *more: object) -> int:
    return run(
        "evaluate", "--zoo", folder / "models", "--ground-truth", folder / "table.csv", "--datasets", folder / "data",
        "--offline", "--images-per-class", 4, *more,
    )  # fmt: skip


def test_compare_in_every_format(folder: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    methods = ("--methods", "params,knn,static_mean_rank")
    truth = ("--ground-truth", folder / "table.csv", "--datasets", folder / "data")
    assert compared(folder, *methods, *truth, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["methods"]) == ["params", "knn", "static_mean_rank"]
    assert (tmp_path / found["plot"]).read_bytes()[:4] == b"\x89PNG"
    assert compared(folder, *methods, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 9
    assert rows[0]["needs"] == "facts"
    assert compared(folder, *methods, *truth, "--format", "human") == 0
    page = capsys.readouterr().out
    for words in ("params", "tau_w", "Ranks of all models by measured accuracy", "acme/wide", "leave one parent out"):
        assert words in page
    assert compared(folder, *methods, "--format", "markdown") == 0
    assert capsys.readouterr().out.startswith("| method | needs |")
    assert compared(folder, "--methods", "params", "--format", "quiet") == 0
    assert capsys.readouterr().out == "params\tacme/wide\n"


def test_a_long_list_of_models_is_cut_on_a_screen_alone(folder: Path, capsys, monkeypatch) -> None:
    long = "seen: " + ", ".join(f"org/model-{number}" for number in range(100))
    monkeypatch.setattr(seen.Seen, "warnings", lambda *_: (long,))
    assert compared(folder, "--methods", "params,crosssight", "--format", "json") == 0
    assert long in json.loads(capsys.readouterr().out)["warnings"]
    assert compared(folder, "--methods", "params,crosssight", "--format", "human") == 0
    [note] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: seen")]
    assert note.endswith(" ...")
    assert len(note) < 410


def test_evaluate_in_every_format(folder: Path, capsys) -> None:
    methods = ("--methods", "params,static_mean_rank,ridge")
    assert evaluated(folder, *methods, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {"methods", "ceiling", "datasets", "models", "warnings"} <= set(found)
    assert set(found["methods"]["ridge"]["weighted_tau"]["per_dataset"]) == set(DATASETS)
    assert evaluated(folder, *methods, "--format", "human") == 0
    page = capsys.readouterr().out
    for words in ("3 methods on 4 datasets", "over static", "noise ceiling"):
        assert words in page
    assert evaluated(folder, *methods, "--format", "csv") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert evaluated(folder, *methods, "--format", "markdown") == 0
    assert capsys.readouterr().out.startswith("| method | tau_w |")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--methods", "logmee"), "logme"),
        (("--methods", "params", "--plot", "x.png"), "--ground-truth"),
        (("--methods", "params", "--ground-truth", "/nowhere.csv"), "/nowhere.csv"),
        (("--methods", "params", "--models", "/nowhere"), "/nowhere"),
        (("--methods", "params", "--images-per-class", "0"), "images_per_class"),
        (("--methods", "ridge"), "past results"),
    ],
)
def test_bad_input_is_told_in_two_lines(folder: Path, capsys, arguments: tuple[str, ...], words: str) -> None:
    assert compared(folder, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    what, hint = captured.err.splitlines()[-2:]
    assert what.startswith("error: ")
    assert hint.startswith("hint: ")
    assert words in what + hint


def test_a_dataset_without_labels_is_refused_before_a_model_runs(folder: Path, tmp_path: Path, capsys) -> None:
    for number in range(4):
        (tmp_path / "plain").mkdir(exist_ok=True)
        (tmp_path / "plain" / f"{number}.png").write_bytes(png(draw(0, np.random.default_rng(number), 16)))
    wanted = ("compare", "--dataset", tmp_path / "plain", "--zoo", folder / "models", "--offline", "--methods")
    assert run(*wanted, "knn,logme") == 2
    said = capsys.readouterr().err
    assert "has no labels, which knn, logme need" in said
    assert "running the models" not in said
    assert run(*wanted, "knn,params", "--format", "human") == 0
    assert "unlabelled, 4 images" in capsys.readouterr().out


def test_an_accuracy_that_is_no_number(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "bad.csv").write_text("model_id,dataset_id,seed,accuracy\nacme/small,zoo-bench/usps,0,oops\n")
    assert compared(folder, "--methods", "params", "--ground-truth", tmp_path / "bad.csv") == 2
    assert "an accuracy is no number" in capsys.readouterr().err


def test_a_table_without_a_column(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "bad.csv").write_text("model,dataset\n")
    assert run("evaluate", "--zoo", folder / "models", "--ground-truth", tmp_path / "bad.csv", "--offline") == 2
    assert "model_id" in capsys.readouterr().err.splitlines()[-2]
