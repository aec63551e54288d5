"""Small random rankers, datasets and views for the tests of this room."""

from __future__ import annotations

import torch

from hf_crosssight.models import CrossSightConfig, CrossSightModel

LAYOUT = {"kind": [0, 3], "prototype": [3, 15], "stats": [15, 19], "global": [19, 24], "text": [24, 30]}
SMALL = {
    "dataset_token_dim": 30,
    "dataset_layout": LAYOUT,
    "view_shapes": {"structure": [5, 7], "card": [1, 9]},
    "hidden_size": 16,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "set_size": 8,
    "head_size": 3,
    "reference_length": 6,
}


def small_config(preset: str = "default", **overrides: object) -> CrossSightConfig:
    return CrossSightConfig.from_preset(preset, **{**SMALL, **overrides})


def small_model(preset: str = "default", seed: int = 0, **overrides: object) -> CrossSightModel:
    torch.manual_seed(seed)
    return CrossSightModel(small_config(preset, **overrides)).eval()


def dataset(classes: int = 4, seed: int = 0) -> torch.Tensor:
    """Tokens `[classes + 2, 30]`: prototypes, a global token, a text token."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.zeros(classes + 2, 30)
    parts = (("prototype", slice(0, classes)), ("global", slice(classes, -1)), ("text", slice(classes + 1, None)))
    for kind, (part, rows) in enumerate(parts):
        columns = slice(*LAYOUT[part])
        tokens[rows, columns] = torch.randn(tokens[rows, columns].shape, generator=generator)
        tokens[rows, kind] = 1.0
    tokens[:classes, slice(*LAYOUT["stats"])] = torch.rand(classes, 4, generator=generator)
    return tokens


def views(models: int = 6, batch: int = 1, seed: int = 0) -> dict[str, torch.Tensor]:
    """Views `[batch, models, rows, columns]`; the second model has no set rows in its structure view."""
    generator = torch.Generator().manual_seed(seed)
    structure = torch.randn(batch, models, 5, 7, generator=generator)
    structure[..., 0] = 1.0
    structure[:, :, 4:] = 0.0
    structure[:, 1:2, 1:] = 0.0
    card = torch.randn(batch, models, 1, 9, generator=generator)
    card[..., 0] = 1.0
    return {"structure": structure, "card": card}


def take(data: dict[str, torch.Tensor], models: list[int]) -> dict[str, torch.Tensor]:
    """The views of some models, in that order."""
    return {name: view[:, models] for name, view in data.items()}
