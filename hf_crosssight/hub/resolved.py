"""`ResolvedRepo`: one repository at one commit, as the Hub (or the local cache) describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hf_crosssight.errors import HubError

RepoType = Literal["model", "dataset", "space"]


@dataclass(frozen=True)
class RepoFile:
    """A file of a repository: its path and its size in bytes (`None` where the Hub does not tell)."""

    path: str
    size: int | None


@dataclass(frozen=True)
class ResolvedRepo:
    """A repository pinned to a commit.

    Attributes:
        id (`str`): canonical id (`uoft-cs/cifar10` where `cifar10` was asked for).
        repo_type (`str`): `model`, `dataset` or `space`.
        sha (`str`): the commit.
        files (`tuple[RepoFile, ...]`): all files at that commit; where `from_cache`, those in the
            cache and the weights whose headers are.
        tags (`tuple[str, ...]`): Hub tags.
        license (`str`, *optional*): Hub licence identifier, lower case; the first where the card lists several.
        pipeline_tag (`str`, *optional*): task.
        library (`str`, *optional*): library name.
        card (`dict`): front matter of the README.
        gated, private (`bool`): access rules.
        downloads (`int`, *optional*): of the last month, as the Hub counts them.
        requested (`str`): the revision that was asked for, `main` by default.
        from_cache (`bool`): described by the local cache, not by the Hub.
        failure (`HubError`, *optional*): why the cache had to do though the network was not off.
    """

    id: str
    repo_type: RepoType
    sha: str
    files: tuple[RepoFile, ...]
    tags: tuple[str, ...] = ()
    license: str | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    downloads: int | None = None
    requested: str = "main"
    from_cache: bool = False
    failure: HubError | None = field(default=None, compare=False)

    def file(self, path: str) -> RepoFile | None:
        """The file at `path`, or `None`."""
        return next((file for file in self.files if file.path == path), None)

    def __contains__(self, path: object) -> bool:
        return any(file.path == path for file in self.files)

    def __str__(self) -> str:
        return f"{self.repo_type} {self.id}"


def from_answer(answer: Mapping[str, Any], repo_type: RepoType, requested: str) -> ResolvedRepo:
    """Read the JSON that the Hub's info route answers.

    Raises:
        KeyError, TypeError: it is not such an answer.
    """
    card = answer.get("cardData")
    card = dict(card) if isinstance(card, Mapping) else {}
    tags = tuple(str(tag) for tag in answer.get("tags") or ())
    files = tuple(RepoFile(str(entry["rfilename"]), entry.get("size")) for entry in answer.get("siblings") or ())
    return ResolvedRepo(
        id=str(answer["id"]),
        repo_type=repo_type,
        sha=str(answer["sha"]),
        files=files,
        tags=tags,
        license=license_of(card, tags),
        pipeline_tag=answer.get("pipeline_tag") or card.get("pipeline_tag"),
        library=answer.get("library_name") or card.get("library_name"),
        card=card,
        gated=bool(answer.get("gated")),
        private=bool(answer.get("private")),
        downloads=answer["downloads"] if isinstance(answer.get("downloads"), int) else None,
        requested=requested,
    )


def license_of(card: Mapping[str, Any], tags: tuple[str, ...] = ()) -> str | None:
    """Licence identifier in lower case: the card's, else that of a `license:` tag, else `None`."""
    stated = card.get("license")
    if isinstance(stated, list | tuple):
        stated = next(iter(stated), None)
    if not isinstance(stated, str):
        stated = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)
    return stated.strip().lower() or None if stated else None
