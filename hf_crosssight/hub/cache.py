"""What the local Hugging Face cache knows of a repository, for runs without network.

Its layout is documented by huggingface_hub: `<type>s--<org>--<name>/{refs/<revision>, snapshots/<commit>/...}`. Ours
to add is which bare name stands for which repository (`cifar10`), one small file per name, so that an old name
that worked online works offline as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .header_cache import kept_files
from .places import crosssight_folder, folder_name, read_text, repo_folder, write_text
from .resolved import RepoFile, RepoType, ResolvedRepo, license_of

_COMMIT = re.compile(r"[0-9a-f]{40}")


def cached_repo(repo_id: str, repo_type: RepoType, revision: str | None) -> ResolvedRepo | None:
    """The repository as far as it is cached, or `None`.

    Args:
        repo_id (`str`): as the user wrote it; a bare name that was once redirected is followed.
        revision (`str`, *optional*): branch, tag or commit; `main` by default.
    """
    canonical = read_text(_alias_file(repo_id, repo_type)) or repo_id
    folder = repo_folder(canonical, repo_type)
    requested = revision or "main"
    sha = read_text(folder / "refs" / requested)
    if sha is None and _COMMIT.fullmatch(requested):
        sha = requested
    snapshot = folder / "snapshots" / sha if sha else None
    if snapshot is None or not snapshot.is_dir():
        return None
    card = read_front_matter(snapshot / "README.md")
    held = _files_of(snapshot)
    paths = {file.path for file in held}
    return ResolvedRepo(
        id=canonical,
        repo_type=repo_type,
        sha=snapshot.name,
        files=(*held, *(file for file in kept_files(canonical, repo_type, snapshot.name) if file.path not in paths)),
        tags=tuple(str(tag) for tag in card.get("tags") or ()),
        license=license_of(card),
        pipeline_tag=card.get("pipeline_tag"),
        library=card.get("library_name"),
        card=card,
        requested=requested,
        from_cache=True,
    )


def cached_file(repo: ResolvedRepo, path: str) -> Path | None:
    """Where `path` of this commit lies in the cache, or `None`."""
    file = repo_folder(repo.id, repo.repo_type) / "snapshots" / repo.sha / path
    return file if file.is_file() else None


def remember(asked: str, repo: ResolvedRepo) -> None:
    """Note the commit behind a branch or tag and the repository behind a bare name; a read-only cache is no error."""
    try:
        if repo.requested != repo.sha:
            write_text(repo_folder(repo.id, repo.repo_type) / "refs" / repo.requested, repo.sha)
        if asked != repo.id:
            write_text(_alias_file(asked, repo.repo_type), repo.id)
    except OSError:
        return


def read_front_matter(readme: Path) -> dict[str, Any]:
    """The YAML between the two `---` lines at the top of a README, `{}` if there is none that can be read."""
    import yaml

    try:
        text = readme.read_text(encoding="utf-8", errors="replace")
        found = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, flags=re.DOTALL)
        card = yaml.safe_load(found.group(1)) if found else None
    except (OSError, yaml.YAMLError):
        return {}
    return card if isinstance(card, dict) else {}


def _alias_file(repo_id: str, repo_type: RepoType) -> Path:
    return crosssight_folder() / "canonical_ids" / folder_name(repo_id, repo_type)


def _files_of(snapshot: Path) -> list[RepoFile]:
    paths = sorted(path for path in snapshot.rglob("*") if path.is_file())
    return [RepoFile(path.relative_to(snapshot).as_posix(), path.stat().st_size) for path in paths]
