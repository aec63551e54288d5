"""How well a model's words fit a dataset's: one number for each model, measured by no forward pass.

The card view and the dataset's text token are embedded by the same text encoder, so their cosine says whether a model
was trained on something like the dataset. Some cards are near to every text: what a card has in common with the
ranker's training datasets is taken off. A ranker with an `evidence_size` of at least 1 reads it as its first evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .text import TEXT_DIM

_CHUNK = 8192


def evidence_of(model: Any, dataset_tokens: np.ndarray, views: Mapping[str, Any]) -> np.ndarray | None:
    """What a ranker reads of M models and one dataset beside views and tokens.

    Args:
        model (`CrossSightModel`): the ranker.
        dataset_tokens (`np.ndarray`): `[S, Dd]`.
        views (`dict`): `card` is needed, `[M, 1, Dc]`, an array or what is sliced like one.

    Returns:
        `np.ndarray`, *optional*: float32 `[M, evidence_size]`, NaN where nothing is known; `None` if it takes none.
    """
    size = model.config.evidence_size
    if not size:
        return None
    evidence = np.full((len(views["card"]), size), np.nan, np.float32)
    start, stop = model.config.dataset_layout["text"]
    references = model.reference_tokens[..., start:stop].float().cpu().numpy()
    evidence[:, 0] = word_match(np.asarray(dataset_tokens)[:, start:stop], views["card"], references)
    return evidence


def word_match(dataset_text: np.ndarray, card: Any, reference_texts: np.ndarray) -> np.ndarray:
    """The match of M models with one dataset.

    Args:
        dataset_text (`np.ndarray`): text columns of a dataset's tokens, `[S, >= 384]`.
        card: card views `[M, 1, Dc]`, see `evidence_of`; the embedded text is their last columns.
        reference_texts (`np.ndarray`): the same columns of the ranker's training datasets, `[R, Sr, >= 384]`.

    Returns:
        `np.ndarray`: float32 `[M]`, in tenths of a cosine; NaN for models and datasets without words.
    """
    own = _unit(np.asarray(dataset_text, np.float32)[:, :TEXT_DIM].sum(0))
    others = _unit(np.asarray(reference_texts, np.float32)[..., :TEXT_DIM].sum(1))
    others = others[np.abs(others).sum(1) > 0]
    direction = own - others.mean(0) if len(others) else own
    if not own.any():
        return np.full(len(card), np.nan, np.float32)
    match = np.empty(len(card), np.float32)
    for start in range(0, len(card), _CHUNK):  # a zoo may be large and memory-mapped
        words = np.asarray(card[start : start + _CHUNK, 0, -TEXT_DIM:], np.float32)
        match[start : start + _CHUNK] = np.where(words.any(1), _unit(words) @ direction * 10.0, np.nan)
    return match


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
