"""Datasets: what the user named is found, its columns are inferred, and a few images of each class are sampled."""

from __future__ import annotations

from .load import load_sample
from .sample import DatasetSample

__all__ = ["DatasetSample", "load_sample"]
