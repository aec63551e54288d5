"""Builds that are killed at random moments, and two builds of one folder at once: the index is as if nothing was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from hf_crosssight.zoo.index import ZooIndex, is_index
from tests.conftest import ROOT, client_environment
from tests.zoo.small_zoo import content, write_models

MODELS = 24


def start(folder: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.zoo.build_worker", str(folder), str(out)]
    return subprocess.Popen(
        command, cwd=ROOT, env=client_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, int]:
    """(models of the index, models that this process read)."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    models, read = map(int, out.split())
    return models, read


def kill_in_the_middle(process: subprocess.Popen[str], out: Path, staged: int) -> int:
    """Kills a build (SIGKILL) once so many models are staged; returns how many there were when it was dead."""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if len(list((out / ".stages").glob("*.safetensors"))) >= staged:
            break
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return len(list((out / ".stages").glob("*.safetensors")))


def test_three_kills_change_nothing(tmp_path: Path):
    write_models(tmp_path / "models", MODELS)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert finish(start(tmp_path / "models", whole)) == (MODELS, MODELS)
    rng = random.Random(4)
    moments = sorted(rng.sample(range(1, MODELS), 3))
    for moment in moments:
        found = kill_in_the_middle(start(tmp_path / "models", killed), killed, moment)
        assert found >= moment, "the build ended before it was killed"
        assert not is_index(killed), "nothing half-built is an index"
    models, read = finish(start(tmp_path / "models", killed))
    assert models == MODELS
    assert read <= MODELS - moments[-1], "what was staged before the kills is not read again"
    assert content(killed) == content(whole)
    assert len(ZooIndex.open(killed)) == MODELS


def test_a_kill_while_an_index_is_replaced_leaves_the_old_one(tmp_path: Path):
    write_models(tmp_path / "models", 3)
    index = tmp_path / "index"
    finish(start(tmp_path / "models", index))
    before = content(index)
    write_models(tmp_path / "models", MODELS)
    kill_in_the_middle(start(tmp_path / "models", index), index, 5)
    assert len(ZooIndex.open(index)) == 3
    assert {name: data for name, data in content(index).items() if not name.startswith(".")} == before
    assert finish(start(tmp_path / "models", index))[0] == MODELS
    finish(start(tmp_path / "models", tmp_path / "whole"))
    assert content(index) == content(tmp_path / "whole")


def test_two_builders_of_one_folder_wait_for_each_other(tmp_path: Path):
    write_models(tmp_path / "models", 8)
    both = [start(tmp_path / "models", tmp_path / "index") for _ in range(2)]
    told = sorted(finish(process) for process in both)
    assert told == [(8, 0), (8, 8)], "the second finds all that the first has read"
    finish(start(tmp_path / "models", tmp_path / "alone"))
    assert content(tmp_path / "index") == content(tmp_path / "alone")
