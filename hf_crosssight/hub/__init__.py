"""The one door to the Hugging Face Hub: ids and revisions, files, byte ranges, safetensors headers."""

from __future__ import annotations

from .client import HubClient
from .ids import check_path, check_repo_id, check_revision, split_revision
from .ranged_file import RangedFile
from .resolved import RepoFile, ResolvedRepo

__all__ = [
    "HubClient",
    "RangedFile",
    "RepoFile",
    "ResolvedRepo",
    "check_path",
    "check_repo_id",
    "check_revision",
    "split_revision",
]
