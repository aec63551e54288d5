"""Reads a model's README and config for facts, and strips whatever reports results.

What a model scored is the answer that the ranker is asked for; a card that reports it would be copied, not judged.
Nothing is taken from `model-index`, tables or code; sentences that speak of results are dropped whole; from the rest
every number that is not part of a name goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_crosssight.tokens.card_vocabulary import DESCRIPTIONS, stated_in

_MAX_README = 200_000
_MAX_DESCRIPTION = 300
_MAX_LABELS = 12

_RESULT = re.compile(
    r"accura|\bacc\b|\bacc[ _@:=\d-]|\d\s*(?:acc|pct)|top[ _-]?[15]\b|\bf1\b|f1[ _-]score|\bauc\b|auroc|precision|"
    r"recall|\bscores?\b|\d\s*%|percent|error rate|achiev|outperform|state[ -]of[ -]the[ -]art|\bsota\b|\bobtain|"
    r"\bloss\b|\bm?ap\b|kappa|\bmcc\b|evaluation|\bevaluated|\bresults?\b|perform|benchmark|\bbest\b|metric|"
    r"correctly|misclassif",
    re.I,
)
_UNNAMED_DATA = {"imagefolder", "generated", "custom", "generator", "unknown", "none", "hfpics", "image_folder", ""}


@dataclass(frozen=True)
class CardFacts:
    """What a card says of a model, results left out.

    Attributes:
        license (`str`, *optional*): lower case Hub identifier.
        library (`str`, *optional*): Hub library name.
        task (`str`, *optional*): Hub pipeline tag.
        tags (`tuple[str, ...]`): Hub tags.
        pretrain_data (`tuple[str, ...]`): data that the card says the weights were trained on, by its own name.
        base_model (`str`, *optional*): id of the model it was fine-tuned from.
        description (`str`): a few words of the card's own and the names of its labels; no number, no result.
    """

    license: str | None = None
    library: str | None = None
    task: str | None = None
    tags: tuple[str, ...] = ()
    pretrain_data: tuple[str, ...] = ()
    base_model: str | None = None
    description: str = ""


def read_card(readme_text: str, config: Mapping[str, Any] | None = None, model_id: str = "") -> CardFacts:
    """The facts of a model card.

    Args:
        readme_text (`str`): the README.md, with or without front matter; broken front matter counts as none.
        config (mapping, *optional*): the parsed config.json; only the names of its labels are read.
        model_id (`str`): the model's own id, which is no base model of itself.
    """
    front, body = _split(readme_text[:_MAX_README])
    bases = [name for name in _texts(front.get("base_model")) if name != model_id]
    datasets = _texts(front.get("datasets"))
    prose = strip_results(_prose(body))
    words = [prose[:_MAX_DESCRIPTION].strip(), _label_words(config)]
    return CardFacts(
        license=_identifier(front.get("license")),
        library=_identifier(front.get("library_name")),
        task=_identifier(front.get("pipeline_tag")),
        tags=tuple(dict.fromkeys(_texts(front.get("tags")))),
        pretrain_data=_data(datasets, prose),
        base_model=bases[0] if bases else None,
        description=" ".join(word for word in words if word),
    )


def dataset_name(name: str) -> str:
    """How a data set's name or id is stated: a known set by its usual name, any other by its own in lower case."""
    own = name.rpartition("/")[2]
    known = stated_in(own)
    return known[0] if known and known[0] not in DESCRIPTIONS else re.sub(r"[^a-z0-9]+", "-", own.lower()).strip("-")


def strip_results(text: str) -> str:
    """The sentences that report no result, without the numbers that are not part of a name."""
    sentences = re.split(r"(?<=[.!?;])\s+|\n+", text)
    kept = [sentence for sentence in sentences if not _RESULT.search(sentence)]
    joined = re.sub(r"\S*\d+[.,]\d+\S*", " ", " ".join(kept))  # decimals, also inside words such as acc0.95
    return " ".join(word for word in joined.split() if not _is_number(word))


def _is_number(word: str) -> bool:
    """Whether a word is a number, perhaps with a sign, bracket or exponent; `2-conv` and `resnet50` are names."""
    letters = sum(character.isalpha() for character in word)
    return bool(re.match(r"\W*\d", word)) and letters < 2


def _split(text: str) -> tuple[dict[str, Any], str]:
    """(front matter, body) of a README."""
    import yaml

    match = re.match(r"\ufeff?\s*---\s*\n(.*?)\n---\s*(?:\n|$)(.*)", text, re.S)
    if not match:
        return {}, text
    try:
        front = yaml.load(match.group(1), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        front = None
    return (front if isinstance(front, dict) else {}), match.group(2)


def _prose(body: str) -> str:
    """The body without code, tables, headings, HTML and link targets."""
    text = re.sub(r"```.*?(```|\Z)", "\n", body, flags=re.S)
    text = re.sub(r"<[^>]{0,500}>", " ", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|\||[-=*_]{3,}|>)", line)]
    return "\n".join(re.sub(r"https?://\S+|[*`]{1,3}", "", line) for line in lines)


def _data(datasets: Sequence[str], prose: str) -> tuple[str, ...]:
    """Data named in the front matter; where it names none, data that a sentence about training names."""
    named = [dataset_name(name) for name in datasets]
    kept = [word for word in named if word.replace("-", "_") not in _UNNAMED_DATA]
    if kept:
        return tuple(dict.fromkeys(kept))
    about = [s for s in re.split(r"(?<=[.!?])\s+|\n", prose) if re.search(r"train|fine-?tun", s, re.I)]
    return stated_in(" ".join(about))


def _label_words(config: Mapping[str, Any] | None) -> str:
    """Names of the classes, where they are words; they say what the model was trained to tell apart."""
    labels = (config or {}).get("id2label") or (config or {}).get("label_names")
    names = list(labels.values()) if isinstance(labels, Mapping) else labels if isinstance(labels, list) else []
    words = [str(name) for name in names if re.search(r"[A-Za-z]{3,}", str(name)) and "LABEL_" not in str(name)]
    return strip_results("Labels: " + ", ".join(words[:_MAX_LABELS])) if words and len(names) < 200 else ""


def _texts(value: Any) -> list[str]:
    """A front-matter field that may be one text or a list of them."""
    values = value if isinstance(value, list) else [value]
    return [item.strip() for item in values if isinstance(item, str) and item.strip()]


def _identifier(value: Any) -> str | None:
    found = _texts(value)
    return found[0].lower() if found else None
