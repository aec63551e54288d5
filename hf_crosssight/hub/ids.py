"""Names on the Hub, checked before they reach an URL or the disk: repository ids, revisions, paths in a repository.

A path may come from a stranger's `model.safetensors.index.json`, so nothing that leaves the repository passes.
"""

from __future__ import annotations

from hf_crosssight.errors import UserError

_FORBIDDEN_IN_REVISION = frozenset(" ~^:?*[\\\x7f")


def split_revision(repo_id: str) -> tuple[str, str | None]:
    """Split `ID@REVISION`.

    Args:
        repo_id (`str`): `org/name`, `name` or either with `@REVISION` behind it.

    Returns:
        `(id, revision)`, the revision `None` where none is named.

    Raises:
        UserError: the id or the revision is not well formed.
    """
    name, at, revision = repo_id.partition("@")
    if not at:
        return check_repo_id(name), None
    if not revision:
        raise UserError(f"{repo_id!r} names no revision after the @.", "Write ID@REVISION, or the ID alone for main.")
    return check_repo_id(name), check_revision(revision)


def check_repo_id(repo_id: str) -> str:
    """Return `repo_id` if it is `name` or `org/name` in the Hub's own rules, else raise `UserError`."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        raise UserError(
            f"{repo_id!r} is not a Hub id.",
            "Hub ids read org/name: letters, digits, '-', '_' and '.', at most 96 characters.",
        ) from None
    return repo_id


def check_revision(revision: str) -> str:
    """Return `revision` if git could have a branch, tag or commit of that name, else raise `UserError`."""
    parts = revision.split("/")
    odd = any(character in _FORBIDDEN_IN_REVISION or ord(character) < 32 for character in revision)
    if odd or ".." in revision or any(not part or part.startswith(".") for part in parts):
        raise UserError(f"{revision!r} is not a revision.", "Name a branch, a tag or a commit hash.")
    return revision


def check_path(path: str) -> str:
    """Return `path` if it is a plain relative path inside a repository, else raise `UserError`."""
    parts = path.split("/")
    odd = any(ord(character) < 32 or character in "\\\x7f" for character in path)
    if odd or any(part in ("", ".", "..") for part in parts) or (len(parts[0]) > 1 and parts[0][1] == ":"):
        raise UserError(f"{path!r} is not a path inside a repository.", "Paths are relative, with / and without '..'.")
    return path
