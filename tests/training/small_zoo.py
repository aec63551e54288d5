"""A folder of small networks of two families: config.json, safetensors, and a card that names the source data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

SOURCES = ("mnist", "cifar10")


def write_zoo(root: Path, models: int = 12) -> Path:
    """`models` networks: convolutional ones and perceptrons by turns, whose scale depends on the source."""
    for number in range(models):
        rng, source = np.random.default_rng(number), SOURCES[number // 2 % 2]
        convolutional = number % 2 == 0
        scale = 0.05 if source == "mnist" else 0.4
        tensors = _conv_net(rng, scale, 6 + number) if convolutional else _perceptron(rng, scale, 20 + number)
        folder = root / f"net{number}"
        folder.mkdir(parents=True)
        save_file(tensors, folder / "model.safetensors")
        kind = "resnet" if convolutional else "mlp"
        (folder / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [f"{kind}-{number}"]}))
        (folder / "README.md").write_text(f"---\ndatasets: [{source}]\ntags: [{kind}]\n---\n# net{number}\n")
    return root


def _conv_net(rng: np.random.Generator, scale: float, width: int) -> dict[str, np.ndarray]:
    def values(*shape: int) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(np.float32)

    return {
        "conv1.weight": values(width, 3, 3, 3),
        "layer1.0.conv1.weight": values(width, width, 3, 3),
        "layer1.0.bn1.weight": 1 + values(width),
        "layer1.0.bn1.bias": values(width),
        "layer2.0.conv1.weight": values(2 * width, width, 3, 3),
        "fc.weight": values(10, 2 * width),
        "fc.bias": values(10),
    }


def _perceptron(rng: np.random.Generator, scale: float, width: int) -> dict[str, np.ndarray]:
    def values(*shape: int) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(np.float32)

    return {
        "layers.0.weight": values(width, 48),
        "layers.0.bias": values(width),
        "layers.1.weight": values(width, width),
        "layers.1.bias": values(width),
        "head.weight": values(10, width),
        "head.bias": values(10),
    }
