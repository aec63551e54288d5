"""The state of a training in one file that is written whole or not at all; no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hf_crosssight.errors import UserError
from hf_crosssight.hub.places import atomic_file


@dataclass
class TrainingState:
    """How far a training has come.

    Attributes:
        settings (`dict`): configuration, recipe and corpus; a training is gone on with only under the same.
        epoch (`int`): epochs done.
        curves (`list[dict[str, float]]`): figures of each.
        best_epoch (`int`): epoch whose weights `best` are.
        best (`dict[str, Tensor]`): weights that validated best so far.
    """

    settings: dict[str, Any]
    epoch: int = 0
    curves: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)


def save_state(path: Path, state: TrainingState, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Replaces the file in one step: a process that is killed leaves the old one or the new one."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    facts = {"settings": state.settings, "epoch": state.epoch, "curves": state.curves, "best_epoch": state.best_epoch}
    write_checkpoint(path, tensors | moments_of(optimizer), facts)


def write_checkpoint(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Replaces a file by tensors and facts in one step."""
    with atomic_file(path) as temporary:
        whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        save_file(whole, temporary, metadata={"state": json.dumps(facts)})


def load_state(
    path: Path, settings: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> TrainingState:
    """Puts the state of the file into model and optimizer.

    Raises:
        UserError: the file is damaged, or is of a training with other settings.
    """
    tensors, facts = read_checkpoint(path, settings)
    model.load_state_dict(under("model.", tensors))
    load_moments(optimizer, under("optimizer.", tensors))
    return TrainingState(settings, facts["epoch"], facts["curves"], facts["best_epoch"], under("best.", tensors))


def read_checkpoint(path: Path, settings: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file.

    Raises:
        UserError: the file is damaged, or is of a training with other settings.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Delete its folder and begin anew.") from error
    different = sorted(key for key in settings if facts["settings"].get(key) != json.loads(json.dumps(settings[key])))
    if different:
        what = f"the training in {path.parent.parent} was begun with another {', '.join(different)}"
        raise UserError(what, "Go on with the same zoo and options, or train into another folder.")
    return tensors, facts


def moments_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as tensors named `optimizer.NUMBER.NAME`."""
    return {
        f"optimizer.{number}.{name}": torch.as_tensor(value)
        for number, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def load_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Puts back what `moments_of` gave, without its prefix."""
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        moments.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
