"""`DatasetSample`: the few images that stand for a dataset, the only thing that leaves the data room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class DatasetSample:
    """A seeded sample of one split of one dataset.

    Attributes:
        id (`str`): Hub id (canonical), folder path, `digits`, or `in-memory`.
        revision (`str`, *optional*): commit on the Hub, else `None`.
        split (`str`): split that was read.
        fingerprint (`str`): hex digest that identifies the sampled content (dataset content or commit, columns,
            split, images per class, maximal classes, seed); equal fingerprints mean equal images and labels.
        images (`Sequence[PIL.Image.Image]`): N images, mode RGB, EXIF orientation applied.
        labels (`np.ndarray`, *optional*): int64 `[N]`, each an index into `class_names`; `None` if unlabelled.
        class_names (`tuple[str, ...]`): names of the sampled classes (empty if unlabelled).
        num_classes (`int`, *optional*): classes that the dataset declares or shows, sampled or not.
        num_rows (`int`, *optional*): images in the split, if known without reading it all.
        description (`str`): free text of the dataset's card, without results; may be empty.
        warnings (`tuple[str, ...]`): what the user should know (images skipped, classes not seen, ...).
    """

    id: str
    revision: str | None
    split: str
    fingerprint: str
    images: Sequence[Image.Image]
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    num_classes: int | None
    num_rows: int | None = None
    description: str = ""
    warnings: tuple[str, ...] = ()
