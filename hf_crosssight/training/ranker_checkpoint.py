"""The state of a ranker's training in one file: weights, their mean, the optimiser, the best so far, all generators.

A training that was killed and gone on with takes the very steps that it would have taken: whatever is drawn from is
put back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.models import CrossSightModel

from .encoder_checkpoint import load_moments, moments_of, read_checkpoint, under, write_checkpoint
from .weight_mean import WeightMean


@dataclass
class RankerState:
    """How far a training has come.

    Attributes:
        settings (`dict`): recipe, network and data; a training is gone on with only under the same.
        step (`int`): updates done.
        curves (`list[dict[str, float]]`): `step`, `loss` and, where it was validated, `validation`.
        best (`float`), best_step (`int`), best_weights: what validated best, and when.
        stale (`int`): validations since.
        done (`bool`): no update is left to do.
    """

    settings: dict[str, Any]
    step: int = 0
    curves: list[dict[str, float]] = field(default_factory=list)
    best: float = -float("inf")
    best_step: int = 0
    stale: int = 0
    done: bool = False
    best_weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Moving:
    """What changes in a training beside its state: network, mean of its weights, optimiser and generators."""

    model: CrossSightModel
    mean: WeightMean
    optimizer: torch.optim.Optimizer
    drawn: np.random.Generator
    withheld: torch.Generator

    def save(self, path: Path, state: RankerState) -> None:
        """Replaces the file in one step."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"mean.{name}": value for name, value in self.mean.mean.items()}
        tensors |= {f"best.{name}": value for name, value in state.best_weights.items()}
        tensors |= moments_of(self.optimizer)
        tensors |= {"random.torch": torch.get_rng_state(), "random.withheld": self.withheld.get_state()}
        facts = {
            "settings": state.settings, "step": state.step, "curves": state.curves, "best_step": state.best_step,
            "best": state.best if state.best_weights else None, "stale": state.stale, "done": state.done,
            "averaged": self.mean.updates, "drawn": self.drawn.bit_generator.state,
        }  # fmt: skip
        write_checkpoint(path, tensors, facts)

    def load(self, path: Path, settings: dict[str, Any]) -> RankerState:
        """Puts everything back.

        Raises:
            UserError: the file is damaged, or is of a training with other settings.
        """
        tensors, facts = read_checkpoint(path, settings)
        self.model.load_state_dict(under("model.", tensors))
        self.mean.mean = under("mean.", tensors)
        self.mean.updates = facts["averaged"]
        load_moments(self.optimizer, under("optimizer.", tensors))
        torch.set_rng_state(tensors["random.torch"])
        self.withheld.set_state(tensors["random.withheld"])
        self.drawn.bit_generator.state = facts["drawn"]
        best = -float("inf") if facts["best"] is None else facts["best"]
        return RankerState(
            settings, facts["step"], facts["curves"], best, facts["best_step"], facts["stale"], facts["done"],
            under("best.", tensors),
        )  # fmt: skip
