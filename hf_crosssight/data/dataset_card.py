"""A dataset's README: the facts of its front matter, and its text without results, code and tables."""

from __future__ import annotations

import re
from typing import Any

MAX_DESCRIPTION = 1000  # characters; the text encoder reads no more
_SECTIONS_LEFT_OUT = re.compile(
    r"result|leaderboard|benchmark|performance|baseline|citation|licen[sc]e|contribut|acknowledg|contents|usage", re.I
)
_SAYS_A_RESULT = re.compile(r"accurac|state[- ]of[- ]the[- ]art|\bsota\b|\bf1\b|error rate|\d\s?%|outperform", re.I)


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The front matter of a README as a dict (empty if there is none or it is broken), and the text below it."""
    found = re.match(r"\ufeff?---\s*\n(.*?)\n---\s*(?:\n|$)", text, flags=re.DOTALL)
    if not found:
        return {}, text
    import yaml

    try:
        facts = yaml.safe_load(found.group(1))
    except yaml.YAMLError:
        facts = None
    return (facts if isinstance(facts, dict) else {}), text[found.end() :]


def describe(facts: dict[str, Any], body: str) -> str:
    """What a card says of the images, in at most `MAX_DESCRIPTION` characters: title, then prose without results."""
    title = facts.get("pretty_name")
    kept = [str(title).strip() + "."] if title else []
    body = re.sub(r"```.*?```|<!--.*?-->", " ", body, flags=re.DOTALL)
    skipped_level = 0
    for line in body.splitlines():
        heading = re.match(r"(#+)\s*(.*)", line)
        if heading:
            level = len(heading.group(1))
            if not skipped_level or level <= skipped_level:
                skipped_level = level if _SECTIONS_LEFT_OUT.search(heading.group(2)) else 0
        elif not skipped_level and not line.lstrip().startswith(("|", "!", "<", "[![", ">")):
            kept.append(_plain(line))
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(kept))
    text = " ".join(sentence for sentence in sentences if not _SAYS_A_RESULT.search(sentence))
    return " ".join(text.split())[:MAX_DESCRIPTION]


def _plain(line: str) -> str:
    line = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", line))
    return re.sub(r"<[^>]+>|https?://\S+", " ", line).replace("*", "").replace("`", "").strip(" -")
