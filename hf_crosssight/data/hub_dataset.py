"""A dataset on the Hub: its name resolved to a commit, its sample read by byte ranges or found where it was kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError
from . import sample_cache
from .request import Progress, SampleRequest
from .sample import DatasetSample
from .tree import FileTree, tree_sample

if TYPE_CHECKING:
    from ..hub import HubClient, ResolvedRepo


def hub_sample(
    name: str, revision: str | None, request: SampleRequest, client: HubClient, progress: Progress | None = None
) -> DatasetSample:
    """The sample of a Hub dataset by its id, an old bare name, or either with `@REVISION`.

    Raises:
        `UserError`: unknown, gated or unreadable, or offline and never read before.
        `HubError`: the Hub or the network fails.
    """
    kept = sample_cache.sample_path(name, revision, request)
    if client.offline:
        sample = sample_cache.load(kept)
        if sample is not None:
            return sample
    repo = client.resolve(name, "dataset", revision=revision)
    sample = sample_cache.load(kept, None if repo.from_cache else repo.sha)
    if sample is not None:
        return sample
    if repo.from_cache and not _has_data(repo):
        raise UserError(
            f"dataset {name} was never sampled in this way, and the network is off",
            "Run once without --offline with the same options; the sample is then kept.",
        )
    sample = tree_sample(hub_tree(repo, client), request, progress)
    if repo.from_cache:  # files may be missing there, so this is not what a run with network would give
        note = f"offline: only the files of {repo.id} that are in the cache were looked at"
        return replace(sample, warnings=(*sample.warnings, note))
    sample_cache.store(kept, sample)
    return sample


def _has_data(repo: ResolvedRepo) -> bool:
    return any(not file.path.endswith((".md", ".gitattributes")) for file in repo.files)


def hub_tree(repo: ResolvedRepo, client: HubClient) -> FileTree:
    """A repository's files at its commit; the README goes through the cache, all else is read by ranges."""

    def read_ranges(path: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        if path == "README.md":
            content = client.download(repo, path).read_bytes()
            return [content[start:stop] for start, stop in ranges]
        return client.read_ranges(repo, path, ranges)

    def size_of(path: str) -> int:
        with client.open(repo, path) as file:
            return file.size

    return FileTree(
        repo.id,
        repo.sha,
        {file.path: file.size for file in repo.files},
        read_ranges,
        size_of,
        stream={} if repo.from_cache else {"path": repo.id, "revision": repo.sha, "token": client.token},
    )
