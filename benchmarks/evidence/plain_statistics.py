"""The reference for what weights say: 75 plain statistics, 25 for each third of a network's depth.

Twelve statistics of each weight tensor (two axes or more): log std; log(std * sqrt(fan_in)); six quantiles over the
std; log kurtosis; share of near-zero values; stable rank and largest singular value, relative to the smaller side.
A third is their mean, their spread, and the number of its tensors. Raw numbers, on purpose: what is comparable across
families is for the weights view to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.tokens.tensor_kinds import place_tensors

_QUANTILES = (0.01, 0.05, 0.25, 0.75, 0.95, 0.99)
_PER_TENSOR = 6 + len(_QUANTILES)
_LARGEST_SIDE = 256
COUNT = 3 * (2 * _PER_TENSOR + 1)


def plain_statistics(folders: dict[str, Path], model_ids: Sequence[str]) -> ViewFeatures:
    """The statistics `[M, 75]`; models without a folder, or without a weight tensor, have none."""
    values, known = np.zeros((len(model_ids), COUNT)), np.zeros(len(model_ids), bool)
    for row, model in enumerate(model_ids):
        if model in folders:
            values[row] = _of_network(folders[model])
            known[row] = bool(values[row].any())
    return ViewFeatures(values, known)


def _of_network(folder: Path) -> np.ndarray:
    from hf_crosssight.hub.safetensors import read_header

    infos = [info for path in sorted(folder.glob("*.safetensors")) for info in read_header(path)]
    placed = [t for t in place_tensors(infos) if len(t.shape) >= 2 and t.numel >= 16]
    weights = _read(folder)
    thirds: list[list[np.ndarray]] = [[], [], []]
    for tensor in placed:
        if tensor.name in weights:
            thirds[min(int(tensor.depth * 3), 2)].append(_of_tensor(weights[tensor.name]))
    parts = []
    for found in thirds:
        own = np.stack(found) if found else np.zeros((1, _PER_TENSOR))
        parts.append(np.concatenate([own.mean(0), own.std(0), [np.log1p(len(found))]]))
    return np.concatenate(parts)


def _read(folder: Path) -> dict[str, np.ndarray]:
    import torch
    from safetensors import safe_open

    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - the handle is no mapping
                tensor = file.get_tensor(name)
                if tensor.is_floating_point() and tensor.ndim >= 2:
                    found[name] = np.nan_to_num(tensor.to(torch.float32).numpy())
    return found


def _of_tensor(weight: np.ndarray) -> np.ndarray:
    matrix = weight.reshape(len(weight), -1).astype(np.float64)
    flat = matrix.ravel()
    std = max(float(flat.std()), 1e-12)
    scaled = (flat - flat.mean()) / std
    block = matrix[:_LARGEST_SIDE, : _LARGEST_SIDE * 4]
    singular = np.linalg.svd(block, compute_uv=False)
    side, top = len(singular), max(float(singular[0]), 1e-12)
    return np.array(
        [
            np.log(std),
            np.log(std * np.sqrt(matrix.shape[1])),
            *np.quantile(flat / std, _QUANTILES),
            np.log(max(float((scaled**4).mean()), 1e-12)),
            float((np.abs(flat) < 1e-2 * std).mean()),
            float((singular**2).sum() / top**2) / side,
            top / max(float(np.sqrt((singular**2).mean())), 1e-12) / np.sqrt(side),
        ]
    )
