"""`hf-crosssight rank` from end to end: the result alone on stdout, every bad input in two lines with its code."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from hf_crosssight.cli.entry import main
from hf_crosssight.rankers import BUNDLED_FOLDER


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["rank", *map(str, arguments)])
    return stopped.value.code


def class_folders(root: Path, classes=("cat", "dog", "owl"), images: int = 4) -> Path:
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(images):
            pixels = rng.integers(0, 80, (48, 48, 3), dtype=np.uint8)
            pixels[..., number % 3] += 150
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def model_repo(root: Path, name: str, license: str = "apache-2.0") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "resnet", "architectures": ["ResNetForImageClassification"]})
    )
    (folder / "README.md").write_text(
        f"---\nlicense: {license}\npipeline_tag: image-classification\n---\nA small network."
    )
    weights = {"conv.weight": np.zeros((8, 3, 3, 3), np.float32), "fc.weight": np.zeros((10, 8), np.float32)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def assert_two_lines(capsys, *words: str) -> None:
    captured = capsys.readouterr()
    assert captured.out == ""
    what, hint = [line for line in captured.err.splitlines() if not line.endswith("...")][-2:]
    assert what.startswith("error: ")
    assert hint.startswith("hint: ")
    for word in words:
        assert word in what + hint
    assert "Traceback" not in captured.err


def test_a_folder_of_images_and_a_folder_of_models(tmp_path, capsys):
    """What a user has at home: pictures in class folders, and models beside them."""
    images = class_folders(tmp_path / "images")
    for name in ("mine/a", "mine/b"):
        model_repo(tmp_path / "models", name)
    assert run("--dataset", images, "--zoo", tmp_path / "models", "--format", "json") == 0
    captured = capsys.readouterr()
    ranking = json.loads(captured.out)
    assert {item["model_id"] for item in ranking["recommendations"]} == {"mine/a", "mine/b"}
    assert ranking["dataset"]["num_classes"] == 3
    assert ranking["dataset"]["num_images_used"] == 12
    assert ranking["zoo"]["num_models"] == 2
    assert ranking["recommendations"][0]["params"] == 8 * 3 * 3 * 3 + 80


def test_models_of_a_folder_that_cannot_be_read_are_named_and_the_others_ranked(tmp_path, capsys):
    zoo = tmp_path / "models"
    model_repo(zoo, "mine/good")
    (model_repo(zoo, "mine/broken") / "config.json").write_text("{not json")
    truncated = model_repo(zoo, "mine/short") / "model.safetensors"
    truncated.write_bytes(truncated.read_bytes()[:40])
    pickled = model_repo(zoo, "mine/pickle")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert run("--dataset", "digits", "--zoo", zoo, "--format", "json") == 0
    ranking = json.loads(capsys.readouterr().out)
    assert [item["model_id"] for item in ranking["recommendations"]] == ["mine/good"]
    for name in ("mine/broken", "mine/short", "mine/pickle"):
        assert any(name in warning for warning in ranking["warnings"])


def test_a_zoo_folder_without_any_readable_model_is_an_error(tmp_path, capsys):
    pickled = model_repo(tmp_path / "models", "mine/pickle")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert run("--dataset", "digits", "--zoo", tmp_path / "models") == 2
    assert_two_lines(capsys, "mine/pickle")


def test_no_model_left_says_what_removed_how_many(capsys):
    assert run("--dataset", "digits", "--offline", "--max-params", "1", "--license", "apache-2.0") == 2
    assert_two_lines(capsys, "max-params", "license", "removed")


@pytest.mark.parametrize("size", ["30X", "many", "-5M", ""])
def test_a_malformed_size_is_named(size, capsys):
    assert run("--dataset", "digits", "--offline", f"--max-params={size}") == 2
    assert_two_lines(capsys, "30M")


def test_a_misspelt_column_is_told_the_columns_there_are(tmp_path, capsys):
    assert run("--dataset", class_folders(tmp_path / "images"), "--label-column", "lable") == 2
    assert_two_lines(capsys, "lable", "label")


def test_a_folder_without_images(tmp_path, capsys):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    assert run("--dataset", tmp_path) == 2
    assert_two_lines(capsys, "image")


def test_a_folder_of_broken_images(tmp_path, capsys):
    images = class_folders(tmp_path / "images")
    for path in images.rglob("*.png"):
        path.write_bytes(b"not a picture")
    assert run("--dataset", images) == 2
    assert_two_lines(capsys)


def test_one_class_only(tmp_path, capsys):
    assert run("--dataset", class_folders(tmp_path / "images", classes=("cat",))) == 2
    assert_two_lines(capsys, "class")


def test_offline_with_nothing_cached(capsys, monkeypatch, tmp_path):
    assert run("--dataset", "acme/never-seen", "--offline") == 2
    assert_two_lines(capsys, "acme/never-seen")
    assert run("--dataset", "digits", "--ranker", "acme/never-seen", "--offline") == 2
    assert_two_lines(capsys, "acme/never-seen")


def test_unknown_ids_of_dataset_model_and_ranker(hub, capsys):
    assert run("--dataset", "acme/no-such-dataset") == 2
    assert_two_lines(capsys, "acme/no-such-dataset")
    assert run("--dataset", "digits", "--model", "acme/no-such-model") == 2
    assert_two_lines(capsys, "acme/no-such-model")
    assert run("--dataset", "digits", "--ranker", "acme/no-such-ranker") == 2
    assert_two_lines(capsys, "acme/no-such-ranker")


def test_a_gated_dataset_needs_a_token(hub_factory, capsys):
    hub_factory(tokens={"good": "anna"}, gated={"acme/shapes": {"anna"}})
    assert run("--dataset", "acme/shapes") == 2
    assert_two_lines(capsys, "acme/shapes", "token")
    assert run("--dataset", "acme/shapes", "--token", "good", "--top", 1, "--format", "quiet") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_no_network_is_exit_code_3(hub_factory, monkeypatch, capsys):
    hub_factory()
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody listens
    assert run("--dataset", "acme/anything") == 3
    assert_two_lines(capsys)


def test_a_bare_name_a_model_and_a_ranker_of_the_hub(hub_factory, hub_repos, tmp_path, capsys):
    """Everything from the Hub: dataset by its old name, one model by its headers, a ranker pushed there by hand."""
    root = shutil.copytree(hub_repos, tmp_path / "served")
    shutil.copytree(BUNDLED_FOLDER, root / "models" / "crosssight" / "ranker")
    served = hub_factory(root, redirects={"shapes": "acme/shapes"})
    arguments = ("--dataset", "shapes", "--model", "acme/tiny-resnet", "--ranker", "crosssight/ranker")
    assert run(*arguments, "--format", "json") == 0
    ranking = json.loads(capsys.readouterr().out)
    assert ranking["dataset"]["id"] == "acme/shapes"
    assert len(ranking["dataset"]["revision"]) == 40
    assert ranking["ranker"]["source"] == "hub"
    assert [item["model_id"] for item in ranking["recommendations"]] == ["acme/tiny-resnet"]
    weights = [item for item in served.requests if item.path.endswith("tiny-resnet/resolve/main/model.safetensors")]
    assert not [item for item in weights if item.method == "GET" and not item.range]
    assert run(*arguments, "--offline", "--format", "json") == 0
    offline = json.loads(capsys.readouterr().out)
    assert offline["recommendations"] == ranking["recommendations"]


def test_a_user_who_presses_ctrl_c_gets_two_lines_and_no_debris(tmp_path):
    home = tmp_path / "home"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hf_crosssight",
            "rank",
            "--dataset",
            "digits",
            "--offline",
            "--images-per-class",
            "100",
        ],
        env={**os.environ, "HF_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background hands down "ignore Ctrl-C"; a user's shell does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr.readline()  # the first step is under way
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert "error: interrupted" in err
    assert "Traceback" not in err
    assert not [path for path in home.rglob("*") if path.is_file() and "dataset_tokens" in str(path)]


def test_the_command_writes_the_result_alone_to_stdout_and_twice_the_same(tmp_path):
    command = [sys.executable, "-m", "hf_crosssight", "rank", "--dataset", "digits", "--offline", "--top", "3"]
    environment = {**os.environ, "HF_HOME": str(tmp_path)}
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)
    )
    rankings = [json.loads(result.stdout) for result in (first, second)]
    assert all(ranking.pop("timing_s")["total"] > 0 for ranking in rankings)
    assert json.dumps(rankings[0]) == json.dumps(rankings[1])
    assert "Warning" not in first.stderr
