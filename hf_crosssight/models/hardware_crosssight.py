"""Fusion: a token that tells where models shall run joins the dataset's tokens in the ranker's memory."""

import torch
from torch import Tensor, nn

from .attention_crosssight import additive_mask
from .configuration_crosssight import CrossSightConfig


class CrossSightHardwareEmbedding(nn.Module):
    """Embeds a hardware token `[B, Dh]` and puts it behind the embedded dataset tokens `[B, S, H]`."""

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.width = config.hardware_token_dim
        self.linear = nn.Linear(config.hardware_token_dim, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, states: Tensor, mask: Tensor, hardware: Tensor) -> tuple[Tensor, Tensor]:
        """Memory `[B, S + 1, H]` and its additive mask `[B, 1, 1, S + 1]`.

        One token among S would have 1 / (S + 1) of the attention before training: the mask gives it half.

        Raises:
            ValueError: the hardware token is of another width.
        """
        if hardware.shape != (len(states), self.width):
            raise ValueError(f"hardware_token is {tuple(hardware.shape)}, expected {(len(states), self.width)}")
        token = self.norm(self.linear(hardware.to(states.dtype)))
        joined = torch.cat([states, token.unsqueeze(1)], dim=1)
        weights = additive_mask(mask, states.dtype)
        if weights is None:
            weights = states.new_zeros(len(states), 1, 1, states.shape[1])
        share = mask.sum(1).clamp(min=1).to(states.dtype).log()
        return joined, torch.cat([weights, share[:, None, None, None]], dim=-1)


def require_hardware(embedding: nn.Module | None) -> CrossSightHardwareEmbedding:
    """The embedding, or a ValueError for a ranker that was not trained to read hardware."""
    if not isinstance(embedding, CrossSightHardwareEmbedding):
        raise ValueError("this ranker reads no hardware token (hardware_token_dim is 0)")
    return embedding


__all__ = ["CrossSightHardwareEmbedding", "require_hardware"]
