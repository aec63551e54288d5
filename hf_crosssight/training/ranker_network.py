"""The network of a ranker before its first update: made for a zoo and tokens, with its training datasets beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.tokens.card import CARD_SPEC
from hf_crosssight.tokens.dataset import DATASET_SPEC, DatasetTokens, dataset_layout
from hf_crosssight.tokens.structure import STRUCTURE_SPEC
from hf_crosssight.zoo.family_gate import family_gates
from hf_crosssight.zoo.index import ZooIndex


def new_network(
    zoo: ZooIndex, tokens: Mapping[str, Sequence[DatasetTokens]], texts: Mapping[str, str],
    datasets: Sequence[str], models: Sequence[str], config: Mapping[str, Any],
) -> CrossSightModel:  # fmt: skip
    """A ranker with random weights that reads the views of `zoo` and keeps `datasets` as its references.

    Args:
        zoo: views.
        tokens: token samples of each dataset, the richest last.
        texts: description of each dataset, where there is one.
        datasets, models: what it will be trained on.
        config: fields that differ from the default preset.
    """
    first = next(iter(tokens.values()))[0]
    width = first.values.shape[1]
    made = CrossSightConfig.from_preset(
        "default", dataset_token_dim=width,
        dataset_layout=dataset_layout(width - dataset_layout(0)["text"][1]),
        view_shapes={name: list(view.shape[1:]) for name, view in zoo.views.items()},
        image_encoder=first.encoder, text_encoder=first.text_encoder,
        specs={"dataset": DATASET_SPEC, "structure": STRUCTURE_SPEC, "card": CARD_SPEC},
        trained_on={"datasets": list(datasets), "models": list(models)},
        **{"family_gates": family_gates(zoo, models), **config},
    )  # fmt: skip
    model = CrossSightModel(made)
    richest = [tokens[name][-1].values for name in datasets]
    model.set_references(richest, datasets, [texts.get(name, "") for name in datasets])
    model.fit_token_scale(richest)
    if model.evidence_head is not None:
        torch.nn.init.constant_(model.evidence_head.weight, 0.1)
    return model


def view_tensors(zoo: ZooIndex) -> dict[str, Tensor]:
    """All views of a zoo, float32 `[M, n, Dv]`."""
    return {name: torch.from_numpy(np.asarray(view, np.float32)) for name, view in zoo.views.items()}


def parameter_groups(model: CrossSightModel, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; vectors and the weight of evidence do not."""
    free = {name for name, p in model.named_parameters() if p.dim() <= 1 or name.startswith("evidence_head")}
    decayed = [p for name, p in model.named_parameters() if name not in free]
    others = [p for name, p in model.named_parameters() if name in free]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
