"""`HubClient`: repositories resolved to a commit, their files whole or by byte range, online or from the cache.

The endpoint is huggingface_hub's (`HF_ENDPOINT`), looked up at every call; files go into the normal Hugging Face
cache, pinned to the commit, so that one run never mixes two states of a repository.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hf_crosssight.errors import HubError, UserError

from .busy import patient_get
from .cache import cached_file, cached_repo, remember
from .direct import DirectConnections
from .failures import endpoint, go_online, hub_failures, not_cached, offline, persistently
from .held_files import HeldFile
from .ids import check_path, check_revision, split_revision
from .ranged_file import RangedFile
from .ranges import RangeReader
from .remote_file import RemoteFile
from .resolved import RepoFile, RepoType, ResolvedRepo, from_answer

logger = logging.getLogger(__name__)

RETRIES = 3
"""How often a download is repeated when the Hub is busy or slow."""

_REMOTE_FILES = 512
"""Files whose addresses are remembered, the latest ones."""

__all__ = ["HubClient", "RepoFile", "ResolvedRepo"]


class HubClient:
    """The project's only way to the Hub.

    Args:
        token (`str`, *optional*): access token; by default the one of `hf auth login` or HF_TOKEN. False sends none,
            whatever this machine has: what a server that works for others must do.
        offline (`bool`, *optional*, defaults to `False`): never use the network; HF_HUB_OFFLINE=1 does the same.

    Attributes:
        bytes_read (`int`): payload bytes that all ranged reads of this client have fetched.
    """

    def __init__(self, token: str | bool | None = None, offline: bool = False) -> None:
        self.token = token
        self._offline = offline
        self._lock = threading.Lock()
        self._direct = DirectConnections()
        self._remote_files: dict[str, RemoteFile] = {}
        self._asked: dict[tuple[str, str, str], str] = {}
        self.bytes_read = 0

    @property
    def offline(self) -> bool:
        """Whether the network is off, by the argument or by HF_HUB_OFFLINE."""
        from huggingface_hub import constants

        return self._offline or bool(constants.HF_HUB_OFFLINE)

    def resolve(
        self, repo_id: str, repo_type: RepoType = "model", revision: str | None = None, *, quiet: bool = False
    ) -> ResolvedRepo:
        """Look a repository up and pin it to a commit.

        Args:
            repo_id (`str`): `org/name`, an old bare name (redirects are followed), or either with `@REVISION`.
            repo_type (`str`, *optional*, defaults to `model`): `model`, `dataset` or `space`.
            revision (`str`, *optional*): branch, tag or commit; goes before one in `repo_id`.
            quiet (`bool`, *optional*, defaults to `False`): leave it to the caller to tell that the Hub failed and the
                cache had to do (`ResolvedRepo.failure`), instead of logging it.

        Raises:
            UserError: no such repository or revision, no access to it, or offline and not cached.
            HubError: the Hub fails or cannot be reached, and nothing is cached either.
        """
        name, named = split_revision(repo_id)
        wanted = check_revision(revision) if revision else named
        subject = f"{repo_type} {name}" + (f"@{wanted}" if wanted else "")
        if self.offline:
            repo = cached_repo(name, repo_type, wanted)
            if repo is None:
                raise offline(subject)
            return repo
        try:
            answer = self._info(name, repo_type, wanted, subject)
        except HubError as error:
            repo = cached_repo(name, repo_type, wanted)
            if repo is None:
                raise
            if not quiet:
                logger.warning("%s Using the cached commit %s of %s.", error.what, repo.sha[:8], repo.id)
            return replace(repo, failure=error)
        repo = self._read_answer(answer, repo_type, wanted or "main", subject)
        self._asked[repo.repo_type, repo.id, repo.sha] = name
        return repo

    def list_models(
        self,
        *,
        filters: Sequence[str] = (),
        search: str | None = None,
        sort: str | None = "downloads",
        limit: int | None = None,
    ) -> Iterator[str]:
        """Ids of the Hub's models, the first of the order first; pages are fetched as they are needed.

        Args:
            filters (`Sequence[str]`, *optional*): tags that a model must all have, e.g. `image-classification`.
            search (`str`, *optional*): part of the id.
            sort (`str`, *optional*): `downloads`, `likes`, `createdAt`, `lastModified` or `trendingScore`.
            limit (`int`, *optional*): how many.

        Raises:
            UserError: offline, or the token is not accepted.
            HubError: the Hub fails.
        """
        from huggingface_hub import HfApi

        subject = "the list of models"
        if self.offline:
            raise UserError(f"There is no {subject[4:]} without network.", f"{go_online()}.")
        api = HfApi(endpoint=endpoint(), token=self.token)
        try:
            with hub_failures(subject):
                # The type of `sort` names the orders of the version that is installed.
                found = api.list_models(filter=list(filters) or None, search=search, sort=sort, limit=limit)  # type: ignore[arg-type]
                yield from (model.id for model in found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(subject, error) from error

    def download(self, repo: ResolvedRepo, path: str) -> Path:
        """Fetch one file whole into the Hugging Face cache.

        Returns:
            `Path` of the file in the cache.

        Raises:
            UserError, HubError: as for `resolve`; a file that the repository does not have is a `UserError`.
        """
        from huggingface_hub import hf_hub_download

        check_path(path)
        held = cached_file(repo, path)
        if held is not None:
            return held
        subject = f"{path} of {repo}"
        if self.offline or repo.from_cache:
            raise not_cached(subject, repo.failure)
        with hub_failures(subject):
            fetch = partial(
                hf_hub_download,
                repo_id=repo.id,
                filename=path,
                repo_type=repo.repo_type,
                revision=repo.sha,
                endpoint=endpoint(),
                token=self.token,
            )
            file = persistently(fetch, RETRIES)
        self._remember(repo)
        return Path(file)

    def snapshot(self, repo: ResolvedRepo, patterns: Sequence[str] | str | None = None) -> Path:
        """Fetch all files, or those that match any of the glob `patterns`, into the Hugging Face cache.

        Returns:
            `Path` of the folder that holds them.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        with hub_failures(str(repo)):
            fetch = partial(
                snapshot_download,
                repo_id=repo.id,
                repo_type=repo.repo_type,
                revision=repo.sha,
                endpoint=endpoint(),
                token=self.token,
                allow_patterns=list(patterns) if patterns is not None and not isinstance(patterns, str) else patterns,
                local_files_only=self.offline or repo.from_cache,
            )
            try:
                folder = persistently(fetch, RETRIES)
            except LocalEntryNotFoundError:
                if repo.failure is None:
                    raise
                raise not_cached(str(repo), repo.failure) from None
        self._remember(repo)
        return Path(folder)

    def read_ranges(self, repo: ResolvedRepo, path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Bytes of one file, each range half-open `[start, stop)`, in the order asked for.

        A file that is in the cache at this commit is read there. Ranges are not merged: who knows the layout of the
        file asks for what belongs together in one.

        Raises:
            UserError, HubError: as for `resolve`; a range beyond the end of the file is a `UserError`.
        """
        return [bytes(piece) for piece in self.reader(repo, path).read(ranges)]

    def open(self, repo: ResolvedRepo, path: str, block_size: int = 1 << 13) -> RangedFile:
        """A seekable, read-only file object that fetches what is read, at least `block_size` bytes at once."""
        reader = self.reader(repo, path)
        held = cached_file(repo, path)
        size = held.stat().st_size if held is not None else self._size(repo, path)
        return RangedFile(lambda *span: bytes(reader.read([span])[0]), size, path, block_size)

    def reader(
        self, repo: ResolvedRepo, path: str, stopped: Callable[[], bool] = lambda: False
    ) -> RangeReader | HeldFile:
        """Reads ranges of one file, in the cache or on the Hub; takes calls from several threads.

        Args:
            stopped (`Callable`, *optional*): asked now and then; where it says so, reading ends in `CancelledError`.
        """
        held = cached_file(repo, check_path(path))
        return HeldFile(held) if held is not None else RangeReader(self._remote(repo, path), self._count, stopped)

    def _info(self, name: str, repo_type: RepoType, revision: str | None, subject: str) -> Any:
        """The info route's answer. One retry policy for all routes: huggingface_hub's own methods have none here."""
        from urllib.parse import quote

        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        url = f"{endpoint()}/api/{repo_type}s/{name}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
        headers = build_hf_headers(token=self.token)
        with hub_failures(subject), patient_get(f"{url}?blobs=true", headers, subject, look_up=True) as response:
            hf_raise_for_status(response)
        try:
            return response.json()
        except ValueError as error:
            raise HubError(
                f"{endpoint()} does not answer as a Hub for {subject}.", "Check HF_ENDPOINT and any proxy."
            ) from error

    def _read_answer(self, answer: Any, repo_type: RepoType, requested: str, subject: str) -> ResolvedRepo:
        try:
            return from_answer(answer, repo_type, requested)
        except (KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(subject, error) from error

    def _unreadable(self, subject: str, error: Exception) -> HubError:
        what = f"The Hub's answer for {subject} cannot be read ({error!r:.200})."
        return HubError(what, "Check HF_ENDPOINT and any proxy.")

    def _remote(self, repo: ResolvedRepo, path: str) -> RemoteFile:
        """The file on the Hub; the same object as long as it is in use, since it knows where the bytes are."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers

        subject = f"{path} of {repo}"
        if self.offline or repo.from_cache:
            raise not_cached(subject, repo.failure)
        url = hf_hub_url(repo.id, path, repo_type=repo.repo_type, revision=repo.sha, endpoint=endpoint())
        with self._lock:
            known = self._remote_files.pop(url, None)
            if known is None:
                listed = repo.file(path)
                size = listed.size if listed is not None else None
                known = RemoteFile(url, build_hf_headers(token=self.token), subject, repo.sha, size, self._direct)
            self._remote_files[url] = known
            while len(self._remote_files) > _REMOTE_FILES:
                self._remote_files.pop(next(iter(self._remote_files)))
        return known

    def _size(self, repo: ResolvedRepo, path: str) -> int:
        """Bytes of a file: from the listing, else asked for."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        file = repo.file(path)
        if file is not None and file.size is not None:
            return file.size
        url = hf_hub_url(repo.id, path, repo_type=repo.repo_type, revision=repo.sha, endpoint=endpoint())
        with hub_failures(f"{path} of {repo}"):
            size = get_hf_file_metadata(url, token=self.token, endpoint=endpoint()).size
        if size is None:
            raise HubError(f"The Hub does not tell the size of {path} of {repo}.", "A proxy may be at fault.")
        return size

    def _count(self, number: int) -> None:
        with self._lock:
            self.bytes_read += number

    def _remember(self, repo: ResolvedRepo) -> None:
        remember(self._asked.get((repo.repo_type, repo.id, repo.sha), repo.id), repo)
