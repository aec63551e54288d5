"""From the command line to a Hub and back: read by the real clients, ranked with; the cards' snippets run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import hf_hub_download
from transformers import AutoModel

from hf_crosssight.cli.entry import _run
from hf_crosssight.models import Arch2VecConfig, Arch2VecModel, CrossSightModel
from hf_crosssight.rankers import BUNDLED_FOLDER, bundled_ranker
from hf_crosssight.training.encoder_folder import save_encoder
from hf_crosssight.zoo.open import open_zoo
from tests.conftest import client_environment
from tests.hub import LoopbackHub
from tests.models.small_encoders import small_encoder
from tests.publishing.cards import checked_dataset_card, snippets
from tests.publishing.test_ground_truth import results, write_csv

STARTER = BUNDLED_FOLDER.parent / "starter_zoo"


@pytest.fixture
def hub(hub_factory) -> LoopbackHub:
    """A Hub that can be written and has a small dataset under the name `cifar10`."""
    return hub_factory(tokens={"good": "anna"}, writable=True, redirects={"cifar10": "acme/shapes"})


@pytest.fixture
def run(capsys, hub):
    """A command in this process; its JSON. With --debug it leaves the other libraries' logs as they are."""

    def command(*words: str) -> dict:
        code = _run([*words, "--format", "json", "--debug"])
        told = capsys.readouterr()
        assert code == 0, told.err
        return json.loads(told.out)

    return command


def test_a_ranker_and_an_index_come_back_and_rank_the_same(run, hub, tmp_path, caplog):
    to = ["--to", "anna/ranker", "--token", "good"]
    would = run("publish", "ranker", *to, "--dry-run")
    assert (would["created"], would["committed"], hub.folder.exists("models", "anna/ranker")) == (True, False, False)
    done = run("publish", "ranker", *to, "--folder", str(tmp_path / "copy"))
    assert (done["committed"], done["files"], done["folder"]) == (True, len(done["added"]), str(tmp_path / "copy"))
    again = run("publish", "ranker", *to)
    assert (again["committed"], again["revision"], again["changed"]) == (False, done["revision"], [])
    pushed = run("zoo", "push", str(STARTER), "--to", "anna/zoo", "--token", "good")
    assert run("zoo", "push", str(STARTER), "--to", "anna/zoo", "--token", "good")["committed"] is False
    assert sum("/commit/" in request.path for request in hub.requests) == 2

    model = AutoModel.from_pretrained("anna/ranker")
    assert isinstance(model, CrossSightModel)  # the package's own class, not the code that the repository carries
    state = bundled_ranker().state_dict()
    assert all((value == state[name]).all() for name, value in model.state_dict().items())
    ours = run("rank", "--dataset", "cifar10", "--top", "5")
    theirs = run("rank", "--dataset", "cifar10", "--top", "5", "--ranker", "anna/ranker", "--zoo", "anna/zoo")
    assert theirs["recommendations"] == ours["recommendations"]
    assert theirs["ranker"] == {"id": "anna/ranker", "source": "hub", "revision": done["revision"]}
    assert (theirs["zoo"]["id"], pushed["id"]) == ("anna/zoo", "anna/zoo")

    card = Path(hf_hub_download("anna/zoo", "README.md", repo_type="dataset")).read_text()
    checked_dataset_card(card, caplog, ("How to use it", "Intended use", "Limits", "Licences", "How to cite"))
    told: dict = {}
    exec(compile(snippets(card)[0], "zoo card", "exec"), told)
    assert (len(told["zoo"]), told["ranking"][0].model_id) == (2019, ours["recommendations"][0]["model_id"])
    exec(compile(snippets((tmp_path / "copy/README.md").read_text())[0], "ranker card", "exec"), told)
    assert [one["rank"] for one in told["best"]] == [1, 2, 3]


def test_an_encoder_comes_back_and_makes_the_codes_of_a_zoo(run, hub, tmp_path):
    small = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    encoder = Arch2VecModel(Arch2VecConfig.from_preset("default", **small)).eval()
    save_encoder(encoder, tmp_path / "encoder")
    to = ["--to", "anna/encoder", "--license", "mit", "--token", "good"]
    run("publish", "encoder", str(tmp_path / "encoder"), *to)
    assert run("publish", "encoder", str(tmp_path / "encoder"), *to)["committed"] is False
    loaded = AutoModel.from_pretrained("anna/encoder")
    assert isinstance(loaded, Arch2VecModel)
    assert all((value == encoder.state_dict()[name]).all() for name, value in loaded.state_dict().items())
    here, there = (
        run("zoo", "build", "--from", str(hub.folder.root / "models"), "--out", str(tmp_path / name), "--views",
            "weights,arch2vec", "--encoder", which)
        for name, which in (("here", str(tmp_path / "encoder")), ("there", "anna/encoder"))
    )  # fmt: skip
    assert there["views"]["arch2vec"] == here["views"]["arch2vec"] > 0
    codes = [open_zoo(tmp_path / name).views["arch2vec"] for name in ("here", "there")]
    assert np.array_equal(*codes)
    assert '"anna/encoder@' in (tmp_path / "there/index.json").read_text()


def test_an_encoder_of_chunks_makes_no_view_of_an_index(hub, capsys, tmp_path):
    save_encoder(small_encoder("thesis"), tmp_path / "thesis")
    words = ["zoo", "build", "--from", str(hub.folder.root / "models"), "--out", str(tmp_path / "zoo")]
    assert _run([*words, "--encoder", str(tmp_path / "thesis")]) == 2
    assert "is of the preset thesis" in capsys.readouterr().err
    assert not (tmp_path / "zoo").exists()


def test_what_needs_no_package(run, hub, tmp_path):
    """The ranker loads with its own code, results and index with `datasets`, where this package is never imported."""
    table = write_csv(tmp_path / "t.csv", results())
    run("publish", "ranker", "--to", "anna/ranker", "--token", "good")
    run("publish", "ground-truth", str(table), "--to", "anna/results", "--license", "mit", "--token", "good")
    run("zoo", "push", str(STARTER), "--to", "anna/zoo", "--token", "good")
    cards = {name: snippets((hub.folder.root / name / "README.md").read_text()) for name in (
        "models/anna/ranker", "datasets/anna/results", "datasets/anna/zoo")}  # fmt: skip
    code = "\n".join(
        [cards["models/anna/ranker"][1], cards["datasets/anna/results"][0], cards["datasets/anna/zoo"][1]]
    )
    last = """
import json, sys
ours = [name for name in sys.modules if name.split(".")[0] == "hf_crosssight"]
told = [ours, type(ranker).__module__, ranker.config.num_references, len(results), results[0], len(records)]
print(json.dumps(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", code + last], env=client_environment(hub) | {"HF_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=170, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours, module, references, rows, first, models = json.loads(done.stdout.splitlines()[-1])
    assert (ours, module.split(".")[0], references) == ([], "transformers_modules", 63)
    assert (rows, first["model_id"], first["accuracy"], models) == (36, "org/m0", 0.5, 2019)


def test_mistakes_are_two_lines_and_exit_code_2(hub, capsys, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    cases = {
        "nowhere to publish to": ["ranker"],
        "no ranker folder": ["ranker", "./gone", "--to", "anna/x"],
        "names no owner": ["ranker", "--to", "x"],
        "thesis.txt": ["ranker", "--folder", str(tmp_path / "mine")],
        "no licence": ["ranker", "--folder", str(tmp_path / "new"), "--license", "mine"],
        "no folder": ["encoder", str(tmp_path / "gone"), "--to", "anna/x"],
        "no table": ["ground-truth", str(tmp_path / "gone"), "--to", "anna/x"],
    }
    for words, arguments in cases.items():
        assert _run(["publish", *arguments]) == 2, words
        told = capsys.readouterr()
        assert (told.out, words in told.err) == ("", True), told.err
        assert [line.split(":")[0] for line in told.err.splitlines()] == ["error", "hint"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "hf_home") == ["hub", "mine"]
