"""The hardware commands as a user meets them: lists, predictions, measurements, and errors in two lines."""

import csv
import io
import json

import pytest
import transformers

from hf_crosssight.cli.entry import main


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("org") / "tiny"
    config = transformers.ViTConfig(
        hidden_size=48, num_attention_heads=3, intermediate_size=96, num_hidden_layers=2, image_size=32, patch_size=8
    )
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(path)
    return path


@pytest.mark.parametrize("command", ["list", "measure", "predict"])
def test_help_ends_in_examples(capsys, command):
    assert run("hardware", command, "--help") == 0
    assert f"hf-crosssight hardware {command}" in capsys.readouterr().out.split("Example")[-1]


def test_list_names_devices_with_sources(capsys):
    assert run("hardware", "list", "--format", "json") == 0
    said = json.loads(capsys.readouterr().out)
    names = [device["name"] for device in said["devices"]]
    assert names[0] == "local"
    assert {"rtx4090", "i7-12700h", "raspberry-pi-5"} <= set(names)
    assert all(source["url"].startswith("https://") for source in said["sources"].values())


def test_list_of_one_kind_as_csv(capsys):
    assert run("hardware", "list", "--kind", "board", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["kind"] for row in rows} == {"board"}
    assert {row["extrapolated"] for row in rows} == {"yes"}


def test_predict_of_the_starter_zoo(capsys):
    arguments = ("timm/resnet50.a1_in1k", "--device", "rtx4090", "--offline", "--format", "json")
    assert run("hardware", "predict", *arguments) == 0
    found = json.loads(capsys.readouterr().out)["predictions"][0]
    assert found["source"] == "predicted"
    assert found["latency_ms_low"] < found["latency_ms"] < found["latency_ms_high"]
    assert found["throughput"] == pytest.approx(1e3 / found["latency_ms"], rel=0.01)


def test_predict_of_a_folder_with_anchors(capsys, tmp_path, folder):
    device = tmp_path / "board.json"
    device.write_text(
        '{"name": "mine", "kind": "board", "rates_tflops": {"fp32": 0.1}, "bandwidth_gb_s": 10, "power_max_w": 9}'
    )
    anchors = tmp_path / "anchors.csv"
    anchors.write_text("model_id,latency_ms\ntimm/resnet50.a1_in1k,900\ntimm/resnet18.a1_in1k,400\n")
    common = ("hardware", "predict", str(folder), "--device", str(device), "--offline", "--format", "json")
    assert run(*common) == 0
    before = json.loads(capsys.readouterr().out)["predictions"][0]
    assert run(*common, "--anchors", str(anchors)) == 0
    after = json.loads(capsys.readouterr().out)["predictions"][0]
    assert before["source"] == "extrapolated"
    assert after["source"] == "predicted"
    assert after["latency_ms"] > before["latency_ms"]
    assert before["memory_mb"] == after["memory_mb"]


@pytest.mark.parametrize("wanted", ["human", "csv", "markdown", "quiet"])
def test_every_format_names_the_model(capsys, folder, wanted):
    assert run("hardware", "predict", str(folder), "--device", "rtx3090", "--offline", "--format", wanted) == 0
    assert folder.name in capsys.readouterr().out


def test_measure_says_why_figures_are_missing(capsys, folder):
    assert run("hardware", "measure", str(folder), "--threads", "1", "--offline", "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["measurements"]
    assert found["latency_ms"] > 0
    assert {name for name, value in found.items() if value is None} == set(found["reasons"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "timm/resnet50.a1_in1k", "--device", "rtx4095", "--offline"), "rtx4090"),
        (("predict", "timm/resnet50.a1_in1k", "--device", "no.json", "--offline"), "JSON"),
        (("predict", "timm/resnet50.a1_in1k", "--device", "rtx4090", "--phase", "dream", "--offline"), "infer"),
        (("measure", "/no/such/folder", "--offline"), "hint"),
        (("list", "--kind", "toaster"), "gpu"),
    ],
)
def test_errors_are_two_lines_and_code_two(capsys, arguments, said):
    assert run("hardware", *arguments) in (2, 3)
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.split(":")[0] for line in lines[-2:]] == ["error", "hint"]
    assert said in "\n".join(lines)
