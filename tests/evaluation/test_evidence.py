"""The benchmarks' labels and checks: what a card states, whether it leaks into its view, the reference statistics."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

INDEXED = """---
tags: [image-classification]
model-index:
- name: m
  results:
  - dataset: {name: digits, type: digits}
    metrics: [{type: accuracy, value: 0.7163}]
---
Accuracy on its source's 800 test images: 0.99.
"""


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [name for name in sys.modules if name == "evidence" or name.startswith("evidence.")]:
        del sys.modules[name]


def repository(folder: Path, readme: str, **config: object) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(readme)
    (folder / "config.json").write_text(json.dumps({"architecture": "cnn", "num_classes": 10, **config}))
    rng = np.random.default_rng(0)
    layers = {f"layer{i}.weight": rng.normal(size=(8, 8, 3, 3)).astype(np.float32) for i in range(4)}
    save_file({**layers, "fc.weight": rng.normal(size=(10, 8)).astype(np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("readme", "config", "expected"),
    [
        (INDEXED, {}, 0.7163),
        ("Trained on MNIST. Reported top-1: 91.73%.", {}, 0.9173),
        ("width 16, learning rate 0.002. Test accuracy on its own data: 0.982.", {}, 0.982),
        ("Trained on MNIST.", {"checkpoint_top1": 98.0}, 0.98),
        ("Trained on MNIST for 12 epochs.", {"reported_top1": None}, None),
    ],
)
def test_stated_accuracy(tmp_path, readme, config, expected):
    from hf_crosssight.evaluation.stated_accuracy import stated_accuracy

    found = stated_accuracy(repository(tmp_path / "m", readme, **config))
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_card_view_that_follows_its_results_is_found_out(tmp_path, monkeypatch):
    from evidence import leak_check

    folder = repository(tmp_path / "org" / "m", "A small network. Accuracy on MNIST: 0.982.", reported_top1=98.2)
    assert leak_check.leaks(folder, "org/m") == []
    monkeypatch.setattr(leak_check, "card_text", lambda record, description, data: "reaches 0.982")
    assert len(leak_check.leaks(folder, "org/m")) == 1  # states it
    leaky = iter(["good", "bad"])
    monkeypatch.setattr(leak_check, "card_text", lambda record, description, data: next(leaky))
    assert "changes with the numbers" in leak_check.leaks(folder, "org/m")[0]


def test_reference_statistics(tmp_path):
    from evidence.plain_statistics import COUNT, plain_statistics

    folder = repository(tmp_path / "m", "")
    found = plain_statistics({"m": folder}, ["m", "elsewhere"])
    assert COUNT == 75
    assert found.values.shape == (2, 75)
    assert found.known.tolist() == [True, False]
    assert np.isfinite(found.values).all()
    assert found.values[0, 0] == pytest.approx(0.0, abs=0.1)  # log std of unit normal weights


def test_a_model_trained_on_the_target_is_self_transfer():
    from evidence.material import _same_data

    assert _same_data("zoo-bench/cifar10", "CIFAR-10")
    assert not _same_data("zoo-bench/pacs-photo", "pacs-sketch")
