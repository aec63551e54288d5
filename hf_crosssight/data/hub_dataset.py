"""A dataset on the Hub: its name resolved to a commit, its sample read by byte ranges or found where it was kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import CrossSightError, HubError, UserError
from . import sample_cache
from .request import Progress, SampleRequest
from .sample import DatasetSample
from .tree import FileTree, tree_sample

if TYPE_CHECKING:
    from ..hub import HubClient, ResolvedRepo


def hub_sample(
    name: str,
    revision: str | None,
    request: SampleRequest,
    client: HubClient,
    progress: Progress | None = None,
    *,
    keep: bool = True,
) -> DatasetSample:
    """The sample of a Hub dataset by its id, an old bare name, or either with `@REVISION`.

    Args:
        keep: whether the sample and the card are kept on disk and taken from there. Where several users share the
            disk they must not be: what one of them may read would be there for all.

    Raises:
        `UserError`: unknown, gated or unreadable, or offline and never read before.
        `HubError`: the Hub or the network fails.
    """
    if not keep:
        return _fresh_sample(client.resolve(name, "dataset", revision=revision, quiet=True), request, client, progress)
    kept = sample_cache.sample_path(name, revision, request)
    if client.offline:
        sample = sample_cache.load(kept)
        if sample is not None:
            return sample
    try:
        repo = client.resolve(name, "dataset", revision=revision, quiet=True)
    except HubError as error:  # not even its card is cached
        sample = sample_cache.load(kept)
        if sample is None:
            raise
        return _kept_instead(sample, error)
    sample = sample_cache.load(kept, None if repo.from_cache else repo.sha)
    if sample is not None:
        return _kept_instead(sample, repo.failure) if repo.failure else sample
    if repo.from_cache and not _has_data(repo):
        raise _never_sampled(name, repo.failure)
    sample = tree_sample(hub_tree(repo, client), request, progress)
    if repo.from_cache:  # files may be missing there, so this is not what a run with network would give
        why = repo.failure.what.rstrip(".") if repo.failure else "offline"
        return _noted(sample, f"{why}: only the files of {repo.id} that are in the cache were looked at")
    sample_cache.store(kept, sample)
    return sample


def _fresh_sample(
    repo: ResolvedRepo, request: SampleRequest, client: HubClient, progress: Progress | None
) -> DatasetSample:
    """A sample that owes nothing to the cache."""
    if repo.from_cache:
        raise repo.failure or _never_sampled(repo.id, None)
    return tree_sample(hub_tree(repo, client, keep=False), request, progress)


def _kept_instead(sample: DatasetSample, failure: HubError) -> DatasetSample:
    """The sample of an earlier run, which stands in for one of a Hub that fails."""
    commit = f" of commit {sample.revision[:8]}" if sample.revision else ""
    return _noted(sample, f"{failure.what.rstrip('.')}: the sample{commit} kept by an earlier run was used")


def _noted(sample: DatasetSample, note: str) -> DatasetSample:
    return replace(sample, warnings=(*sample.warnings, note))


def _never_sampled(name: str, failure: HubError | None) -> CrossSightError:
    """The error of a dataset of which nothing but its card is cached."""
    from ..hub.failures import go_online, reach_again

    if failure is not None:
        return HubError(f"{failure.what.rstrip('.')}, and {name} was never sampled in this way.", reach_again())
    return UserError(
        f"dataset {name} was never sampled in this way, and this run is offline",
        f"{go_online()} and with the same options; the sample is then kept.",
    )


def _has_data(repo: ResolvedRepo) -> bool:
    return any(not file.path.endswith((".md", ".gitattributes")) for file in repo.files)


def hub_tree(repo: ResolvedRepo, client: HubClient, *, keep: bool = True) -> FileTree:
    """A repository's files at its commit; the README goes through the cache if it may, all else is read by ranges."""
    from ..hub.failures import not_cached

    def read_ranges(path: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        if path == "README.md" and keep:
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
        stream={"path": repo.id, "revision": repo.sha, "token": client.token},
        no_stream=not_cached(f"the data of {repo}", repo.failure) if repo.from_cache else None,
    )
