"""`publish`: a repository to the Hub in one commit, none where nothing would change, or only what would be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub.failures import LOGIN, endpoint, hub_failures
from hf_crosssight.hub.ids import check_repo_id
from hf_crosssight.publishing.repository import Repository, same_as, size_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.hf_api import RepoSibling

Progress = Callable[[str, int, int | None], None]

_CHANGED_MEANWHILE = (409, 412)


@dataclass(frozen=True)
class Changes:
    """What a commit does to a repository, by paths; `bytes` is what has to be sent at most."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    bytes: int

    @property
    def sent(self) -> tuple[str, ...]:
        return (*self.added, *self.changed)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True)
class Published:
    """Where a repository stands.

    Attributes:
        id (`str`), kind (`str`), url (`str`): of the repository.
        revision (`str`, *optional*): its commit; `None` where there is no repository (a dry run).
        created (`bool`): whether it was made, or would be.
        committed (`bool`): whether a commit was made.
        changes (`Changes`): what was done, or would be.
    """

    id: str
    kind: str
    url: str
    revision: str | None
    created: bool
    committed: bool
    changes: Changes


def publish(
    repository: Repository,
    repo_id: str,
    *,
    message: str,
    private: bool = False,
    token: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Published:
    """Brings a repository of the Hub to what `repository` holds.

    Args:
        repository (`Repository`): the files.
        repo_id (`str`): `org/name`; made if there is none.
        message (`str`): of the commit.
        private (`bool`): whether a repository that is made here is private.
        token (`str`, *optional*): with the right to write; by default that of `hf auth login` or HF_TOKEN.
        dry_run (`bool`): only look.
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        UserError: no such id can be, or no right to write. HubError: the Hub or the network fails, or somebody else
        committed meanwhile.
    """
    from huggingface_hub import HfApi, get_token

    if check_repo_id(repo_id).count("/") != 1:
        raise UserError(f"{repo_id!r} names no owner", "Write --to OWNER/NAME: a user or an organisation first.")
    if not dry_run and not (token or get_token()):
        raise UserError(f"nobody is logged in, so {repo_id} cannot be written", f"{LOGIN}.")
    api = HfApi(endpoint=endpoint(), token=token)
    told = f"{repository.kind} {repo_id}"
    url = f"{endpoint()}/{'' if repository.kind == 'model' else repository.kind + 's/'}{repo_id}"
    with hub_failures(told):
        revision, there = _held(api, repo_id, repository.kind)
        created = revision is None
        changes = compare(repository, there)
        if dry_run:
            return Published(repo_id, repository.kind, url, revision, created, False, changes)
        if created:
            api.create_repo(  # not private: as the owner's settings have it
                repo_id, repo_type=repository.kind, private=private or None, exist_ok=True, space_sdk=repository.sdk
            )
            revision, there = _held(api, repo_id, repository.kind)
            changes = compare(repository, there)
        if not changes:
            return Published(repo_id, repository.kind, url, revision, created, False, changes)
        if progress is not None:
            progress(f"uploading {len(changes.sent)} files ({changes.bytes / 1e6:.1f} MB) to {repo_id}", 0, None)
        made = _commit(api, repo_id, repository, changes, message, revision)
    return Published(repo_id, repository.kind, url, made, created, True, changes)


def compare(repository: Repository, there: list[RepoSibling]) -> Changes:
    """What a commit would do to a repository that holds the files `there`."""
    held = {file.rfilename: file for file in there}
    same = {
        name
        for name, content in repository.files.items()
        if (file := held.get(name)) is not None
        and same_as(content, file.size, file.blob_id, file.lfs.sha256 if file.lfs else None)
    }
    added = tuple(sorted(name for name in repository.files if name not in held))
    changed = tuple(sorted(name for name in repository.files if name in held and name not in same))
    removed = tuple(sorted(name for name in held if repository.is_stale(name)))
    sent = sum(size_of(repository.files[name]) for name in (*added, *changed))
    return Changes(added, changed, removed, tuple(sorted(same)), sent)


def _held(api: HfApi, repo_id: str, kind: str) -> tuple[str | None, list[RepoSibling]]:
    """Commit and files of a repository; `None` and none if there is none that this user may see."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info: Any = api.repo_info(repo_id, repo_type=kind, files_metadata=True)
    except RepositoryNotFoundError:
        return None, []
    return info.sha, list(info.siblings or [])


def _commit(
    api: HfApi, repo_id: str, repository: Repository, changes: Changes, message: str, parent: str | None
) -> str:
    """Everything in one commit on top of the one that was compared with."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationDelete(path_in_repo=name) for name in changes.removed),
        *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=repository.files[name]) for name in changes.sent),
    ]
    try:
        commit = api.create_commit(
            repo_id, operations, commit_message=message, repo_type=repository.kind, parent_commit=parent
        )
    except HfHubHTTPError as error:
        if error.response.status_code not in _CHANGED_MEANWHILE:
            raise
        raise HubError(f"{repo_id} was changed by somebody else meanwhile", "Run the command again.") from error
    return commit.oid
