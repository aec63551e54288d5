"""Where things lie on the disk: huggingface_hub's cache, and this project's own folder beside it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .resolved import RepoType


def repo_folder(repo_id: str, repo_type: RepoType) -> Path:
    """The cache folder of a repository."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / folder_name(repo_id, repo_type)


def crosssight_folder() -> Path:
    """Where this project keeps what it has looked up or computed."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "crosssight"


def folder_name(repo_id: str, repo_type: RepoType) -> str:
    """One folder name for a repository, as huggingface_hub's cache spells it: `models--org--name`."""
    return "--".join([f"{repo_type}s", *repo_id.split("/")])


def read_text(path: Path) -> str | None:
    """A small file's text without white space around it, `None` if there is none."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: another process may be reading."""
    if read_text(path) == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name, path)
