"""What comes out of the ranker: the ensemble's heads on a shared trunk, and the record of their scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.utils import ModelOutput

from .configuration_crosssight import CrossSightConfig


@dataclass
class CrossSightOutput(ModelOutput):
    """What the ranker says of M models on each of B datasets.

    Args:
        loss (`Tensor`, *optional*): scalar, if `ranks` were given.
        scores (`Tensor` `[B, M]`): mean over the ensemble; higher = better expected accuracy after fine-tuning.
        scores_std (`Tensor` `[B, M]`): spread over the ensemble (0 for a single member).
        static (`Tensor` `[B, M]`): b(m), mean over the ensemble; 0 where the config has no static part.
        residual (`Tensor` `[B, M]`): r(m, d), mean over the ensemble, before the gate.
        gate (`Tensor` `[B]`): a(d).
        attentions (`tuple[Tensor]`, *optional*): `[B, heads, M, S]` of each cross-attention layer (eager only).
        member_scores (`Tensor` `[B, M, E]`): score by each ensemble member.
    """

    loss: Tensor | None = None
    scores: Tensor | None = None
    scores_std: Tensor | None = None
    static: Tensor | None = None
    residual: Tensor | None = None
    gate: Tensor | None = None
    attentions: tuple[Tensor, ...] | None = None
    member_scores: Tensor | None = None


def joined_outputs(parts: Sequence[CrossSightOutput], gate: Tensor, members: int) -> CrossSightOutput:
    """One output of the chunks' outputs (of none, for an empty zoo), in float32 on the CPU."""
    joined = CrossSightOutput(gate=gate.float().cpu())
    for name in ("scores", "scores_std", "static", "residual", "member_scores"):
        nothing = torch.zeros((1, 0, members) if name == "member_scores" else (1, 0))
        joined[name] = torch.cat([nothing, *(part[name].float().cpu() for part in parts)], dim=1)
    return joined


class DatasetMemory(NamedTuple):
    """What the decoder needs of B datasets: keys and values of each layer, additive mask, gate `[B]`.

    `described` `[B, k]` is what the forest reads of them, where there is one, `nearness` `[B, R]` how near they are to
    the datasets with past results. `states` `[B, S, H]` stand in place of
    keys and values where models and tokens attend to each other jointly.
    """

    keys_values: list[tuple[Tensor, Tensor]]
    attention_mask: Tensor | None
    gate: Tensor
    described: Tensor | None = None
    states: Tensor | None = None
    nearness: Tensor | None = None


class CrossSightHeads(nn.Module):
    """`ensemble_size` small heads on one state: `[B, M, H]` → `[B, M, E]`."""

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.members, self.size = config.ensemble_size, config.head_size
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.hidden = nn.Linear(config.hidden_size, self.members * self.size)
        self.activation = ACT2FN[config.hidden_act]
        self.weight = nn.Parameter(torch.zeros(self.members, self.size))
        self.bias = nn.Parameter(torch.zeros(self.members))

    def forward(self, states: Tensor) -> Tensor:
        hidden = self.activation(self.hidden(self.norm(states)))
        return (hidden.unflatten(-1, (self.members, self.size)) * self.weight).sum(-1) + self.bias
