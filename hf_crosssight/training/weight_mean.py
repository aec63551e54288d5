"""The running mean of a network's weights: steadier than the weights of any one update of a small training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class WeightMean:
    """Exponential mean of the parameters of `model`, and its buffers as they are.

    Args:
        model (`nn.Module`): the network in training.
        keep (`float`): share of the mean that an update leaves; 0 follows the weights.
    """

    def __init__(self, model: nn.Module, keep: float) -> None:
        self.model, self.keep, self.updates = model, keep, 0
        self.mean = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Takes the present weights in; early updates count more, so that the start is soon forgotten."""
        self.updates += 1
        keep = min(self.keep, self.updates / (self.updates + 10))
        for name, parameter in self.model.named_parameters():
            self.mean[name].lerp_(parameter, 1.0 - keep)

    def state(self) -> dict[str, Tensor]:
        """A state dict with the mean in place of the parameters."""
        return {**self.model.state_dict(), **{name: mean.clone() for name, mean in self.mean.items()}}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the mean for its weights inside the block, and its own again afterwards."""
        own = {name: parameter.detach().clone() for name, parameter in self.model.named_parameters()}
        self.model.load_state_dict(self.state())
        try:
            yield
        finally:
            self.model.load_state_dict({**self.model.state_dict(), **own})
