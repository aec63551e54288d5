"""What the ranker makes of dataset tokens: their embedding, the few it keeps of a training dataset, and the gate."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .configuration_crosssight import CrossSightConfig
from .distance_crosssight import kind_mask


def reduce_tokens(tokens: Tensor, layout: dict[str, list[int]], length: int) -> Tensor:
    """The `[<= length, Dd]` tokens of a dataset `[S, Dd]` worth keeping: some prototypes and all others.

    Prototypes are taken at even steps, in the order given, so that the choice needs no seed.
    """
    prototype = tokens[:, layout["kind"][0]] > 0.5
    others = tokens[~prototype][:length]
    indices = prototype.nonzero().squeeze(-1)
    room = length - len(others)
    if len(indices) > room:
        indices = indices[torch.linspace(0, len(indices) - 1, room).round().long()] if room else indices[:0]
    return torch.cat([tokens[indices], others])


class CrossSightDatasetEmbedding(nn.Module):
    """Projects dataset tokens `[B, S, Dd]` to `[B, S, H]`, after taking off what all datasets have in common.

    `token_center` and `token_scale` are buffers: columns' means over the prototypes, global tokens and text tokens of
    the training datasets, and one divisor for each of the three parts (0 and 1 until `fit` is called).
    """

    token_center: Tensor
    token_scale: Tensor

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.layout = config.dataset_layout
        self.linear = nn.Linear(config.dataset_token_dim, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.register_buffer("token_center", torch.zeros(config.dataset_token_dim))
        self.register_buffer("token_scale", torch.ones(config.dataset_token_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        present = self._columns_present(tokens)
        centered = torch.where(present, tokens - self.token_center.to(tokens.dtype), 0.0)
        return self.norm(self.linear(centered / self.token_scale.to(tokens.dtype)))

    @torch.no_grad()
    def fit(self, tokens: Tensor) -> None:
        """Sets centre and scale from the tokens `[N, Dd]` of the training datasets, taken together."""
        tokens = tokens.to(self.token_center)
        self.token_center.zero_()
        self.token_scale.fill_(1.0)
        for kind, part in enumerate(("prototype", "global", "text")):
            columns = slice(*self.layout[part])
            rows = tokens[tokens[:, self.layout["kind"][0] + kind] > 0.5][:, columns]
            if len(rows) > 1:
                self.token_center[columns] = rows.mean(0)
                self.token_scale[columns] = rows.var(0).mean().sqrt().clamp(min=1e-3)

    def _columns_present(self, tokens: Tensor) -> Tensor:
        """Bool `[B, S, Dd]`: columns that a token of its kind fills (the one-hot kind and the statistics always)."""
        present = torch.ones_like(tokens, dtype=torch.bool)
        for kind, part in enumerate(("prototype", "global", "text")):
            column = self.layout["kind"][0] + kind
            present[..., slice(*self.layout[part])] = tokens[..., column : column + 1] > 0.5
        return present


class ZeroInitLinear(nn.Linear):
    """A linear map that starts at zero."""


class CrossSightGate(nn.Module):
    """a(d) in [0, gate_scale]: how much the dataset's part counts. One logistic unit, at 0.5 before training.

    It sees the distance to the nearest training dataset, whether there are images, whether there is text, how many
    classes are shown, and the prototypes' mean statistics (counts and spreads).
    """

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.config = config
        self.layout = config.dataset_layout
        stats = self.layout["stats"]
        self.linear = ZeroInitLinear(4 + stats[1] - stats[0], 1)

    def forward(self, tokens: Tensor, mask: Tensor, nearest: Tensor) -> Tensor:
        """Takes tokens `[B, S, Dd]`, mask `[B, S]` and the nearest distance `[B]`; gives the gate `[B]`."""
        prototypes = kind_mask(tokens, mask, self.layout, 0)
        text = kind_mask(tokens, mask, self.layout, 2)
        stats = tokens[..., slice(*self.layout["stats"])].float()
        mean_stats = (stats * prototypes.unsqueeze(-1)).sum(1) / prototypes.sum(1, keepdim=True).clamp(min=1)
        shown = torch.log2(1.0 + prototypes.sum(1).float()) / 6.0
        facts = torch.stack([nearest.float(), prototypes.any(1).float(), text.any(1).float(), shown], dim=-1)
        features = torch.cat([facts, mean_stats], dim=-1).to(self.linear.weight.dtype)
        return float(self.config.gate_scale) * torch.sigmoid(self.linear(features)).squeeze(-1)


def checked_tokens(tokens: Tensor, mask: Tensor | None, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mask `[B, S]` and tokens `[B, S, width]` of a dtype, 0 where nothing real stands.

    Raises:
        ValueError: another shape.
    """
    if tokens.dim() != 3 or tokens.shape[-1] != width or tokens.shape[1] == 0:
        raise ValueError(f"dataset_tokens are {tuple(tokens.shape)}, expected [batch, >= 1, {width}]")
    if mask is None:
        return tokens.new_ones(tokens.shape[:2], dtype=torch.bool), tokens.to(dtype)
    if mask.shape != tokens.shape[:2]:
        raise ValueError(f"dataset_mask is {tuple(mask.shape)}, expected {tuple(tokens.shape[:2])}")
    mask = mask.bool()
    return mask, torch.where(mask.unsqueeze(-1), tokens, 0.0).to(dtype)


def padded_references(
    datasets: Sequence[Tensor], layout: dict[str, list[int]], length: int, width: int
) -> tuple[Tensor, Tensor]:
    """Datasets `[S, width]` reduced to `length` tokens each: float16 `[R, length, width]` and which are real."""
    tokens = torch.zeros(len(datasets), length, width, dtype=torch.float16)
    mask = torch.zeros(len(datasets), length, dtype=torch.bool)
    for index, dataset in enumerate(datasets):
        kept = reduce_tokens(dataset, layout, length)
        tokens[index, : len(kept)] = kept.half()
        mask[index, : len(kept)] = True
    return tokens, mask
