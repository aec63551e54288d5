"""The card view of a model: what it was trained on and how, reduced to canonical words, never what it achieved.

Everything comes from structured facts and from the id, whose parts are words (timm's `augreg_in21k_ft_in1k` tells the
whole recipe), so that the same model read from published facts, from the Hub or from a folder has the same view.
Of a folder that is no `org/name` the name says nothing: two copies of one model have one view.
Numbers and sentences that report results would leak the answer and are stripped (`card_reading`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.tokens.card_reading import CardFacts, read_card, strip_results
from hf_crosssight.tokens.card_vocabulary import (
    DATA_WORDS,
    FAMILY_WORDS,
    RECIPE_WORDS,
    data_in,
    family_of,
    recipes_in,
    view_words,
)

if TYPE_CHECKING:  # the record is the zoo's; only its fields are read here
    from hf_crosssight.zoo.record import ModelRecord

__all__ = ["CARD_DIM", "CARD_SPEC", "FLAG_DIM", "CardFacts", "card_text", "card_view", "pretrain_data_of", "read_card"]

CARD_SPEC = "card/1"
_TEXT_DIM = 384
_BLOCKS = (2 + len(DATA_WORDS), 1 + len(DATA_WORDS), len(RECIPE_WORDS), 1 + len(FAMILY_WORDS), 5)
FLAG_DIM = sum(_BLOCKS)
CARD_DIM = 1 + FLAG_DIM + _TEXT_DIM

_LIBRARY_WORDS = ("timm", "transformers")


def card_view(
    records: Sequence[ModelRecord],
    descriptions: Sequence[str] | None = None,
    data: Sequence[tuple[str, ...] | None] | None = None,
) -> np.ndarray:
    """The card views of many models: `[1 | flags | text embedding]`.

    Args:
        records: M models.
        descriptions (*optional*): M texts of `read_card(...).description`, empty where there is none.
        data (*optional*): M tuples of the view's words for the training data, where more is read than the record
            states (`ModelFacts.data_words`); `None` where what it states is all.

    Returns:
        `np.ndarray`: float32 `[M, 1, CARD_DIM]`.
    """
    from hf_crosssight.tokens.text import embed_texts

    texts = descriptions if descriptions is not None else [""] * len(records)
    views = np.zeros((len(records), 1, CARD_DIM), np.float32)
    if not records:
        return views
    words = [_data_words(record, own) for record, own in zip(records, data or [None] * len(records), strict=True)]
    sentences = [card_text(*of_model) for of_model in zip(records, texts, words, strict=True)]
    unique = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
    embedded = embed_texts(list(unique))
    for row, (record, text, sentence) in enumerate(zip(records, texts, sentences, strict=True)):
        views[row, 0, 0] = 1.0
        views[row, 0, 1 : 1 + FLAG_DIM] = _flags(record, text, words[row])
        views[row, 0, 1 + FLAG_DIM :] = embedded[unique[sentence]]
    return views


def card_text(record: ModelRecord, description: str = "", data: tuple[str, ...] | None = None) -> str:
    """One short canonical text: architecture, task, data in order, recipe, base model, and the card's own words.

    The description is used only where the id carries no recipe of its own, so that a timm model reads the same with
    and without its README. `data`: as in `card_view`.
    """
    data = _data_words(record, data)
    recipes = sorted(_recipes(record, description, data))
    parts = [f"{record.family or 'unknown'} architecture {_words(record.architecture or '')}".strip()]
    parts.append((record.task or "image model").replace("-", " "))
    parts.append("trained on " + (", then ".join(data) or "unknown data"))
    if recipes:
        parts.append(", ".join(recipes))
    if not timm_tag(record):
        name = _words(own_name(record.model_id))
        parts.append(f"named {name}" if name else "")
        parts.append(f"from {_words(record.base_model.rpartition('/')[2])}" if record.base_model else "")
        parts.append(strip_results(description))
    return ". ".join(part for part in parts if part)


def pretrain_data_of(*texts: str | None) -> tuple[str, ...]:
    """The view's words for data named in ids, tags or lists of data sets, in order of mention, each once."""
    return tuple(dict.fromkeys(word for text in texts if text for word in data_in(text)))


def own_name(model_id: str) -> str:
    """The name that a Hub id `org/name` ends in, whose words the view reads; a mere folder's name means nothing."""
    return model_id.rpartition("/")[2] if "/" in model_id else ""


def timm_tag(record: ModelRecord) -> str:
    """The pre-training tag of a timm model (`a1_in1k` of `timm/resnet50.a1_in1k`), else an empty text.

    A copy under another name carries it in its architecture, as timm itself writes it: `resnet50.a1_in1k`.
    """
    if record.library != "timm":
        return ""
    for name in (own_name(record.model_id), record.architecture or ""):
        head, _, tag = name.partition(".")
        if head and tag and not tag[:1].isdigit():
            return tag
    return ""


def _data_words(record: ModelRecord, data: tuple[str, ...] | None) -> tuple[str, ...]:
    """The view's words for the training data, a repeated one where it stands last."""
    if data is not None:
        return data
    words = [word for stated in record.pretrain_data for word in view_words(stated)]
    return tuple(reversed(dict.fromkeys(reversed(words))))


def _recipes(record: ModelRecord, description: str, data: tuple[str, ...]) -> frozenset[str]:
    """Recipes named by the id, the architecture, the tags and the base model; by prose only in words, not in codes."""
    names = [own_name(record.model_id), record.architecture or "", record.base_model or "", *record.tags]
    found = recipes_in(" ".join(names))
    if not timm_tag(record):
        found |= recipes_in(" ".join(re.findall(r"[A-Za-z]{5,}|MAE|DINO|CLIP", description)))
    if len(data) > 1:
        found |= {"fine-tuned"}
    return found


def _flags(record: ModelRecord, description: str, data: tuple[str, ...]) -> np.ndarray:
    """0/1 flags `[FLAG_DIM]`: data seen at all, data seen last, recipes, family, and what kind of entry it is."""
    known = [word for word in data if word in DATA_WORDS]
    family = record.family or family_of(record.architecture, _named(record.model_id))
    recipes = _recipes(record, description, data)
    values = [
        float(bool(data)),
        float(len(known) < len(data)),
        *(float(word in data) for word in DATA_WORDS),
        float(bool(data) and data[-1] not in DATA_WORDS),
        *(float(bool(data) and data[-1] == word) for word in DATA_WORDS),
        *(float(word in recipes) for word in RECIPE_WORDS),
        float(family is None),
        *(float(word == family) for word in FAMILY_WORDS),
        float(record.task == "image-classification"),
        float(record.task == "image-feature-extraction"),
        *(float(record.library == word) for word in _LIBRARY_WORDS),
        float(record.base_model is not None),
    ]
    return np.array(values, np.float32)


def _named(model_id: str) -> str:
    return model_id if "/" in model_id else ""


def _words(name: str) -> str:
    """A name as words; numbers that stand alone say nothing here and could be results, so they are left out."""
    kept = re.sub(r"\d+[.,]\d+\S*|\bacc[a-z]*\d\S*|\d+(?:acc|pct|percent)\w*", " ", name, flags=re.I)
    return " ".join(word for word in re.split(r"[^A-Za-z0-9]+", kept) if word and not word.isdigit())
