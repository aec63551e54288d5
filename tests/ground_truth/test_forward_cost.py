"""The hardware metrics of one forward pass: measured, or null where the machine cannot tell."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hf_crosssight.ground_truth import forward_cost
from hf_crosssight.ground_truth.forward_cost import measure_forward
from hf_crosssight.hardware.sensors import Reading


class Counting(torch.nn.Module):
    """Counts its passes and the options that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(12, 4)
        self.passes = 0

    def forward(self, pixel_values: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        assert scale == 2.0
        self.passes += 1
        return self.layer(pixel_values.flatten(1))


def measured(monkeypatch: pytest.MonkeyPatch, reading: Reading) -> Any:
    for name in ("energy_of_pass", "cpu_temperature", "carbon_of_pass"):
        monkeypatch.setattr(forward_cost, name, lambda *_: reading)
    model = Counting()
    cost = measure_forward(model, torch.zeros(1, 3, 2, 2), {"scale": 2.0}, torch.device("cpu"))
    assert model.passes > 15
    assert not model.training
    return cost


def test_sensors_fill_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = measured(monkeypatch, Reading(0.5))
    assert 0 < cost.forward_ms < 1000
    assert cost.power_w == pytest.approx(0.5 / (cost.forward_ms / 1e3))
    assert (cost.cpu_temperature_c, cost.carbon_g) == (0.5, 0.5)
    assert cost.memory_mb is None or cost.memory_mb > 1
    assert cost.device


def test_what_no_sensor_tells_is_null_and_not_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = measured(monkeypatch, Reading(None, "no sensor"))
    assert (cost.power_w, cost.cpu_temperature_c, cost.carbon_g) == (None, None, None)
    assert cost.forward_ms > 0
