"""Transferability scores from one forward pass: how well a model's features or source predictions fit a labelled
dataset.

`score(method, ...)` runs one method, `score_zoo(method, ...)` runs it over several models, `available_methods()` names
them. Each method is one file; `registry.py` lists them; `inputs.py` holds the checks that all share.
"""

from __future__ import annotations

from .registry import METHODS, Method, available_methods, implementations, score, score_zoo

__all__ = ["METHODS", "Method", "available_methods", "implementations", "score", "score_zoo"]
