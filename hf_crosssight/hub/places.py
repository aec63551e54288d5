"""Where things lie on the disk: huggingface_hub's cache and this project's folder beside it; how they are written."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
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


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` on success and vanishes on any failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # not mkstemp: the user's umask shall decide
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; it replaces `folder` on success and vanishes on any failure."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield made
        made.chmod(0o755)
        old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
        if folder.exists():
            os.replace(folder, old)
        os.replace(made, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: another process may be reading."""
    if read_text(path) == text:
        return
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
