"""Tiny networks in Hub layout for the tests of feature extraction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_vit(folder: Path, head: bool = True, processor: bool = True, seed: int = 0, **settings: Any) -> Path:
    """A vision transformer of 32 pixels and width 16, with three classes or as a bare backbone."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil, ViTModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = ViTConfig(**(sizes | {"image_size": 32, "patch_size": 8, "num_labels": 3} | settings))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        (ViTForImageClassification(config) if head else ViTModel(config)).save_pretrained(folder)
    if processor:
        ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def pictures(count: int = 7, side: int = 40, seed: int = 0) -> list[np.ndarray]:
    """uint8 `[side, side, 3]` images of noise of different brightness."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 40 + 30 * i, (side, side, 3)).astype(np.uint8) for i in range(count)]
