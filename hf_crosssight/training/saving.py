"""`save_ranker`: a trained ranker as a folder that `from_pretrained` and the Hub read."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_crosssight.models import CrossSightConfig, CrossSightFeatureExtractor, CrossSightModel


def save_ranker(model: CrossSightModel, folder: Path | str, readme: str = "") -> None:
    """Writes a ranker's repository (weights, configuration, feature extractor, card).

    One that stands there is replaced in one step.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        encoders = {"image_encoder": model.config.image_encoder, "text_encoder": model.config.text_encoder}
        with without_code(CrossSightConfig, CrossSightModel, CrossSightFeatureExtractor):
            model.save_pretrained(made)
            CrossSightFeatureExtractor(**encoders).save_pretrained(made)
        if readme:
            (made / "README.md").write_text(readme, encoding="utf-8")
        made.chmod(0o755)
        old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
        if folder.exists():
            os.replace(folder, old)
        os.replace(made, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)


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
