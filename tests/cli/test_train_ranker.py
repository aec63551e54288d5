"""`hf-crosssight train ranker` as it is called: a folder that `rank` reads, errors in two lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.cli.entry import _run
from hf_crosssight.rankers import find_ranker
from tests.training.small_zoo import write_zoo

DATASETS = ("pets", "food", "cars")


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = _run([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def write_inputs(root: Path) -> list[object]:
    """Eight networks, three datasets of a few images, and a table in which the later networks are better."""
    write_zoo(root / "zoo", models=8)
    rng = np.random.default_rng(0)
    lines = ["model_id,dataset_id,seed,accuracy"]
    for d, name in enumerate(DATASETS):
        for label in "ab":
            place = root / "data" / name / label
            place.mkdir(parents=True)
            for image in range(2):
                Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(place / f"{image}.png")
        lines += [f"net{m},{name},0,{0.1 + 0.05 * m + 0.01 * d:.3f}" for m in range(8)]
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return ["train", "ranker", "--zoo", root / "zoo", "--ground-truth", root / "table.csv", "--datasets",
            root / "data", "--offline"]  # fmt: skip


def test_trains_tells_and_is_found_finished(capsys, tmp_path):
    command = [*write_inputs(tmp_path), "--out", tmp_path / "out", "--steps", 20, "--batch", 2, "--seeds", 1,
               "--validation-datasets", "cars", "--format", "json"]  # fmt: skip
    code, out, err = run(capsys, *command)
    assert code == 0, err
    told = json.loads(out)
    assert told["datasets"] == ["food", "pets"]
    assert told["validation_datasets"] == ["cars"]
    assert told["validation_by_forest_share"] == {}, "none of these networks can be run, so there is no probe view"
    curves = (tmp_path / "out" / "curves.csv").read_text().splitlines()
    assert curves[0] == "seed,step,loss,validation"
    assert curves[-1].startswith("0,20,")
    assert not (tmp_path / "out" / ".training").exists()
    ranker = find_ranker(tmp_path / "out", client=None).load().model
    assert ranker.config.trained_on["datasets"] == ["food", "pets"]
    assert run(capsys, *command, "--resume")[1] == out
    code, _, err = run(capsys, *command)
    assert code == 2
    assert "is not empty" in err.splitlines()[-2]


def test_two_processes_train_one_ranker_and_tell_once(tmp_path):
    command = [*write_inputs(tmp_path), "--out", tmp_path / "out", "--steps", 20, "--batch", 2, "--seeds", 1,
               "--validation-datasets", "cars", "--format", "json"]  # fmt: skip
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    done = subprocess.run(
        [*launched, "hf_crosssight", *(str(argument) for argument in command)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=Path(__file__).parents[2], capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["steps"] == 20
    assert find_ranker(tmp_path / "out", client=None).load().model.config.trained_on["datasets"] == ["food", "pets"]
    assert not (tmp_path / "out" / ".training").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--seeds", "0"], "--seeds is 0"),
        (["--steps", "1"], "--steps is 1"),
        (["--lr", "nan"], "--lr is nan"),
        (["--precision", "int8"], "--precision is 'int8'"),
        (["--ground-truth", "nowhere.csv"], "nowhere.csv"),
        ([], "holds no model repository"),
    ],
)
def test_what_is_wrong_and_what_to_do(given, said, capsys, tmp_path):
    for name in ("zoo", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "table.csv").write_text("model_id,dataset_id,seed,accuracy\n")
    if given[:1] == ["--ground-truth"]:
        write_zoo(tmp_path / "zoo", models=2)
    tables = [] if given[:1] == ["--ground-truth"] else ["--ground-truth", tmp_path / "table.csv"]
    code, out, err = run(
        capsys, "train", "ranker", "--zoo", tmp_path / "zoo", *tables, "--datasets", tmp_path / "data", "--out",
        tmp_path / "out", *given,
    )  # fmt: skip
    assert code == 2
    assert out == ""
    assert said in err.splitlines()[-2]
    assert err.splitlines()[-1].startswith("hint: ")
    assert not (tmp_path / "out").exists()


def test_results_on_one_dataset_are_told_for_what_they_are(capsys, tmp_path):
    command = [*write_inputs(tmp_path), "--out", tmp_path / "out"]
    head, *rows = (tmp_path / "table.csv").read_text().splitlines()
    (tmp_path / "table.csv").write_text("\n".join([head, *(row for row in rows if ",pets," in row)]) + "\n")
    code, _, err = run(capsys, *command)
    assert code == 2
    assert "one dataset alone, pets" in err
