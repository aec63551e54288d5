"""`Repository`: the files of a repository before they are on the Hub, and how they are written to a folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hf_crosssight.errors import UserError
from hf_crosssight.hub.card_templates import CARD
from hf_crosssight.hub.places import atomic_folder
from hf_crosssight.hub.resolved import RepoType

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Repository:
    """What a repository shall hold.

    Attributes:
        kind (`str`): `model`, `dataset` or `space`.
        files (`dict`): path in the repository → its bytes, or the file that holds them.
        replaced (`tuple[str, ...]`): patterns, folder by folder, of files that belong to such a repository: one that
            is there and not among `files` is of an earlier version and goes. What else people put there stays.
        sdk (`str`, *optional*): of a Space.
    """

    kind: RepoType
    files: Mapping[str, bytes | Path]
    replaced: tuple[str, ...] = ()
    sdk: str | None = None

    @property
    def bytes(self) -> int:
        return sum(size_of(content) for content in self.files.values())

    def is_stale(self, name: str) -> bool:
        """Whether a file that is there belongs to an earlier version of this repository."""
        if name in self.files:
            return False
        return any(name.count("/") == one.count("/") and fnmatchcase(name, one) for one in self.replaced)


def files_of(folder: Path, names: Iterable[str] | None = None) -> dict[str, bytes | Path]:
    """All files below a folder by their path in it, or those of `names` that are there."""
    if names is not None:
        return {name: folder / name for name in names if (folder / name).is_file()}
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def write_folder(repository: Repository, folder: Path) -> None:
    """Writes a repository whole or not at all; an earlier one in the same place is replaced in one step.

    Raises:
        UserError: `folder` is a file, or holds something that this repository does not.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file", "Name a folder with --folder.")
    earlier = (folder / CARD).is_file()
    others = [name for name in files_of(folder) if name not in repository.files]
    foreign = [name for name in others if not (earlier and repository.is_stale(name))]
    if foreign:
        raise UserError(f"{folder} holds other files ({foreign[0]}, ...)", "Name an empty or a new folder.")
    with atomic_folder(folder) as made:
        for name, content in repository.files.items():
            place = made / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                place.write_bytes(content)
            else:
                shutil.copyfile(content, place)


def size_of(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def same_as(content: bytes | Path, size: int | None, oid: str | None, sha256: str | None) -> bool:
    """Whether a file on the Hub has this content: by sha256 where it is a large one, else by git's hash of it."""
    if size is not None and size != size_of(content):
        return False
    if sha256 is not None:
        return _hash(content, hashlib.sha256()) == sha256
    return oid is not None and _hash(content, hashlib.sha1(f"blob {size_of(content)}\0".encode())) == oid


def _hash(content: bytes | Path, digest: hashlib._Hash) -> str:
    if isinstance(content, bytes):
        digest.update(content)
        return digest.hexdigest()
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
