"""Small labelled data that every method can score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def make_inputs(
    count: int = 90, dims: int = 12, classes: int = 4, source_classes: int = 7, seed: int = 0
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = rng.normal(size=(count, dims)) + rng.normal(size=(classes, dims))[labels]
    logits = rng.normal(size=(count, source_classes)) + 1.5 * rng.normal(size=(classes, source_classes))[labels]
    probabilities = np.exp(logits)
    return {
        "features": features,
        "labels": labels,
        "source_probs": probabilities / probabilities.sum(axis=1, keepdims=True),
        "source_features": rng.normal(size=(40, dims)),
        "source_labels": np.arange(40) % 5,
        "label_embeddings": rng.normal(size=(classes, 6, 3)),
    }


@pytest.fixture
def inputs() -> dict[str, Any]:
    return make_inputs()
