"""Keeps other libraries off the user's screen: their bars, warnings and logs are not ours to show."""

from __future__ import annotations

import logging
import os
import warnings


def silence_libraries() -> None:
    """Call before torch, transformers and datasets are imported; `--debug` leaves them alone."""
    warnings.filterwarnings("ignore")
    for name in (
        "HF_HUB_DISABLE_PROGRESS_BARS",
        "HF_DATASETS_DISABLE_PROGRESS_BARS",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS",
    ):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for name in ("transformers", "datasets", "huggingface_hub", "httpx2", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)


def hide_transformers_bars() -> None:
    """Loading and saving a model each draw a bar of their own. Imports transformers."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
