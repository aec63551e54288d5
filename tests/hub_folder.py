"""A folder in Hub layout (`models|datasets|spaces/org/name/...`) as repositories: the store of the loopback Hub.

The commit of a repository is the sha1 of its paths and contents, so equal folders have equal commits everywhere. A
folder `org/name@REVISION` beside `org/name` is another branch or tag of it. A commit writes into the folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import struct
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import yaml

KINDS = ("models", "datasets", "spaces")
LFS_SUFFIXES = (".safetensors", ".parquet", ".bin", ".pt", ".pth", ".onnx", ".npz", ".zip", ".png", ".jpg")
LFS_SIZE = 10 * 1024 * 1024
HASHED_WHOLE = 1 << 30
"""Bytes; larger files (sparse ones of many GB) are named by a hash of their beginning, end, size and time."""


class Refused(Exception):  # noqa: N818 - it is an answer, raised
    """A request that a Hub would refuse: status, X-Error-Code, message."""

    def __init__(self, status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message or code)
        self.status, self.code, self.message, self.headers = status, code, message or code, headers or {}


@dataclass(frozen=True)
class StoredFile:
    """A file of a repository: path in it, place on the disk, bytes, git oid, and sha256 where git would use LFS."""

    path: str
    place: Path
    size: int
    oid: str
    sha256: str | None

    @property
    def etag(self) -> str:
        return self.sha256 or self.oid

    def as_tree_entry(self) -> dict:
        lfs = {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 134}} if self.sha256 else {}
        return {"type": "file", "path": self.path, "size": self.size, "oid": self.oid} | lfs

    def as_sibling(self, blobs: bool) -> dict:
        if not blobs:
            return {"rfilename": self.path}
        lfs = {"sha256": self.sha256, "size": self.size, "pointerSize": 134} if self.sha256 else None
        return {"rfilename": self.path, "size": self.size, "blobId": self.oid} | ({"lfs": lfs} if lfs else {})


@dataclass(frozen=True)
class Repository:
    """One repository at one revision."""

    kind: str
    id: str
    folder: Path

    def files(self) -> list[StoredFile]:
        """All files, by path; a folder of git's own and temporary files are not served."""
        places = sorted(place for place in self.folder.rglob("*") if place.is_file())
        paths = [(place.relative_to(self.folder).as_posix(), place) for place in places]
        return [_stored(path, place) for path, place in paths if not path.startswith((".git/", ".tmp-"))]

    def file(self, path: str) -> StoredFile:
        place = self.folder / path
        inside = ".." not in Path(path).parts and not path.startswith((".git/", "/"))
        if not inside or not place.is_file():
            raise Refused(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": self.sha()})
        return _stored(path, place)

    def sha(self) -> str:
        listing = "\n".join(f"{file.path} {file.oid}" for file in self.files())
        return hashlib.sha1(f"{self.kind} {self.id}\n{listing}".encode()).hexdigest()

    def tree(self, path: str, recursive: bool) -> list[dict]:
        """Entries below `path`, folders included, as the tree route tells them."""
        prefix = f"{path}/" if path else ""
        entries: dict[str, dict] = {}
        for file in self.files():
            if not file.path.startswith(prefix):
                continue
            parts = file.path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                folder = prefix + "/".join(parts[:depth])
                oid = hashlib.sha1(folder.encode()).hexdigest()
                entries.setdefault(folder, {"type": "directory", "path": folder, "size": 0, "oid": oid})
            if recursive or len(parts) == 1:
                entries[file.path] = file.as_tree_entry()
        if path and not entries:
            raise Refused(404, "EntryNotFound", f"{path} does not exist", {"X-Repo-Commit": self.sha()})
        return list(entries.values())

    def info(self, blobs: bool = False, weights: bool = True) -> dict:
        """What the info route tells, `gated`, `private`, `downloads` and `likes` at their least."""
        files = self.files()
        card, config = self._card(), self._json("config.json")
        times = [file.place.stat().st_mtime for file in files] or [0.0]
        answer = {
            "_id": hashlib.sha1(self.id.encode()).hexdigest()[:24],
            "id": self.id,
            "author": self.id.split("/")[0],
            "sha": self.sha(),
            "createdAt": _date(min(times)),
            "lastModified": _date(max(times)),
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": _tags(self.kind, card, config, [file.path for file in files]),
            "cardData": card,
            "siblings": [file.as_sibling(blobs) for file in files],
        }
        if self.kind == "models":
            answer |= {
                "modelId": self.id,
                "config": {k: config[k] for k in ("architectures", "model_type") if k in config},
            }
            answer |= {
                "library_name": card.get("library_name") or ("transformers" if "model_type" in config else None)
            }
            answer |= {"pipeline_tag": card.get("pipeline_tag") or _task(config)}
            if weights and (counted := self._parameters(files)):
                answer["safetensors"] = counted
        return {key: value for key, value in answer.items() if value is not None}

    def commit(self, operations: list[dict], uploads: dict[str, Path]) -> str:
        """Apply the lines of a commit; `uploads` are the LFS objects that have arrived, by sha256."""
        for operation in operations:
            key, value = operation["key"], operation["value"]
            if key == "header":
                continue
            place = self.folder / value["path"]
            if ".." in Path(value["path"]).parts or value["path"].startswith("/"):
                raise Refused(400, "", f"bad path {value['path']}")
            if key == "file":
                write_whole(place, base64.b64decode(value["content"]))
            elif key == "lfsFile":
                write_whole(
                    place, uploads[value["oid"]].read_bytes() if value["oid"] in uploads else self._held(value)
                )
            elif key in ("deletedFile", "deletedFolder"):
                for gone in [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]:
                    gone.unlink()
        return self.sha()

    def _held(self, value: dict) -> bytes:
        same = next((file for file in self.files() if file.sha256 == value["oid"]), None)
        if same is None:
            raise Refused(400, "", f"no LFS object {value['oid']} was uploaded")
        return same.place.read_bytes()

    def _card(self) -> dict:
        readme = self.folder / "README.md"
        return front_matter(readme.read_text(encoding="utf-8", errors="replace")) if readme.is_file() else {}

    def _json(self, path: str) -> dict:
        try:
            found = json.loads((self.folder / path).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _parameters(self, files: list[StoredFile]) -> dict | None:
        counts: dict[str, int] = {}
        for file in files:
            if file.path.endswith(".safetensors"):
                for dtype, number in _count_parameters(str(file.place), file.place.stat().st_mtime_ns):
                    counts[dtype] = counts.get(dtype, 0) + number
        return {"parameters": counts, "total": sum(counts.values())} if counts else None


class HubFolder:
    """All repositories below `root`."""

    def __init__(self, root: str | os.PathLike) -> None:
        self.root = Path(root)

    def ids(self, kind: str) -> list[str]:
        """Ids of one kind, in order."""
        folders = sorted(path for path in (self.root / kind).glob("*/*") if path.is_dir() and "@" not in path.name)
        return [f"{path.parent.name}/{path.name}" for path in folders]

    def exists(self, kind: str, repo_id: str) -> bool:
        return repo_id.count("/") == 1 and ".." not in repo_id and (self.root / kind / repo_id).is_dir()

    def at(self, kind: str, repo_id: str, revision: str | None = None) -> Repository:
        """The repository at a revision: `main`, the current commit, or that of a folder `org/name@REVISION`."""
        main = Repository(kind, repo_id, self.root / kind / repo_id)
        if revision in (None, "main", "refs/heads/main"):
            return main
        for name, repository in self.branches(kind, repo_id).items():
            if revision in (name, repository.sha()):
                return repository
        raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def branches(self, kind: str, repo_id: str) -> dict[str, Repository]:
        folder = self.root / kind / repo_id
        others = sorted(folder.parent.glob(f"{folder.name}@*"))
        named = {other.name.partition("@")[2]: Repository(kind, repo_id, other) for other in others}
        return {"main": Repository(kind, repo_id, folder)} | named


def front_matter(text: str) -> dict:
    """The YAML between the two `---` lines at the top of a README."""
    found = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, flags=re.DOTALL)
    try:
        card = yaml.safe_load(found.group(1)) if found else {}
    except yaml.YAMLError:
        return {}
    return json.loads(json.dumps(card, default=str)) if isinstance(card, dict) else {}


def front_matter_error(text: str) -> str | None:
    """What is wrong with the YAML at the top of a README, `None` if nothing is."""
    found = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, flags=re.DOTALL)
    try:
        yaml.safe_load(found.group(1) if found else "")
    except yaml.YAMLError as error:
        return str(error)
    return None


def write_whole(place: Path, content: bytes) -> None:
    """Write a file so that no reader sees half of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".tmp-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(name, place)


def _stored(path: str, place: Path) -> StoredFile:
    stat = place.stat()
    oid, sha256 = _digests(str(place), stat.st_size, stat.st_mtime_ns)
    lfs = stat.st_size > LFS_SIZE or path.endswith(LFS_SUFFIXES)
    return StoredFile(path, place, stat.st_size, oid, sha256 if lfs else None)


@lru_cache(maxsize=100_000)
def _digests(place: str, size: int, changed: int) -> tuple[str, str]:
    oid, sha256 = hashlib.sha1(f"blob {size}\0".encode()), hashlib.sha256()
    if size > HASHED_WHOLE:
        oid.update(str(changed).encode())
        sha256.update(f"{size} {changed}".encode())
    with open(place, "rb") as file:
        while chunk := file.read(1 << 20):
            oid.update(chunk)
            sha256.update(chunk)
            if size > HASHED_WHOLE and file.tell() < size - (1 << 20):
                file.seek(-(1 << 20), os.SEEK_END)
    return oid.hexdigest(), sha256.hexdigest()


@lru_cache(maxsize=10_000)
def _count_parameters(place: str, changed: int) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    try:
        with open(place, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        for name, tensor in header.items():
            if name != "__metadata__":
                number = 1
                for side in tensor["shape"]:
                    number *= side
                counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + number
    except (OSError, ValueError, KeyError, TypeError, struct.error, OverflowError, MemoryError):
        return ()
    return tuple(counts.items())


def _tags(kind: str, card: dict, config: dict, paths: list[str]) -> list[str]:
    """Tags as the Hub derives them from card, configuration and files."""
    tags = [card.get("library_name"), card.get("pipeline_tag")] if kind == "models" else []
    tags += _list(card.get("tags"))
    prefixed = {
        "license": "license",
        "datasets": "dataset",
        "base_model": "base_model",
        "task_categories": "task_categories",
    }
    prefixed |= {"size_categories": "size_categories", "language": "language"}
    for key, prefix in prefixed.items():
        tags += [f"{prefix}:{value}" for value in _list(card.get(key))]
    if kind == "models":
        tags += ["transformers"] if "model_type" in config else []
        tags += [config.get("model_type"), _task(config)]
        tags += ["safetensors"] if any(path.endswith(".safetensors") for path in paths) else []
    elif kind == "datasets":
        tags += ["format:parquet"] if any(path.endswith(".parquet") for path in paths) else []
    return list(dict.fromkeys(str(tag) for tag in tags if tag))


def _task(config: dict) -> str | None:
    heads = {"ForImageClassification": "image-classification", "ForSequenceClassification": "text-classification"}
    names = _list(config.get("architectures"))
    return next((task for end, task in heads.items() for name in names if str(name).endswith(end)), None)


def _list(value: object) -> list:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
