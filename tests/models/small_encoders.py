"""Small weight encoders of both presets and what they read."""

from __future__ import annotations

import torch

from hf_crosssight.models import Arch2VecConfig, Arch2VecModel

COLUMNS, KINDS = 12, 3
SMALL = {
    "default": {"input_columns": COLUMNS, "kind_columns": [1, 1 + KINDS], "given_columns": [[1, 6]], "hidden_size": 16,
                "num_attention_heads": 2, "intermediate_size": 16, "code_size": 8, "projection_size": 4},
    "thesis": {"input_columns": COLUMNS, "widths": [10], "code_size": 8},
}  # fmt: skip


def small_encoder(preset: str = "default", seed: int = 0, **overrides: object) -> Arch2VecModel:
    torch.manual_seed(seed)
    return Arch2VecModel(Arch2VecConfig.from_preset(preset, **{**SMALL[preset], **overrides})).eval()


def tensor_tokens(models: int = 4, rows: int = 6, seed: int = 0) -> torch.Tensor:
    """`[models, rows, 12]`: a summary, tensors of three kinds, the last row padding."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(models, rows, COLUMNS, generator=generator)
    kinds = torch.randint(KINDS, (models, rows), generator=generator)
    tokens[..., 1 : 1 + KINDS] = torch.nn.functional.one_hot(kinds, KINDS).float()
    tokens[..., 0] = 1.0
    tokens[:, 0, 1 : 1 + KINDS] = 0.0
    tokens[:, -1] = 0.0
    return tokens


def chunks(models: int = 4, rows: int = 6, seed: int = 0) -> torch.Tensor:
    tokens = tensor_tokens(models, rows, seed)
    tokens[:, :-1, 1:] = torch.randn(models, rows - 1, COLUMNS - 1, generator=torch.Generator().manual_seed(seed))
    return tokens


def inputs_of(preset: str, **given: int) -> torch.Tensor:
    return tensor_tokens(**given) if preset == "default" else chunks(**given)
