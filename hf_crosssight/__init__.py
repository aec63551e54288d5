"""Which pre-trained models should I fine-tune on my dataset? Ranked without downloading or running them.

The public names are loaded on first use, and the Auto classes are registered as soon as `transformers` is there: a
process that only filters a zoo or prints a help page pays for neither torch nor transformers.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME_OF = {
    "rank": "ranking",
    "Ranking": "recommendation",
    "Recommendation": "recommendation",
    "bundled_ranker": "rankers",
    "CrossSightConfig": "models",
    "CrossSightModel": "models",
    "CrossSightOutput": "models",
    "CrossSightFeatureExtractor": "models",
    "Arch2VecConfig": "models",
    "Arch2VecModel": "models",
    "ModelRankingPipeline": "pipeline",
    "CrossSightError": "errors",
    "UserError": "errors",
    "HubError": "errors",
}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})


def _arrange_registration() -> None:
    from .registration import register_when_transformers_loads

    register_when_transformers_loads()


_arrange_registration()
