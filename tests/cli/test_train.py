"""`hf-crosssight train encoder` as it is called: the result alone on stdout, errors in two lines."""

from __future__ import annotations

import json

import pytest

from hf_crosssight.cli.entry import _command_of, _run
from tests.training.small_zoo import write_zoo


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = _run([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_trains_tells_and_resumes(run_cli, tmp_path):
    zoo = write_zoo(tmp_path / "zoo", models=8)
    command = [
        "train",
        "encoder",
        "--zoo",
        str(zoo),
        "--out",
        str(tmp_path / "out"),
        "--epochs",
        "1",
        "--format",
        "json",
    ]
    done = run_cli(command)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["models"] == 8
    assert told["encoder"].startswith("out@")
    assert "training" in done.stderr
    again = run_cli([*command, "--resume"])
    assert json.loads(again.stdout) == told
    refused = run_cli(command)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-2].startswith("error: ")
    assert refused.stderr.splitlines()[-2].endswith("is not empty")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--preset", "best"], "--preset is 'best'"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--lr", "nan"], "--lr is nan"),
        (["--validation", "0.9"], "--validation is 0.9"),
        (["--byte-budget", "much"], "much"),
        ([], "holds no model repository"),
    ],
)
def test_what_is_wrong_and_what_to_do(given, said, capsys, tmp_path):
    (tmp_path / "zoo").mkdir()
    code, out, err = run(capsys, "train", "encoder", "--zoo", tmp_path / "zoo", "--out", tmp_path / "out", *given)
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert len(lines) == 2
    assert said in lines[0]
    assert not (tmp_path / "out").exists()


def test_help_has_examples_and_hints_name_the_command(capsys):
    code, out, _ = run(capsys, "train", "encoder", "--help")
    assert code == 0
    assert "hf-crosssight train encoder --zoo ./models --out ./encoder" in out
    assert _command_of(["train", "encoder", "--zo"]) == "train encoder "
    code, _, err = run(capsys, "train", "encoder", "--out", "x")
    assert code == 2
    assert "--zoo" in err
