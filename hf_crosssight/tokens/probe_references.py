"""Reference encoders that a model's features of the probe images are compared with.

Features depend on a network's width and on the order of its units; their likeness to fixed references does not
(Kornblith et al., ICML 2019; Moschella et al., ICLR 2023). The references: EfficientNet-Lite0, whose features
`benchmarks/build_probe_tasks.py` computed once (64 principal components, `assets/probe_references.npz`); blurred
pixels; histograms of gradient orientations; histograms of colours.
"""

from __future__ import annotations

import functools
import hashlib
import io
from pathlib import Path

import numpy as np

from ..errors import UserError
from .probe_statistics import centred_gram
from .probe_tasks import probe_tasks

REFERENCES = ("EfficientNet-Lite0", "pixels", "gradients", "colours")
REFERENCES_SHA256 = "18a8f40351bf4b03cdd9b5f7115c0b106ddc7799ef6c9b2c918ce2e127e75172"
_FILE = Path(__file__).parent.parent / "assets/probe_references.npz"
_CELLS, _ORIENTATIONS, _LEVELS = 4, 8, 4


@functools.cache
def reference_grams() -> dict[str, list[np.ndarray]]:
    """Centred Gram matrices `[N, N]` of each task, by reference.

    Raises:
        UserError: the installed file is missing or another one.
    """
    kept = _encoder_features()
    found: dict[str, list[np.ndarray]] = {name: [] for name in REFERENCES}
    for task in probe_tasks():
        images = task.images
        features = (kept[task.name], pixels(images), gradients(images), colours(images))
        for name, rows in zip(REFERENCES, features, strict=True):
            found[name].append(centred_gram(rows))
    return found


def _encoder_features() -> dict[str, np.ndarray]:
    """float16 `[N, 64]` of each task."""
    try:
        content = _FILE.read_bytes()
    except OSError as error:
        raise UserError(f"{_FILE} cannot be read: {error}", "Install hf_crosssight again.") from error
    if hashlib.sha256(content).hexdigest() != REFERENCES_SHA256:
        raise UserError(f"{_FILE} is not the file that the probe view is defined on", "Install hf_crosssight again.")
    with np.load(io.BytesIO(content), allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}


def pixels(images: np.ndarray) -> np.ndarray:
    """Colours of 8 x 8 squares of images uint8 `[N, 64, 64, 3]`: `[N, 192]`, 0 to 1."""
    count, side = len(images), images.shape[1] // 8
    squares = images.reshape(count, 8, side, 8, side, 3).mean(axis=(2, 4))
    return np.asarray(squares.reshape(count, -1) / 255.0)


def gradients(images: np.ndarray) -> np.ndarray:
    """Histograms of gradient orientation in 4 x 4 cells, each of length one (Dalal and Triggs 2005): `[N, 128]`."""
    grey = images.astype(np.float64).mean(axis=3)
    down, right = np.gradient(grey, axis=(1, 2))
    strength, turn = np.hypot(down, right), np.arctan2(down, right) % np.pi
    bins = np.minimum((turn / np.pi * _ORIENTATIONS).astype(int), _ORIENTATIONS - 1)
    count, size = len(images), grey.shape[1] // _CELLS
    found = np.zeros((count, _CELLS, _CELLS, _ORIENTATIONS))
    for orientation in range(_ORIENTATIONS):
        chosen = np.where(bins == orientation, strength, 0.0)
        found[..., orientation] = chosen.reshape(count, _CELLS, size, _CELLS, size).sum(axis=(2, 4))
    rows = found.reshape(count, -1)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def colours(images: np.ndarray) -> np.ndarray:
    """Share of pixels in each of 64 colours: `[N, 64]`, square roots."""
    levels = (images // (256 // _LEVELS)).reshape(len(images), -1, 3).astype(np.int64)
    codes = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    counts = np.stack([np.bincount(row, minlength=_LEVELS**3) for row in codes])
    return np.asarray(np.sqrt(counts / codes.shape[1]))
