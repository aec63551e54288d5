"""Views on one scale while training, and the scale folded into the network afterwards.

A fact such as log parameters spans a fifth of a unit and a word of the card a twentieth: an optimiser that moves every
weight at the same speed would learn the flags first. Training sees standardised columns; as the first map of each
encoder is linear, the trained network reads raw views exactly as the trained one read standardised ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hf_crosssight.models import CrossSightModel

_FLOOR, _FLAG_FLOOR = 0.02, 0.2


@dataclass(frozen=True)
class ColumnScale:
    """Centre and divisor `[Dv]` of the columns of some rows; column 0, the validity, is left as it is."""

    center: Tensor
    divisor: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> ColumnScale:
        """Scale of rows `[N, Dv]`; flags (0 or 1) are divided by at least 0.2, so that a rare one is no outlier."""
        if len(rows) < 2:
            return cls(torch.zeros(rows.shape[-1]), torch.ones(rows.shape[-1]))
        flags = ((rows == 0) | (rows == 1)).all(0)
        floor = _FLOOR + (_FLAG_FLOOR - _FLOOR) * flags.float()
        center, divisor = rows.mean(0), torch.maximum(rows.std(0), floor)
        center[0], divisor[0] = 0.0, 1.0
        return cls(center, divisor)

    @torch.no_grad()
    def fold_into(self, linear: nn.Linear) -> None:
        """Makes `linear` read raw columns as it read standardised ones."""
        linear.weight.div_(self.divisor)
        linear.bias.sub_(linear.weight @ self.center)


class ViewScale:
    """Scales of every view: one for the summary row, one for the set's rows."""

    def __init__(self, views: Mapping[str, Tensor]) -> None:
        self.summary = {name: ColumnScale.of(view[:, 0][view[:, 0, 0] > 0.5]) for name, view in views.items()}
        self.set_rows = {name: ColumnScale.of(view[:, 1:][view[:, 1:, 0] > 0.5]) for name, view in views.items()}

    def apply(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Views `[..., n, Dv]` with every valid row standardised."""
        scaled = {}
        for name, view in views.items():
            lead, rest = self.summary[name], self.set_rows[name]
            rows = torch.cat(
                [(view[..., :1, :] - lead.center) / lead.divisor, (view[..., 1:, :] - rest.center) / rest.divisor], -2
            )
            scaled[name] = torch.where(view[..., :1] > 0.5, rows, view)
        return scaled

    def fold_into(self, model: CrossSightModel) -> None:
        """The model reads raw views from now on."""
        for name, encoder in model.model_query.encoders.items():
            self.summary[name].fold_into(encoder.summary.fc1)
            if encoder.has_set:
                self.set_rows[name].fold_into(encoder.set_rows.fc1)
