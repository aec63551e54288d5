"""From the views of a model (structure, card, ...) to one query vector; any view may be missing.

A view is `[n, Dv]`: row 0 its summary, the others an unordered set; column 0 is 1 in a valid row; padding is all
zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .attention_crosssight import CrossSightMLP
from .configuration_crosssight import CrossSightConfig


class CrossSightViewEncoder(nn.Module):
    """Encodes one view: a perceptron on the summary row plus the masked mean of a perceptron on the set rows."""

    def __init__(self, config: CrossSightConfig, rows: int, columns: int):
        super().__init__()
        self.summary = CrossSightMLP(config, columns, config.hidden_size, config.hidden_size)
        self.has_set = rows > 1
        if self.has_set:
            self.set_rows = CrossSightMLP(config, columns, config.set_size, config.hidden_size)
            self.missing_set = nn.Parameter(torch.zeros(config.hidden_size))

    def forward(self, view: Tensor, keep_set: Tensor | None = None) -> Tensor:
        """Takes a view `[B, M, n, Dv]` and, in training, which sets to keep `[B, M]`; gives `[B, M, H]`."""
        encoded = self.summary(view[..., 0, :])
        return encoded + self._pooled_set(view, keep_set) if self.has_set else encoded

    def _pooled_set(self, view: Tensor, keep_set: Tensor | None) -> Tensor:
        """Mean over valid set rows. The second linear map comes after the mean: it commutes, and is n times cheaper.

        Row 0 goes through the first map too and counts nothing: slicing it off would copy the view.
        """
        members = view[..., 0] > 0.5
        members[..., 0] = False
        if keep_set is not None:
            members = members & keep_set.unsqueeze(-1)
        hidden = self.set_rows.activation(self.set_rows.fc1(view))
        share = members.to(hidden.dtype) / members.sum(-1, keepdim=True).clamp(min=1)
        pooled = self.set_rows.fc2(torch.matmul(share.unsqueeze(-2), hidden).squeeze(-2))
        return torch.where(members.any(-1, keepdim=True), pooled, self.missing_set)


class CrossSightModelQuery(nn.Module):
    """Pools the views of each model into one query `[B, M, H]`; a missing view is replaced by a learnt embedding."""

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.view_dropout = float(config.view_dropout)
        self.set_dropout = float(config.set_dropout)
        self.shapes = {name: tuple(config.view_shapes[name]) for name in sorted(config.view_shapes)}
        self.encoders = nn.ModuleDict(
            {name: CrossSightViewEncoder(config, *shape) for name, shape in self.shapes.items()}
        )
        self.missing = nn.ParameterDict({name: nn.Parameter(torch.zeros(config.hidden_size)) for name in self.shapes})
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, views: dict[str, Tensor], view_mask: dict[str, Tensor] | None = None) -> Tensor:
        """Takes views name → `[B, M, n, Dv]` and their masks name → `[B, M]` (True = present).

        A view that is not given at all, or has no valid row, counts as missing.

        Raises:
            ValueError: an unknown view, no view, or a wrong shape.
        """
        dtype = self.norm.weight.dtype
        present = self._present(views, view_mask or {})
        if self.training:
            present = self._drop_views(present)
        parts = []
        for name, encoder in self.encoders.items():
            part = self.missing[name]
            if name in views:
                encoded = encoder(views[name].to(dtype), self._kept_sets(views[name]))
                part = torch.where(present[name].unsqueeze(-1), encoded, part)
            parts.append(part)
        return self.norm(sum(parts[1:], start=parts[0]) / len(parts))

    def _present(self, views: dict[str, Tensor], view_mask: dict[str, Tensor]) -> dict[str, Tensor]:
        unknown = sorted((set(views) | set(view_mask)) - set(self.shapes))
        if unknown or not views:
            raise ValueError(
                f"views {', '.join(unknown) or '(none)'} given; this ranker reads {', '.join(self.shapes)}"
            )
        present = {}
        for name, view in views.items():
            if view.dim() != 4 or tuple(view.shape[2:]) != self.shapes[name]:
                raise ValueError(
                    f"view '{name}' is {tuple(view.shape)}, expected [batch, models, *{self.shapes[name]}]"
                )
            present[name] = (view[..., 0] > 0.5).any(-1)
            if name in view_mask:
                present[name] = present[name] & view_mask[name].bool()
        return present

    def _drop_views(self, present: dict[str, Tensor]) -> dict[str, Tensor]:
        """Withholds views at random; a model that would lose all keeps all it has."""
        if self.view_dropout == 0.0:
            return present
        kept = {
            name: has & (torch.rand(has.shape, device=has.device) >= self.view_dropout)
            for name, has in present.items()
        }
        any_left = torch.stack(list(kept.values())).any(0)
        return {name: torch.where(any_left, kept[name], has) for name, has in present.items()}

    def _kept_sets(self, view: Tensor) -> Tensor | None:
        if not self.training or self.set_dropout == 0.0:
            return None
        return torch.rand(view.shape[:2], device=view.device) >= self.set_dropout


def have_views(names: Sequence[str], views: Mapping[str, Tensor], view_mask: Mapping[str, Tensor]) -> Tensor:
    """Which models `[B, M]` have every one of the views named, of those given name → `[B, M, n, Dv]`."""
    there = torch.stack([views[name][..., 0, 0] > 0.5 for name in names]).all(0)
    for name in set(names) & set(view_mask):
        there = there & view_mask[name].bool()
    return there


def as_tensor(values: Any, device: torch.device) -> Tensor:
    """Float32 copy of an array or tensor; a memory-mapped array is read here."""
    if isinstance(values, Tensor):
        return values.to(device=device, dtype=torch.float32)
    return torch.tensor(values, dtype=torch.float32, device=device)


def common_length(views: Mapping[str, Any]) -> int:
    """How many models the views `[M, n, Dv]` of a zoo hold, all alike."""
    lengths = {name: len(view) for name, view in views.items()}
    if not lengths:
        raise ValueError("views is needed: view name → [models, rows, columns]")
    if len(set(lengths.values())) != 1:
        raise ValueError(f"views hold different numbers of models: {lengths}")
    return next(iter(lengths.values()))
