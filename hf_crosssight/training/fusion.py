"""Training a Fusion ranker: the same tasks, each on a device and under a budget, with ranks that join the two.

In a task the models that keep a budget of milliseconds an image on a device come first, in the order of their
accuracy; those that break it come after them, the ones that break it least first. What the ranker is told is the
device's token with the budget in it; how long a model takes there it must learn from the model's structure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.hardware.device import Device
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.tokens.dataset import DatasetTokens
from hf_crosssight.tokens.hardware import HARDWARE_DIM, hardware_token
from hf_crosssight.zoo.index import ZooIndex

from .episodes import NOT_IN_TASK, Episode, EpisodeSampler, ranks_of

Progress = Callable[[str, int, int | None], None]
_PLAIN = 0.15  # share of tasks without a device: there accuracy alone counts


def train_fusion(
    start: CrossSightModel,
    tasks: Sequence[Task],
    zoo: ZooIndex,
    tokens: Mapping[str, Sequence[DatasetTokens]],
    latency: Mapping[str, tuple[Device, np.ndarray]],
    *,
    steps: int = 400,
    batch: int = 8,
    learning_rate: float = 2e-3,
    seed: int = 0,
    progress: Progress | None = None,
) -> CrossSightModel:
    """A ranker that reads a hardware token, trained further from one that does not.

    Args:
        start: a trained ranker of the same views.
        tasks: what to learn from.
        zoo: views of the tasks' models, M of them.
        tokens: token samples of each dataset.
        latency: by device name the device and milliseconds an image of the zoo's models there, `[M]`; NaN unknown.
        steps: updates.
        batch: tasks an update.
        learning_rate: peak of a one-cycle schedule.
        seed: of everything drawn.
        progress: called as `progress(step, done, total)`.

    Raises:
        ValueError: no task has tokens and three known models.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = _with_hardware(start)
    rows = {model_id: row for row, model_id in enumerate(zoo.model_ids)}
    views = {name: torch.from_numpy(np.asarray(view, np.float32)) for name, view in zoo.views.items()}
    samples = {name: [sample.values for sample in found] for name, found in tokens.items()}
    sampler = EpisodeSampler(tasks, samples, rows, seed=seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.15)
    model.train()
    for step in range(1, steps + 1):
        episode, hardware = joined_targets(sampler.draw(batch), latency, rng)
        loss = _loss(model, episode, views, hardware)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if progress is not None and step % 25 == 0:
            progress("training", step, steps)
    return model.eval()


def joined_targets(
    episode: Episode, latency: Mapping[str, tuple[Device, np.ndarray]], rng: np.random.Generator
) -> tuple[Episode, Tensor]:
    """An episode whose ranks join accuracy with a drawn device and budget, and its hardware tokens `[B, Dh]`.

    The budget lies anywhere between the fastest and the slowest model of the task. A model whose latency is not known
    leaves the task; a task that would lose all but two is ranked by accuracy alone, and has a token of zeros.
    """
    names = sorted(latency)
    ranks = episode.ranks.numpy().copy()
    hardware = np.zeros((len(ranks), HARDWARE_DIM), np.float32)
    for row in range(len(ranks)):
        device, milliseconds = latency[names[int(rng.integers(len(names)))]]
        taken = milliseconds[episode.models[row].numpy()]
        known = (ranks[row] != NOT_IN_TASK) & np.isfinite(taken)
        if known.sum() < 3 or rng.random() < _PLAIN:
            continue
        budget = float(np.exp(np.quantile(np.log(taken[known]), rng.random())))
        hardware[row] = hardware_token(device, budget)
        ranks[row] = np.where(known, ranks[row], NOT_IN_TASK)
        ranks[row, known] = ranks_of(joined_scores(-ranks[row, known], taken[known], budget))
    return replace(episode, ranks=torch.from_numpy(ranks)), torch.from_numpy(hardware)


def joined_scores(worth: np.ndarray, milliseconds: np.ndarray, budget: float) -> np.ndarray:
    """Values `[M]` that order models by worth within the budget, and behind them by how little they break it."""
    places = np.searchsorted(np.sort(worth), worth, side="left")  # equal worth, equal value
    over = np.log(np.maximum(milliseconds / budget, 1.0))
    return np.where(milliseconds <= budget, 1.0 + places, -over)


def _with_hardware(start: CrossSightModel) -> CrossSightModel:
    """The same network with an embedding for hardware and without the gate, which would shrink it on new datasets."""
    fields = start.config.to_dict() | {
        "hardware_token_dim": HARDWARE_DIM, "dataset_gate": False, "dataset_token_dropout": 0.0,
    }  # fmt: skip
    model = CrossSightModel(CrossSightConfig.from_dict(fields))
    state = {name: value for name, value in start.state_dict().items() if not name.startswith("gate.")}
    model.load_state_dict(state, strict=False)
    return model


def _loss(model: CrossSightModel, episode: Episode, views: Mapping[str, Tensor], hardware: Tensor) -> Tensor:
    output = model(
        episode.dataset_tokens,
        episode.dataset_mask,
        {name: view[episode.models] for name, view in views.items()},
        ranks=episode.ranks,
        hardware_token=hardware,
    )
    assert output.loss is not None
    return output.loss
