"""Folders of tiny models for builds, written without torch, and the comparison of two index folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

CARD = "---\nlicense: {license}\ntags: [vision]\n---\n# A network\n"


def write_model(
    folder: Path, seed: int = 0, *, width: int = 8, license: str = "mit", base: str | None = None, noise: float = 0.0
) -> Path:
    """A convolutional network of random weights, its configuration and card; `noise` moves the weights a little."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, moved = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    shapes = {
        "conv1.weight": (width, 3, 3, 3),
        "bn1.weight": (width,),
        "bn1.bias": (width,),
        "conv2.weight": (2 * width, width, 3, 3),
        "fc.weight": (10, 2 * width),
        "fc.bias": (10,),
    }
    tensors = {}
    for name, shape in shapes.items():
        values = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])) + noise * moved.normal(size=shape)
        tensors[name] = values.astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "cnn", "num_classes": 10}))
    card = CARD.format(license=license)
    (folder / "README.md").write_text(card.replace("tags:", f"base_model: {base}\ntags:") if base else card)
    return folder


def write_models(root: Path, count: int, org: str = "acme") -> list[str]:
    """So many of them, each of its own width; their ids."""
    ids = [f"{org}/net{number:02d}" for number in range(count)]
    for number, model_id in enumerate(ids):
        write_model(root / model_id, number, width=4 + number % 5, license=("mit", "apache-2.0")[number % 2])
    return ids


def content(index: Path) -> dict[str, bytes]:
    """Every file of an index folder but the lock, by its path: two builds are equal if these are."""
    files = {path.relative_to(index).as_posix(): path for path in index.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(files.items()) if name != ".lock"}
