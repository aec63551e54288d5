"""What a model's card or config states that it reached on its own data: a label and a baseline, never a feature."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

CONFIG_KEYS = ("reported_top1", "checkpoint_top1")
_IN_WORDS = re.compile(
    r"(?:accuracy|top-?1)[^.\n]{0,60}?[:\s]\s*(\d{1,3}(?:\.\d+)?)\s*(%?)", re.IGNORECASE
)  # the last number of the sentence's clause, in percent or as a fraction


def stated_accuracy(folder: Path) -> float | None:
    """Accuracy on the source data as a fraction, by model-index, config or the card's words; `None` if unstated."""
    readme = _text(folder / "README.md")
    return _of_model_index(readme) or _of_config(_text(folder / "config.json")) or _of_words(readme)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _of_model_index(readme: str) -> float | None:
    import yaml

    parts = readme.split("---")
    if len(parts) < 3:
        return None
    try:
        header = yaml.safe_load(parts[1])
        metrics = header["model-index"][0]["results"][0]["metrics"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return None
    return next((_fraction(m.get("value")) for m in metrics if "accuracy" in str(m.get("type"))), None)


def _of_config(text: str) -> float | None:
    try:
        config = json.loads(text)
    except ValueError:
        return None
    found = [_fraction(config.get(key)) for key in CONFIG_KEYS] if isinstance(config, dict) else []
    return next((value for value in found if value is not None), None)


def _of_words(readme: str) -> float | None:
    found = _IN_WORDS.findall(readme)
    return _fraction(found[-1][0]) if found else None


def _fraction(value: Any) -> float | None:
    """A number in percent or as a fraction, as a fraction; `None` for what is neither."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    number = number / 100 if number > 1 else number
    return number if 0 < number <= 1 else None
