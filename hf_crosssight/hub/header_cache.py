"""Safetensors headers that were read once: a model that was ranked online is ranked offline, without its weights.

One small JSON file for each weight file and commit: `headers/models--org--name/<commit>/<path>.json` in this project's
folder. One that cannot be read is as good as none.
"""

from __future__ import annotations

import json
from pathlib import Path

from .places import crosssight_folder, folder_name, write_text
from .resolved import RepoFile, RepoType, ResolvedRepo
from .tensor_info import TensorInfo


def keep_header(repo: ResolvedRepo, path: str, tensors: list[TensorInfo]) -> None:
    """Keep the checked header of `path`; a disk that is full or read-only is no error."""
    file = repo.file(path)
    rows = [[tensor.name, tensor.dtype, tensor.shape, tensor.start, tensor.stop] for tensor in tensors]
    content = json.dumps({"size": file.size if file else None, "tensors": rows})
    try:
        write_text(_folder(repo.id, repo.repo_type, repo.sha) / f"{path}.json", content)
    except OSError:
        return


def kept_header(repo: ResolvedRepo, path: str) -> list[TensorInfo] | None:
    """The tensors of `path` at this commit, if they were kept."""
    try:
        rows = json.loads((_folder(repo.id, repo.repo_type, repo.sha) / f"{path}.json").read_bytes())["tensors"]
        return [TensorInfo(name, dtype, tuple(shape), path, start, stop) for name, dtype, shape, start, stop in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def kept_files(repo_id: str, repo_type: RepoType, sha: str) -> list[RepoFile]:
    """The weight files of a commit whose headers are kept."""
    folder = _folder(repo_id, repo_type, sha)
    files = []
    for place in sorted(folder.rglob("*.json")):
        try:
            size = json.loads(place.read_bytes())["size"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        files.append(RepoFile(place.relative_to(folder).as_posix().removesuffix(".json"), size))
    return files


def _folder(repo_id: str, repo_type: RepoType, sha: str) -> Path:
    return crosssight_folder() / "headers" / folder_name(repo_id, repo_type) / sha
