"""Tensor tokens on one scale: each column less the mean of its kind's tokens, over their standard deviation.

The spread of a depthwise kernel and of a bias have nothing in common; a statistic tells something only beside what is
usual for a tensor of its kind. Row 0 of a model counts as a kind of its own.
"""

import torch
from torch import Tensor, nn

from .configuration_arch2vec import Arch2VecConfig

_SMALLEST_SPREAD = 1e-3  # below it a column is constant but for rounding in float16


class Arch2VecNormalizer(nn.Module):
    """Standardises tokens `[B, T, D]`; `center`, `spread` and `varies` `[kinds + 2, D]` are buffers, set by `fit`.

    The last two rows are those of tokens without a kind and of the models' row 0. Kinds that were seen rarely lean on
    the figures of all tokens. One-hot columns stay as they are.
    """

    center: Tensor
    spread: Tensor
    varies: Tensor

    def __init__(self, config: Arch2VecConfig):
        super().__init__()
        self.mode, self.clip, self.prior = (
            config.normalization, float(config.normalization_clip), float(config.normalization_prior)
        )  # fmt: skip
        self.kinds = slice(*config.kind_columns)
        groups = config.kind_columns[1] - config.kind_columns[0] + 2
        self.register_buffer("center", torch.zeros(groups, config.input_columns))
        self.register_buffer("spread", torch.ones(groups, config.input_columns))
        self.register_buffer("varies", torch.ones(groups, config.input_columns))

    def forward(self, tokens: Tensor) -> Tensor:
        """Standardised tokens; padding is all zero, whatever stood there."""
        valid = tokens[..., :1] > 0.5
        group = self._group(tokens)
        scaled = (tokens - self.center.to(tokens.dtype)[group]) / self.spread.to(tokens.dtype)[group]
        return torch.where(valid, scaled.clamp(-self.clip, self.clip), 0.0)

    def informative(self, tokens: Tensor) -> Tensor:
        """1 `[B, T, D]` for the columns that differ among tensors of a token's kind, 0 for those that it lacks."""
        return self.varies[self._group(tokens)]

    @torch.no_grad()
    def fit(self, tokens: Tensor) -> None:
        """Sets centre and spread from the tokens `[N, T, D]` of the training models."""
        self.center.zero_()
        self.spread.fill_(1.0)
        self.varies.fill_(1.0)
        if self.mode == "none":
            return
        tokens = tokens.to(self.center)
        valid, group = tokens[..., 0] > 0.5, self._group(tokens)
        is_summary = group == len(self.center) - 1
        every = tokens[valid & ~is_summary]
        mean, square = _moments(every)
        for number in range(len(self.center)):
            own = tokens[valid & (group == number)] if self.mode == "kind" or number == len(self.center) - 1 else every
            summary = number == len(self.center) - 1
            weight = len(own) / (len(own) + (0.0 if summary and len(own) else self.prior)) if len(own) else 0.0
            own_mean, own_square = _moments(own)
            center = weight * own_mean + (1 - weight) * mean
            spread = (weight * own_square + (1 - weight) * square - center.square()).clamp(min=0).sqrt()
            self.center[number] = center
            self.spread[number] = torch.where(spread > _SMALLEST_SPREAD, spread, 1.0)
            of_kind = own if len(own) else every
            self.varies[number] = ((of_kind.amax(0) - of_kind.amin(0)) > _SMALLEST_SPREAD).float()
        self.center[:, 0], self.spread[:, 0] = 0.0, 1.0
        self.center[:-1, self.kinds], self.spread[:-1, self.kinds] = 0.0, 1.0  # a summary has other columns there

    def _group(self, tokens: Tensor) -> Tensor:
        """Row of the buffers `[B, T]` that each token is measured by."""
        kinds = tokens[..., self.kinds]
        none, summary = len(self.center) - 2, len(self.center) - 1
        group = torch.where(kinds.amax(-1) > 0.5, kinds.argmax(-1), none)
        first = torch.zeros_like(group, dtype=torch.bool)
        first[..., 0] = True
        return torch.where(first, summary, group)


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and mean square `[D]` of rows `[N, D]`; zeros of none."""
    if not len(rows):
        return torch.zeros(rows.shape[-1]), torch.zeros(rows.shape[-1])
    return rows.mean(0), rows.square().mean(0)
