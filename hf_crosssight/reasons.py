"""Why a model is recommended, in sentences that a user can check against the model's page or the ranking's figures.

No published accuracy is quoted: how a model did elsewhere is given as this ranker's prediction, and said to be one. Of
the few models whose results the ranker keeps, the places that were measured are given, and said to be measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.scoring import Scores, places, places_in, score_candidates

if TYPE_CHECKING:
    from torch import Tensor

    from hf_crosssight.models import CrossSightModel
    from hf_crosssight.tokens.dataset import DatasetTokens
    from hf_crosssight.zoo import ZooIndex

NEAREST = 3
"""How many training datasets a reason names."""


class Reasons:
    """Reasons for the models of one ranking.

    Args:
        model (`CrossSightModel`): the ranker; its reference tokens stand for its training datasets.
        tokens (`DatasetTokens`): tokens of the user's dataset.
        zoo (`ZooIndex`): the M candidates.
        scores (`Scores`): their scores.
        order (`np.ndarray`): int `[M]`, candidates best first.
    """

    def __init__(
        self, model: CrossSightModel, tokens: DatasetTokens, zoo: ZooIndex, scores: Scores, order: np.ndarray
    ) -> None:
        self.zoo = zoo
        self.views = tuple(model.config.view_shapes)
        self.place = places_in(order)
        self.static_place = places(scores.static, zoo.model_ids)
        self.nearest = nearest_training_datasets(model, tokens)
        self.nearby_place = self._places_nearby(model)
        self.past = PastResults.of(model, tokens)

    def why(self, index: int) -> tuple[str, ...]:
        """The reasons for candidate `index`, most telling first."""
        measured = "" if self.past is None else self.past.told(self.zoo.views_of(index))
        reasons = (
            self._pretraining(index),
            measured,
            self._nearby(index),
            self._parts(index),
            self._blind_spots(index),
        )
        return tuple(reason for reason in reasons if reason)

    def _pretraining(self, index: int) -> str:
        record = self.zoo.record(index)
        told = f"pre-trained on {', then '.join(record.pretrain_data)}" if record.pretrain_data else ""
        if record.base_model:
            told = f"{told}; fine-tuned from {record.base_model}" if told else f"fine-tuned from {record.base_model}"
        return told

    def _nearby(self, index: int) -> str:
        if self.nearby_place is None:
            return ""
        names = ", ".join(name for name, _, _ in self.nearest)
        place = f"predicted {ordinal(self.nearby_place[index])} of {len(self.zoo)}"
        return f"{place} on the {len(self.nearest)} training datasets nearest to yours: {names}"

    def _parts(self, index: int) -> str:
        moved = int(self.static_place[index] - self.place[index])
        static = f"{ordinal(self.static_place[index])} of {len(self.zoo)} on any dataset"
        if moved == 0:
            return f"{static}; your dataset does not change its place"
        return f"{static}; your dataset moves it {'up' if moved > 0 else 'down'} by {abs(moved)}"

    def _blind_spots(self, index: int) -> str:
        masks = self.zoo.view_mask
        missing = [name for name in self.views if name not in masks or not masks[name][index]]
        return f"judged without its {' and '.join(missing)}" if missing else ""

    def _places_nearby(self, model: CrossSightModel) -> np.ndarray | None:
        if not self.nearest:
            return None
        predictions = [score_candidates(model, reference, self.zoo).score for _, _, reference in self.nearest]
        return places(np.mean(predictions, axis=0), self.zoo.model_ids)


@dataclass(frozen=True)
class PastResults:
    """What a ranker keeps of its models' results, seen from one dataset: log weight `[R]` of each of its datasets."""

    model: CrossSightModel
    nearness: Tensor

    @classmethod
    def of(cls, model: CrossSightModel, tokens: DatasetTokens) -> PastResults | None:
        """`None` where the ranker keeps none, or not of which datasets."""
        import torch

        if model.past_results is None or not model.config.past_names:
            return None
        values = torch.as_tensor(tokens.values, device=model.device)[None]
        with torch.inference_mode():
            return cls(
                model, model.past_results.nearness(values, torch.ones_like(values[..., 0], dtype=torch.bool))[0]
            )

    def told(self, views: Mapping[str, np.ndarray]) -> str:
        """What was measured of the model with these views on the datasets nearest to the user's; may be empty."""
        import torch

        held = self.model.past_results, self.model.pair_features
        if held[0] is None or held[1] is None or not {"probe", "structure"} <= set(views):
            return ""
        with torch.inference_mode():
            own = {
                name: torch.tensor(views[name], dtype=torch.float32, device=self.model.device)
                for name in ("probe", "structure")
            }
            found = held[0].nearest(held[1].keys(own), self.nearness, NEAREST)
        names = self.model.config.past_names
        places = ", ".join(f"{100 * share:.0f} % on {names[dataset].split('/')[-1]}" for dataset, share in found)
        return f"measured, on the nearest datasets that it was tried on: ahead of {places}" if found else ""


def nearest_training_datasets(
    model: CrossSightModel, tokens: DatasetTokens, count: int = NEAREST
) -> list[tuple[str, float, np.ndarray]]:
    """The ranker's training datasets nearest to a dataset: (name, distance in [0, 2], tokens `[S, Dd]`)."""
    import torch

    names = model.config.reference_names or []
    if not names:
        return []
    values = torch.as_tensor(tokens.values)[None]
    with torch.inference_mode():
        distances = model.nearest_references(values, torch.ones(values.shape[:2], dtype=torch.bool))[0]
    chosen = torch.argsort(distances.cpu(), stable=True)[: min(count, len(names))].tolist()
    return [
        (names[i], float(distances[i]), model.reference_tokens[i][model.reference_mask[i]].float().cpu().numpy())
        for i in chosen
    ]


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`, ..."""
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
