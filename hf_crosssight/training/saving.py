"""`save_ranker`: a trained ranker as a folder that `from_pretrained` and the Hub read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hf_crosssight.hub.places import atomic_folder
from hf_crosssight.models import CrossSightConfig, CrossSightFeatureExtractor, CrossSightModel


def save_ranker(
    model: CrossSightModel, folder: Path | str, readme: str = "", record: Mapping[str, Any] | None = None
) -> None:
    """Writes a ranker's folder: weights, configuration, feature extractor, card, `training.json`.

    One that stands there is replaced in one step. `publish ranker` makes the card anew from `record`: `tables` (as
    `tables_learnt_from` has them), `limits` (sentences), `seconds`, `device`, `carbon_g`; each may be missing.
    """
    encoders = {"image_encoder": model.config.image_encoder, "text_encoder": model.config.text_encoder}
    with (
        atomic_folder(Path(folder)) as made,
        without_code(CrossSightConfig, CrossSightModel, CrossSightFeatureExtractor),
    ):
        model.save_pretrained(made)
        CrossSightFeatureExtractor(**encoders).save_pretrained(made)
        if readme:
            (made / "README.md").write_text(readme, encoding="utf-8")
        if record:
            text = json.dumps(record, indent=1, ensure_ascii=False)
            (made / "training.json").write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def without_code(*classes: Any) -> Iterator[None]:
    """A model in a folder is read by this package and needs no copy of the code; what is pushed carries it."""
    before = [cls._auto_class for cls in classes]
    try:
        for cls in classes:
            cls._auto_class = None
        yield
    finally:
        for cls, auto_class in zip(classes, before, strict=True):
            cls._auto_class = auto_class
