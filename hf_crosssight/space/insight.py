"""What the ranker saw in a dataset: the training datasets nearest to it, and the tokens that models attended to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.reasons import nearest_training_datasets

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel
    from hf_crosssight.tokens.dataset import DatasetTokens
    from hf_crosssight.zoo import ZooIndex

NEAREST = 8


@dataclass(frozen=True)
class Insight:
    """What the page shows beside the ranking.

    Attributes:
        nearest: training datasets with their distance in [0, 2], nearest first.
        attended: token names of the dataset with their share of the attention, in [0, 1], largest first.
        gate: a(d), the weight of what this dataset changes; None for a ranker without a gate.
        models: over how many models the attention was averaged.
    """

    nearest: tuple[tuple[str, float], ...]
    attended: tuple[tuple[str, float], ...]
    gate: float | None
    models: int


def look(model: CrossSightModel, tokens: DatasetTokens, zoo: ZooIndex) -> Insight:
    """What the ranker saw when it ranked the models of `zoo`, K of them; averages over models, heads and layers."""
    import torch

    views = zoo.with_views(list(model.config.view_shapes))
    arrays = {name: torch.tensor(np.asarray(view), dtype=torch.float32)[None] for name, view in views.views.items()}
    masks = {name: torch.as_tensor(mask)[None] for name, mask in views.view_mask.items()}
    with torch.inference_mode():
        output = _eager(model)(torch.as_tensor(tokens.values)[None], None, arrays, masks, output_attentions=True)
    share = torch.stack([layer.mean((0, 1, 2)) for layer in output.attentions]).mean(0).numpy()
    order = np.argsort(-share, kind="stable")
    nearest = nearest_training_datasets(model, tokens, NEAREST)
    return Insight(
        tuple((name, distance) for name, distance, _ in nearest),
        tuple((tokens.names[place], float(share[place])) for place in order),
        float(output.gate[0]) if model.config.dataset_gate else None,
        len(zoo),
    )


@lru_cache(maxsize=2)
def _eager(model: CrossSightModel) -> CrossSightModel:
    """A copy that returns its attention, which the fast kernels do not."""
    copied = copy.deepcopy(model)
    copied.set_attn_implementation("eager")
    return copied.eval()
