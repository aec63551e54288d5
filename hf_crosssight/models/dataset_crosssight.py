"""What the ranker makes of dataset tokens: their embedding, the distance to its training datasets, and the gate."""

import torch
from torch import Tensor, nn

from .configuration_crosssight import CrossSightConfig

FARTHEST = 2.0
"""Distance to a dataset with which nothing can be compared: that of opposite vectors."""


def dataset_distances(
    tokens: Tensor, mask: Tensor, references: Tensor, reference_mask: Tensor, layout: dict[str, list[int]]
) -> Tensor:
    """Distances `[B, R]` in [0, 2] between datasets `[B, S, Dd]` and references `[R, Sr, Dd]`.

    The mean of two cosine distances, each where both sides have it: between images (each class prototype to the
    nearest prototype of the other side, both ways, prototypes centred on the references' mean) and between texts.
    """
    parts, known = zip(
        _image_distances(tokens, mask, references, reference_mask, layout),
        _text_distances(tokens, mask, references, reference_mask, layout),
        strict=True,
    )
    distances, weights = torch.stack(parts), torch.stack(known).float()
    total = weights.sum(0)
    mean = (distances * weights).sum(0) / total.clamp(min=1.0)
    return torch.where(total > 0, mean, FARTHEST).clamp(0.0, FARTHEST)


def kind_mask(tokens: Tensor, mask: Tensor, layout: dict[str, list[int]], kind: int) -> Tensor:
    """Bool `[..., S]`: real tokens of a kind (0 prototype, 1 global, 2 text)."""
    return mask & (tokens[..., layout["kind"][0] + kind] > 0.5)


def _image_distances(
    tokens: Tensor, mask: Tensor, references: Tensor, reference_mask: Tensor, layout: dict[str, list[int]]
) -> tuple[Tensor, Tensor]:
    columns = slice(*layout["prototype"])
    own, other = kind_mask(tokens, mask, layout, 0), kind_mask(references, reference_mask, layout, 0)
    a, b = tokens[..., columns].float(), references[..., columns].float()
    if int(other.any(-1).sum()) > 1:  # one reference alone would be centred on itself
        center = (b * other.unsqueeze(-1)).sum((0, 1)) / other.sum()
        a, b = a - center, b - center
    a, b = nn.functional.normalize(a, dim=-1), nn.functional.normalize(b, dim=-1)
    pairs = 1.0 - torch.einsum("bsd,rtd->brst", a, b)
    usable = own[:, None, :, None] & other[None, :, None, :]
    pairs = pairs.masked_fill(~usable, FARTHEST)
    there = _masked_mean(pairs.amin(3), own[:, None])
    back = _masked_mean(pairs.amin(2), other[None])
    return (there + back) / 2.0, own.any(-1)[:, None] & other.any(-1)[None]


def _text_distances(
    tokens: Tensor, mask: Tensor, references: Tensor, reference_mask: Tensor, layout: dict[str, list[int]]
) -> tuple[Tensor, Tensor]:
    own, own_known = _text_vector(tokens, mask, layout)
    other, other_known = _text_vector(references, reference_mask, layout)
    return 1.0 - own @ other.T, own_known[:, None] & other_known[None]


def _text_vector(tokens: Tensor, mask: Tensor, layout: dict[str, list[int]]) -> tuple[Tensor, Tensor]:
    is_text = kind_mask(tokens, mask, layout, 2)
    columns = tokens[..., slice(*layout["text"])].float()
    vector = torch.where(is_text.unsqueeze(-1), columns, 0.0).sum(-2)
    return nn.functional.normalize(vector, dim=-1), vector.abs().sum(-1) > 0


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    mask = mask.expand(values.shape)
    return (values * mask).sum(-1) / mask.sum(-1).clamp(min=1)


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
