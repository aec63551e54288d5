"""`hf-crosssight zoo ...` as a user types it, over HTTP: build, look, add, upgrade, push, and rank with what came."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from hf_crosssight.zoo.index import ZooIndex
from tests.conftest import ROOT, client_environment
from tests.hub import LoopbackHub
from tests.zoo.small_zoo import content, write_model, write_models

Run = Callable[..., subprocess.CompletedProcess[str]]
VIEWS = ["--views", "structure,weights,lineage"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """A Hub that can be written, with four models."""
    for kind in ("models", "datasets"):
        (tmp_path / "hub" / kind).mkdir(parents=True)
    write_models(tmp_path / "hub" / "models", 4)
    with LoopbackHub(tmp_path / "hub", tokens={"secret": "anna"}, writable=True) as hub:
        yield hub


@pytest.fixture
def cli(run_cli: Run, hub: LoopbackHub, tmp_path: Path) -> Run:
    """The command line with a home of its own, talking to the Hub of the test."""
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_CACHE": str(tmp_path / "home" / "hub"), "HF_TOKEN": "secret"}

    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return run_cli(args, hub=hub, env=home | env)

    return run


def answer(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_build_to_a_ranking_with_the_published_index(cli: Run, hub: LoopbackHub, tmp_path: Path):
    index = tmp_path / "index"
    ids = [f"acme/net{number:02d}" for number in range(3)]
    built = answer(cli("zoo", "build", *ids, "no/such-model", "--out", str(index), "--views", "structure,lineage"))
    assert (built["num_models"], built["read"]) == (3, 3)
    assert [entry["model_id"] for entry in built["skipped"]] == ["no/such-model"]
    assert built["views"] == {"structure": 3, "lineage": 3}
    assert built["bytes_read"] > 0

    added = answer(cli("zoo", "add", str(index), "acme/net02", "acme/net03"))
    assert (added["num_models"], added["read"], added["skipped"]) == (4, 1, [])

    pushed = answer(cli("zoo", "push", str(index), "--to", "anna/zoo", "--private"))
    assert pushed["id"] == "anna/zoo"
    repository = hub.folder.at("datasets", "anna/zoo")
    assert repository.sha() == pushed["revision"]
    card = (tmp_path / "hub/datasets/anna/zoo/README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["configs"][0]["data_files"] == "records-*.parquet"
    for said in (
        "4 models",
        "| mit | 2 |",
        "| apache-2.0 | 2 |",
        "structure/1",
        "--zoo anna/zoo",
        "1 more models could",
    ):
        assert said in card

    info = answer(cli("zoo", "info", "anna/zoo"))
    assert (info["id"], info["num_models"], info["licenses"]) == ("anna/zoo", 4, {"apache-2.0": 2, "mit": 2})
    assert info["skipped"].keys() == {"no/such-model"}

    (tmp_path / "hub/datasets/anna/zoo/notes.txt").write_text("what people put beside an index stays")
    write_model(tmp_path / "hub/models/acme/net00", seed=31)
    answer(cli("zoo", "build", *ids, "--out", str(index), "--views", "structure,lineage"))
    answer(cli("zoo", "push", str(index), "--to", "anna/zoo"))
    there = {path.name for path in (tmp_path / "hub/datasets/anna/zoo").iterdir()}
    assert there == {*content(index), "README.md", "notes.txt"} | ({".gitattributes"} & there)

    ranking = answer(cli("rank", "--dataset", "digits", "--zoo", "anna/zoo", "--top", "0"))
    assert {item["model_id"] for item in ranking["recommendations"]} == set(ids)
    assert ranking["recommendations"][0]["views"] == ["structure"]
    assert "judged without its card" in ranking["recommendations"][0]["why"]


def test_a_listing_of_the_hub(cli: Run, tmp_path: Path):
    listed = answer(cli("zoo", "build", "--search", "net", "--limit", "3", "--out", str(tmp_path / "index"), *VIEWS))
    assert listed["num_models"] == 3
    none = cli("zoo", "build", "--search", "nothing-of-the-kind", "--out", str(tmp_path / "none"), *VIEWS)
    assert (none.returncode, "none matches" in none.stderr) == (2, True)


@pytest.fixture
def index(cli: Run, tmp_path: Path) -> Path:
    answer(cli("zoo", "build", "--from", str(tmp_path / "hub/models"), "--out", str(tmp_path / "index"), *VIEWS))
    return tmp_path / "index"


def test_every_format_of_list_and_info(cli: Run, index: Path):
    listed = answer(cli("zoo", "list", str(index), "--license", "mit"))
    assert [row["model_id"] for row in listed["models"]] == ["acme/net00", "acme/net02"]
    assert listed["rejected"] == {"license": 2}
    assert listed["models"][0]["views"] == ["structure", "weights", "lineage"]
    assert cli("zoo", "list", str(index), "--format", "quiet").stdout.split() == [f"acme/net0{i}" for i in range(4)]
    rows = list(csv.DictReader(io.StringIO(cli("zoo", "list", str(index), "--format", "csv").stdout)))
    assert [row["license"] for row in rows] == ["mit", "apache-2.0"] * 2
    table = cli("zoo", "list", str(index), "--format", "markdown").stdout.splitlines()
    assert len(table) == 6
    assert cli("zoo", "list", str(index), "--format", "human").stdout.splitlines()[1].startswith("acme/net00  ")
    human = cli("zoo", "info", str(index), "--format", "human").stdout
    for said in ("4 models", "view weights (weights/1): 4 models, 100 %", "licenses: apache-2.0 2, mit 2"):
        assert said in human
    for wanted in ("csv", "markdown", "quiet", "json"):
        assert cli("zoo", "info", str(index), "--format", wanted).stdout
    nothing = cli("zoo", "list", str(index), "--license", "gpl-3.0")
    assert (nothing.returncode, nothing.stdout) == (2, "")


def test_upgrade_from_the_folder(cli: Run, index: Path, tmp_path: Path):
    done = answer(cli("zoo", "upgrade", str(index), "--byte-budget", "1KB", "--from", str(tmp_path / "hub/models")))
    assert (done["read"], done["views"]["weights"]) == (4, 4)
    assert done["bytes_read"] < 8_000
    assert answer(cli("zoo", "upgrade", str(index)))["read"] == 0


def test_progress_goes_to_stderr_with_speed(cli: Run, tmp_path: Path):
    done = cli(
        "zoo", "build", "acme/net00", "acme/net01", "--out", str(tmp_path / "index"), "--format", "human", *VIEWS
    )
    assert done.returncode == 0
    assert "2/2" in done.stderr
    assert "models/s" in done.stderr
    assert "MB/s" in done.stderr
    assert done.stdout.splitlines()[0] == f"{tmp_path / 'index'}: 2 models (structure 2, weights 2, lineage 2)"


WRONG = {
    "nothing named": (["build", "--out", "x"], "No models are named"),
    "two ways": (["build", "acme/net00", "--from", "y", "--out", "x"], "more than one way"),
    "no such folder": (["build", "--from", "nowhere", "--out", "x"], "no folder nowhere"),
    "a malformed id": (["build", "a/b/c", "--out", "x"], "not a Hub id"),
    "an unknown view": (["build", "acme/net00", "--out", "x", "--views", "structure,dreams"], "dreams"),
    "a malformed budget": (["build", "acme/net00", "--out", "x", "--byte-budget", "much"], "much"),
    "a malformed order": (["build", "--search", "x", "--sort", "beauty", "--out", "x"], "beauty"),
    "no models at all": (["build", "no/such", "no/other", "--out", "x"], "no/such"),
    "no index to add to": (["add", "nowhere", "acme/net00"], "not a zoo index"),
    "no index to upgrade": (["upgrade", "nowhere"], "not a zoo index"),
    "no index to push": (["push", "nowhere", "--to", "anna/zoo"], "not a zoo index"),
    "no index to look at": (["info", "./nowhere"], "no folder ./nowhere"),
    "an encoder that is none": (["build", "acme/net00", "--out", "x", "--encoder", "acme/net00"], "encoder"),
    "an option that is none": (["build", "--outt", "x"], "--out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_user_gets_wrong_is_two_lines_and_exit_code_2(cli: Run, tmp_path: Path, case: str):
    arguments, words = WRONG[case]
    done = cli("zoo", *(str(tmp_path / word) if word in ("x", "y") else word for word in arguments))
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(("error", "hint"))]
    assert len(lines) == 2
    assert words in lines[0]
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x" / "index.json").exists()


def test_a_folder_of_other_things_is_not_filled_with_an_index(cli: Run, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    done = cli("zoo", "build", "acme/net00", "--out", str(tmp_path / "mine"), *VIEWS)
    assert (done.returncode, "thesis.txt" in done.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_hub_that_does_not_answer_is_exit_code_3(cli: Run, tmp_path: Path):
    done = cli("zoo", "build", "acme/net00", "--out", str(tmp_path / "x"), *VIEWS, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 3
    refused = cli("zoo", "build", "acme/net00", "--out", str(tmp_path / "x"), "--offline", *VIEWS)
    assert refused.returncode == 2


def test_pushing_without_the_right_to_is_the_users_fault(cli: Run, index: Path):
    done = cli("zoo", "push", str(index), "--to", "anna/zoo", HF_TOKEN="wrong")
    assert done.returncode == 2
    assert "hf auth login" in done.stderr


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(cli: Run, hub: LoopbackHub, tmp_path: Path):
    from tests.hub import Fault

    hub.faults.add("*net03*", Fault(delay=20), times=1000)
    ids = [f"acme/net{number:02d}" for number in range(4)]
    command = [sys.executable, "-m", "hf_crosssight", "zoo", "build", *ids, "--out", str(tmp_path / "index"), *VIEWS]
    environment = client_environment(hub) | {"HF_HOME": str(tmp_path / "other"), "HF_HUB_CACHE": str(tmp_path / "o")}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    stages, deadline = tmp_path / "index" / ".stages", time.monotonic() + 60
    while len(list(stages.glob("*.safetensors"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 8, "it does not wait for the server that stalls"
    assert process.returncode == 2
    assert "error: interrupted" in err
    assert "Traceback" not in err
    hub.faults.clear()
    assert answer(cli("zoo", "build", *ids, "--out", str(tmp_path / "index"), *VIEWS))["num_models"] == 4
    assert len(ZooIndex.open(tmp_path / "index")) == 4


@pytest.mark.parametrize("command", ["build", "add", "upgrade", "info", "list", "push"])
def test_help_has_an_example(cli: Run, command: str):
    done = cli("zoo", command, "--help")
    assert done.returncode == 0
    assert f"hf-crosssight zoo {command}" in done.stdout
