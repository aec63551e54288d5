"""The text token of a dataset: what its label names and its description mean, whichever of the two there are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .text import TEXT_DIM, embed_texts

TEXT_STATS = (
    "has_class_names",  # 1 if the label names are words; numbers and ids such as n01440764 are not
    "has_description",
    "class_names_similarity",  # mean cosine between label names: high where classes are fine-grained
)
TEXT_WIDTH = TEXT_DIM + len(TEXT_STATS)
_MAX_NAMES = 256
_ENUMERATED = re.compile(r"(class|label|category|type|id|n|c)?\s*\d+", re.IGNORECASE)


def text_token(description: str, class_names: Sequence[str]) -> np.ndarray:
    """Embed a dataset's words.

    Args:
        description (`str`): free text, may be empty; the encoder reads its first 256 word pieces.
        class_names (`Sequence[str]`): label names, may be empty; at most 256 of them, evenly spaced, are read.

    Returns:
        `np.ndarray`: float64 `[387]`: the mean of the description and of the mean label name, scaled to entries of
        about 1 (zero if there are no words), then `TEXT_STATS`.
    """
    names = words_of(class_names)
    description = " ".join(description.split())
    vectors = embed_texts([*names, *([description] if description else [])]).astype(np.float64)
    parts: list[np.ndarray] = []
    stats = [float(bool(names)), float(bool(description)), 0.0]
    if names:
        total = vectors[: len(names)].sum(0)
        parts.append(_unit(total))
        if len(names) > 1:  # |sum|^2 = n + n (n - 1) * mean cosine, for vectors of length 1
            stats[2] = float((total @ total - len(names)) / (len(names) * (len(names) - 1)))
    if description:
        parts.append(vectors[-1])
    mean = np.sum(parts, axis=0) if parts else np.zeros(TEXT_DIM)
    return np.concatenate([_unit(mean) * np.sqrt(TEXT_DIM), stats])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def words_of(class_names: Sequence[str]) -> list[str]:
    """Label names as words, sorted and without repeats; empty unless at least half of them are words."""
    spaced = [re.sub(r"[_\-/\s]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).strip() for name in class_names]
    words = sorted({name for name in spaced if len(name) > 1 and not _ENUMERATED.fullmatch(name)})
    if 2 * len(words) < len(set(spaced)):
        return []
    if len(words) <= _MAX_NAMES:
        return words
    return [words[i] for i in np.linspace(0, len(words) - 1, _MAX_NAMES).round().astype(int)]
