"""Small models, images that some of them tell apart, and a zoo of them with given scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hf_crosssight.data import DatasetSample, load_sample
from hf_crosssight.scoring import Scores
from hf_crosssight.zoo import ZooIndex
from hf_crosssight.zoo.folder import read_folder
from tests.features.networks import write_vit


def stripes(classes: int = 3, per_class: int = 6) -> DatasetSample:
    """Noisy stripes, each class of its own width."""
    rng = np.random.default_rng(0)
    images, labels = [], []
    for label in range(classes):
        wave = np.sin(np.arange(40) * (label + 1) / 3.0)
        for _ in range(per_class):
            pixels = 128 + 60 * wave[None, :, None] + rng.normal(0, 30, (40, 40, 3))
            images.append(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
            labels.append(label)
    return load_sample({"images": images, "labels": labels}, images_per_class=per_class)


def write_zoo(root: Path, count: int = 4) -> Path:
    """Vision transformers of different seeds as `acme/vit0`, ...; the last one's weights are not of its config."""
    for number in range(count):
        write_vit(root / "acme" / f"vit{number}", seed=number)
    config = root / "acme" / f"vit{count - 1}" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 32'))
    return root


def zoo_of(root: Path) -> ZooIndex:
    """The zoo of a folder."""
    return read_folder(root)


def falling_scores(count: int) -> Scores:
    """The first model is the best, the last the worst, a tenth apart."""
    static = -0.1 * np.arange(count)
    return Scores(score=static, spread=np.full(count, 0.05), static=static, dataset=np.zeros(count))
