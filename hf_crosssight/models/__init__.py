"""What is learnt: configuration and network of the ranker and of the weight encoder, and the feature extractor.

The other files of this room import torch, transformers and one another only, so that `save_pretrained` can copy them
into a repository that loads with `trust_remote_code=True`. Names load on first use.

transformers is imported first: its import sets off the registration of these classes (`hf_crosssight.registration`),
which must not find one of the files below half imported.
"""

from __future__ import annotations

import importlib
from typing import Any

import transformers  # noqa: F401

_HOME_OF = {
    "Arch2VecConfig": "configuration_arch2vec",
    "Arch2VecModel": "modeling_arch2vec",
    "Arch2VecOutput": "modeling_arch2vec",
    "Arch2VecPreTrainedModel": "modeling_arch2vec",
    "CrossSightConfig": "configuration_crosssight",
    "CrossSightModel": "modeling_crosssight",
    "CrossSightOutput": "modeling_crosssight",
    "CrossSightPreTrainedModel": "modeling_crosssight",
    "CrossSightFeatureExtractor": "feature_extraction_crosssight",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
