"""The small files that describe a model repository, checked: config.json, preprocessor_config.json, README.md.

What cannot be read is told as a reason, so that one broken repository of a folder costs a line and not the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

CONFIG = "config.json"
IMAGE_PROCESSOR = "preprocessor_config.json"
README = "README.md"
LARGEST_TEXT = 8 << 20
"""Bytes of a config or README that are read; label lists of 20,000 classes take about one million."""

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_OTHER_WEIGHTS = (".h5", ".keras", ".onnx", ".tflite", ".msgpack", ".gguf", ".pb")


class UnreadableRepoError(Exception):
    """A repository that cannot be used; the text is the reason."""


def check_files(names: Iterable[str]) -> None:
    """Raises `UnreadableRepoError` unless there are a config.json and safetensors weights among the files."""
    files = list(names)
    if not any(name.endswith(".safetensors") for name in files):
        pickled = next((name for name in files if name.endswith(_PICKLES)), None)
        other = next((name for name in files if name.endswith(_OTHER_WEIGHTS)), None)
        if pickled:
            raise UnreadableRepoError(f"its weights are pickled only ({pickled}); safetensors are needed")
        raise UnreadableRepoError(f"it has no safetensors weights{f' (only {other})' if other else ''}")
    if CONFIG not in files:
        raise UnreadableRepoError(f"it has no {CONFIG}")


def looks_like_repo(names: Iterable[str]) -> bool:
    """Whether the files of a folder are those of a model: a config or weights of any kind."""
    endings = (".safetensors", *_PICKLES, *_OTHER_WEIGHTS)
    return any(name == CONFIG or name.endswith(endings) for name in names)


def parse_config(content: bytes | None, name: str = CONFIG) -> Mapping[str, Any]:
    """The JSON object of a configuration file.

    Raises:
        UnreadableRepoError: it is no JSON object.
    """
    try:
        parsed = json.loads((content or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnreadableRepoError(f"its {name} is not valid JSON") from None
    if not isinstance(parsed, dict):
        raise UnreadableRepoError(f"its {name} is not a JSON object")
    return parsed


def parse_optional(content: bytes | None) -> Mapping[str, Any]:
    """The JSON object of a file that a repository may lack; empty where it is missing or broken."""
    try:
        return parse_config(content) if content else {}
    except UnreadableRepoError:
        return {}
