"""Features on disk, so that no model sees the same images twice.

The key is the model's revision, the content of the images and the preprocessing. Files are written whole or not at
all; two processes that compute the same features both write the same file, and a damaged one is computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..hub.places import atomic_file, crosssight_folder
from .extract import BATCH, Features, Progress, extract
from .load import ImageModel

_SPEC = "features/1"


class FeatureStore:
    """Features kept in a folder.

    Args:
        folder: made when needed; by default `features` in the project's cache.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = Path(folder) if folder is not None else crosssight_folder() / "features"

    def path(self, model: ImageModel, fingerprint: str) -> Path:
        """The file of a model's features of the images with this fingerprint."""
        text = "|".join([_SPEC, model.revision, model.preprocessing.fingerprint, str(model.options), fingerprint])
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"

    def extract(
        self,
        model: ImageModel,
        images: Sequence[Any],
        *,
        fingerprint: str | None = None,
        batch: int = BATCH,
        progress: Progress | None = None,
    ) -> Features:
        """As `extract`, but read from the folder if it was computed before.

        Args:
            fingerprint: of the images, if the caller knows it (a dataset's revision and rows).
        """
        path = self.path(model, fingerprint or images_fingerprint(images))
        known = _read(path, len(images))
        if known is not None:
            return known
        found = extract(model, images, batch=batch, progress=progress)
        arrays = {"pooled": found.pooled} | ({} if found.probs is None else {"probs": found.probs})
        with atomic_file(path) as temporary, temporary.open("wb") as file:  # by name np.savez would add a suffix
            np.savez(file, **arrays)  # type: ignore[arg-type]
        return found


def _read(path: Path, count: int) -> Features | None:
    """Kept features of `count` images; `None` if there are none or the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            found = Features(kept["pooled"], kept.get("probs"))
    except Exception:  # no file; or a damaged one, for which zipfile, zlib and numpy each raise their own
        return None
    return found if len(found.pooled) == count else None


def images_fingerprint(images: Sequence[Any]) -> str:
    """A hash of what the images show: mode, size and pixels of each, in order."""
    digest = hashlib.sha256()
    for image in images:
        shown = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
        digest.update(f"{shown.mode}|{shown.size}|".encode())
        digest.update(shown.tobytes())
    return digest.hexdigest()[:32]
