"""Repositories of the Hub made of what this project makes: rankers, weight encoders, indexes, results, the Space.

Each `*_repository` gathers the files of one kind; `write_folder` writes them, `publish` uploads them in one commit.
"""

from __future__ import annotations

from .repository import Repository, write_folder
from .upload import Changes, Published, publish

__all__ = ["Changes", "Published", "Repository", "publish", "write_folder"]
