"""Whether what a model reached can be read off its card view: the view must not change with the reported numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hf_crosssight.evaluation.stated_accuracy import CONFIG_KEYS, stated_accuracy
from hf_crosssight.tokens.card import card_text
from hf_crosssight.tokens.card_reading import read_card
from hf_crosssight.zoo.model_facts import facts_from_repo

# Numbers that may be a result: decimals, and whole numbers in percent.
_RESULT = re.compile(r"(?<![\w.-])\d{1,3}\.\d+(?![\w.-]*\d)|\b\d{1,3}(?=\s*(?:%|percent))")


def leaks(folder: Path, model_id: str) -> list[str]:
    """What is wrong with the card view of one repository, in words; empty if nothing is."""
    readme = _text(folder / "README.md")
    config = json.loads(_text(folder / "config.json") or "{}")
    text = _view_text(model_id, config, readme)
    changed = {**config, **{key: 12.34 for key in CONFIG_KEYS if key in config}}
    found = []
    if _view_text(model_id, changed, _RESULT.sub("12.34", readme)) != text:
        found.append("the text of its card view changes with the numbers of its card")
    stated = stated_accuracy(folder)
    if stated is not None and any(form in text for form in _forms(stated)):
        found.append(f"the text of its card view states its accuracy: {text!r}")
    return found


def _view_text(model_id: str, config: dict[str, Any], readme: str) -> str:
    facts = facts_from_repo(model_id, config, read_card(readme, config, model_id), (), source="folder")
    return card_text(facts.record, facts.description, facts.data_words)


def _forms(accuracy: float) -> set[str]:
    """How a fraction may be written: 0.982, 98.2, 98.20; whole percents would be found in many names."""
    percent = accuracy * 100
    return {f"{accuracy:.{n}f}" for n in (3, 4) if accuracy < 1} | {f"{percent:.{n}f}" for n in (1, 2)}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
