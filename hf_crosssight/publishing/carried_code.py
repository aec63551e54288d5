"""The code that a repository carries: what it holds loads with `trust_remote_code=True` without this package."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hf_crosssight.registration import carry_code

if TYPE_CHECKING:
    from transformers import FeatureExtractionMixin, PreTrainedModel


def with_code(*parts: PreTrainedModel | FeatureExtractionMixin) -> dict[str, bytes | Path]:
    """Configurations that name their code in `auto_map`, and the code; everything but the weights.

    Args:
        parts: what one repository holds: a model, and a feature extractor if it has one.
    """
    carry_code()
    with tempfile.TemporaryDirectory() as made:
        for part in parts:
            part.save_pretrained(made)
        written = [path for path in Path(made).iterdir() if path.is_file() and path.suffix != ".safetensors"]
        return {path.name: path.read_bytes() for path in written}
