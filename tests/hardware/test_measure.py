"""Measuring a small network on this machine: figures that fit together, and a reason for each that is missing."""

import pytest
import transformers

from hf_crosssight.errors import UserError
from hf_crosssight.hardware import sensors
from hf_crosssight.hardware.measure import measure_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "tiny"
    config = transformers.ResNetConfig(
        hidden_sizes=[8, 16, 32, 64], embedding_size=8, depths=[1, 1, 1, 1], num_labels=4
    )
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(path)
    transformers.ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(path)
    return path


def test_figures_of_a_measurement_fit_together(folder, monkeypatch):
    monkeypatch.setattr(sensors, "ENERGY_COUNTER", folder / "no_counter")
    one, four = measure_model(folder, batch_sizes=(1, 4), repeats=5)
    assert (one.batch_size, four.batch_size) == (1, 4)
    assert one.input_size == 64
    assert one.latency_low_ms <= one.latency_ms <= one.latency_high_ms
    assert four.throughput == pytest.approx(4e3 / four.latency_ms)
    assert four.forward_ms == pytest.approx(four.latency_ms / 4)
    assert four.gmacs == pytest.approx(one.gmacs)
    assert four.activations_mb == pytest.approx(4 * one.activations_mb, rel=0.05)
    assert 1.0 <= one.weights_mb / (one.params * 4 / 2**20) < 1.1  # batch statistics are weights, not parameters
    assert four.memory_mb == pytest.approx(four.weights_mb + four.activations_mb + four.allocator_mb)
    assert one.energy_j is None
    assert "RAPL" in one.reasons["energy_j"]
    assert set(one.reasons) == {name for name, value in vars(one).items() if value is None}


def test_a_training_step_takes_longer_than_a_pass(folder):
    infer = measure_model(folder, batch_sizes=(8,), repeats=5)[0]
    train = measure_model(folder, batch_sizes=(8,), repeats=5, phase="train")[0]
    assert train.phase == "train"
    assert train.latency_low_ms > infer.latency_low_ms


def test_the_energy_counter_is_read_and_may_go_round(tmp_path, monkeypatch):
    import torch

    counter = tmp_path / "energy_uj"
    counter.write_text("5000000")
    monkeypatch.setattr(sensors, "ENERGY_COUNTER", counter)
    monkeypatch.setattr(sensors, "_COUNTER_RANGE", tmp_path / "range")
    (tmp_path / "range").write_text("9000000")

    def a_pass():
        counter.write_text("1000000")

    monkeypatch.setattr(sensors, "keep_busy", lambda one_pass: (one_pass(), (0.5, 10))[1])
    reading = sensors.energy_of_pass(a_pass, torch.device("cpu"))
    assert reading.value == pytest.approx(0.5)  # from 5 round at 9 to 1 J: 5 J in ten passes


@pytest.mark.parametrize(
    ("options", "said"),
    [({"device": "tpu"}, "no device"), ({"phase": "dream"}, "phase"), ({"batch_sizes": (0,)}, "at least one image")],
)
def test_wrong_options_are_refused(folder, options, said):
    with pytest.raises(UserError, match=said):
        measure_model(folder, **options)


def test_a_folder_without_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(UserError, match="safetensors"):
        measure_model(tmp_path)
