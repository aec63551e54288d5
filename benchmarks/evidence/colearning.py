"""Rankings from codes of the weights alone: the encoder frozen, or learnt with the ranking loss at a lower rate.

The encoder (`Arch2VecConfig`, preset `default`) reads the weights view of a model. It is first trained without labels
on every model that is not held out, by rebuilding hidden tensors; then a perceptron reads a model's code and the
dataset's descriptors, and the ranking loss goes through both, L = L_rank + 0.1 L_rebuilt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import Arch2VecConfig, Arch2VecModel
from hf_crosssight.models.ranking_losses import ensemble_loss
from hf_crosssight.training.episodes import ranks_of

_REBUILDING, _RANKING = 150, 200  # updates
_BATCH, _RATE, _HIDDEN = 32, 1e-3, 0.3


def ranked_by_codes(
    weights: np.ndarray, known: Sequence[int], rows: Mapping[str, int], tasks: Sequence[Task],
    descriptors: Mapping[str, np.ndarray], *, share: float, pretrained: bool, seed: int,
) -> tuple[Arch2VecModel, nn.Module]:  # fmt: skip
    """The encoder and the head after both trainings.

    Args:
        weights: weights views `[M, T, D]`.
        known: rows that may be learnt from.
        rows: row of each model.
        tasks: known tasks of known models.
        descriptors: `[k]` of each dataset.
        share: of the head's learning rate that the encoder gets in the second training; 0 freezes it.
        pretrained: whether the first training is made.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    views = torch.from_numpy(np.asarray(weights, np.float32))
    encoder = Arch2VecModel(Arch2VecConfig.from_preset("default"))
    encoder.fit_scale(views[list(known)])
    if pretrained:
        optimizer = torch.optim.AdamW(encoder.parameters(), lr=_RATE, weight_decay=0.05)
        encoder.train()
        for _ in range(_REBUILDING):
            drawn = torch.tensor(known)[torch.randint(len(known), (_BATCH,), generator=generator)]
            _step(optimizer, _rebuilt(encoder, views[drawn], generator), encoder)
    width = encoder.config.code_size + len(next(iter(descriptors.values())))
    head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 1))
    groups = [{"params": head.parameters(), "lr": 2e-3}, {"params": encoder.parameters(), "lr": 2e-3 * share}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
    head.train()
    for _ in range(_RANKING):
        task = tasks[int(torch.randint(len(tasks), (1,), generator=generator))]
        own = views[[rows[model] for model in task.models]]
        with torch.set_grad_enabled(share > 0):
            codes = encoder.train(share > 0)(own).codes[:, 0]
        scores = head(_joined(codes, descriptors[task.dataset]))[None]
        loss = ensemble_loss(
            scores, torch.from_numpy(ranks_of(task.scores))[None], {"gaussian_mse": 1.0, "pairwise": 1.0}, 1.0
        )
        _step(optimizer, loss + (0.1 * _rebuilt(encoder, own, generator) if share > 0 else 0.0), head, encoder)
    return encoder.eval(), head.eval()


@torch.no_grad()
def scores_of(encoder: Arch2VecModel, head: nn.Module, weights: np.ndarray, descriptor: np.ndarray) -> np.ndarray:
    """Scores `[m]` of models with weights views `[m, T, D]` on a dataset with descriptors `[k]`."""
    codes = encoder(torch.from_numpy(np.asarray(weights, np.float32))).codes[:, 0]
    return np.asarray(head(_joined(codes, descriptor))[:, 0].numpy())


def _joined(codes: Tensor, descriptor: np.ndarray) -> Tensor:
    shared = torch.from_numpy(np.asarray(descriptor, np.float32)).expand(len(codes), -1)
    return torch.cat([codes, shared], dim=1)


def _rebuilt(encoder: Arch2VecModel, views: Tensor, generator: torch.Generator) -> Tensor:
    hidden = (torch.rand(views.shape[:2], generator=generator) < _HIDDEN) & (views[..., 0] > 0.5)
    hidden[:, 0] = False
    loss: Tensor = encoder(views, bool_masked_pos=hidden, labels=views).loss
    return loss


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, *modules: nn.Module) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for module in modules:
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
