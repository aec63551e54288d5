"""Pooled features of images by a model: what goes into its last linear layer. Cached once for each pair."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..features.extract import pooled_outputs
from ..hub.places import atomic_file
from .labelled_images import LabelledImages
from .model_sources import Classifier, ModelSource
from .training_loop import PREDICT_BATCH, input_options, to_input


def pooled_features(
    classifier: Classifier, images: np.ndarray, device: object, batch: int = PREDICT_BATCH
) -> np.ndarray:
    """float16 `[N, D]` of uint8 images `[N, 3, side, side]`; out of memory halves the batch.

    Raises:
        ValueError: a feature is not a finite number, or too large for float16.
    """

    def inputs(start: int, stop: int) -> Iterator[Any]:
        yield to_input(images[start:stop], classifier.normalisation, device)

    model = classifier.model.eval()
    pooled, _ = pooled_outputs(model, classifier.head, inputs, len(images), batch, input_options(model))
    with np.errstate(over="ignore"):
        features = pooled.astype(np.float16)
    if not np.isfinite(features).all():
        raise ValueError("its features are not finite")
    return features


class FeatureCache:
    """Features on disk, by the model's and the dataset's revision; written whole or not at all.

    Args:
        folder: made when there is something to keep.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, model: ModelSource, images: LabelledImages) -> Path:
        """Where the features of a pair are kept: one row for each image of the dataset, in its order."""
        text = f"{model.id}|{model.revision}|{images.id}|{images.revision}|{images.side}"
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npy"

    def features(
        self,
        model: ModelSource,
        classifier: Classifier | None,
        images: LabelledImages,
        rows: np.ndarray,
        device: object,
    ) -> np.ndarray:
        """float16 `[N, D]`, N all images; only `rows` are computed, the others are NaN unless computed before.

        Images have the size that the model is fed. `classifier=None` reads what is there, and raises KeyError if
        something of `rows` is missing.

        Raises:
            UserError: the disk is full or cannot be written.
        """
        path = self.path(model, images)
        known = np.load(path) if path.is_file() else None
        missing = rows if known is None else rows[np.isnan(known[rows, 0])]
        if len(missing) == 0:
            assert known is not None
            return known
        if classifier is None:
            raise KeyError(f"features of {images.id} by {model.id}")
        new = pooled_features(classifier, images.images[missing], device)
        if known is None:
            known = np.full((len(images.labels), new.shape[1]), np.nan, dtype=np.float16)
        known[missing] = new
        self._keep(path, known)
        return known

    def _keep(self, path: Path, features: np.ndarray) -> None:
        try:
            with atomic_file(path) as temporary, temporary.open("wb") as file:  # by name np.save would add a suffix
                np.save(file, features)
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be written: {error}", "Free space, then run the same command to go on."
            ) from error
