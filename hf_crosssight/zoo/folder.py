"""A zoo from a folder of model repositories: sub-folders `name/` or `org/name/` with config.json and safetensors.

Only configs, cards and tensor headers are read. A repository that cannot be used is skipped with its reason. Links
that leave the folder are not followed: a zoo folder may come from a stranger.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hf_crosssight.errors import CrossSightError, UserError
from hf_crosssight.hub.weight_files import folder_tensors
from hf_crosssight.tokens.card_reading import read_card
from hf_crosssight.tokens.tensor_kinds import Tensor
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.model_facts import ModelFacts, facts_from_repo, index_of
from hf_crosssight.zoo.repo_files import (
    CONFIG,
    IMAGE_PROCESSOR,
    LARGEST_TEXT,
    README,
    UnreadableRepoError,
    check_files,
    looks_like_repo,
    parse_config,
    parse_optional,
)
from hf_crosssight.zoo.stages import FOLDER as STAGES

Progress = Callable[[str, int, int | None], None]

_NAMED_REASONS = 5


def read_folder(folder: str | Path, *, progress: Progress | None = None) -> ZooIndex:
    """The models of a folder, by id; those left out stand in `ZooIndex.skipped`.

    Raises:
        UserError: the folder holds no model that can be used; the message names the reasons.
    """
    root = Path(folder)
    repos = list(model_folders(root))
    models: list[ModelFacts] = []
    skipped: list[tuple[str, str]] = []
    for done, (model_id, path) in enumerate(repos):
        if progress is not None:
            progress("reading models", done, len(repos))
        try:
            check_folder(root, path)
            models.append(folder_facts(model_id, path, folder_tensors(path)))
        except (UnreadableRepoError, CrossSightError, OSError) as error:
            skipped.append((model_id, _reason(error)))
    if progress is not None:
        progress("reading models", len(repos), len(repos))
    if not models:
        raise nothing_usable(root, skipped)
    return index_of(models, id=str(folder), skipped=tuple(skipped))


def model_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """(id, folder) of every model repository one or two levels down, by name."""
    for path in _subfolders(root):
        if looks_like_repo(_names(path)):
            yield path.name, path
            continue
        for inner in _subfolders(path):
            if looks_like_repo(_names(inner)):
                yield f"{path.name}/{inner.name}", inner


def _subfolders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []


def _names(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def check_folder(root: Path, path: Path) -> None:
    """Raises `UnreadableRepoError` unless a model's folder holds what is needed, and nothing from outside `root`."""
    names = _names(path)
    for entry in (path, *(path / name for name in names)):
        if not entry.resolve().is_relative_to(root.resolve()):
            raise UnreadableRepoError(f"{entry.name} is a link that leaves the folder")
    check_files(names)


def folder_facts(
    model_id: str, path: Path, tensors: Sequence[Tensor], *, revision: str | None = None, params: int | None = None
) -> ModelFacts:
    """What the small files of a model's folder and its tensors tell.

    Raises:
        UnreadableRepoError: its config.json cannot be read.
    """
    config = parse_config(small_file(path / CONFIG))
    readme = (small_file(path / README) or b"").decode("utf-8", "replace")
    return facts_from_repo(
        model_id,
        config,
        read_card(readme, config, model_id),
        tensors,
        revision=revision,
        image_processor=parse_optional(small_file(path / IMAGE_PROCESSOR)),
        source="folder",
        params=params,
    )


def small_file(path: Path) -> bytes | None:
    """A small file's bytes; `None` where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        content = file.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise UnreadableRepoError(f"its {path.name} is larger than {LARGEST_TEXT >> 20} MB")
    return content


def _reason(error: Exception) -> str:
    return error.what if isinstance(error, CrossSightError) else str(error)


def nothing_usable(root: Path, skipped: Sequence[tuple[str, str]]) -> UserError:
    """The error of a folder of which no model can be used: what it is, or why not."""
    wanted = "A zoo folder has sub-folders name/ or org/name/ with config.json and *.safetensors."
    if not root.is_dir():
        return UserError(f"There is no folder {root}.", "Name a zoo folder, an index folder, a Hub id or `starter`.")
    if "index.json" in _names(root):
        return UserError(f"{root} is a zoo index, not a folder of models.", wanted)
    if STAGES in _names(root):
        return UserError(f"{root} is an index whose build was interrupted.", "Run the same `zoo build` again.")
    if looks_like_repo(_names(root)):
        return UserError(f"{root} is a model repository, not a folder of them.", wanted)
    if not skipped:
        return UserError(f"{root} holds no model repository.", wanted)
    named = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in skipped[:_NAMED_REASONS])
    more = f"; and {len(skipped) - _NAMED_REASONS} more" if len(skipped) > _NAMED_REASONS else ""
    return UserError(
        f"No model of {root} can be used. {named}{more}.",
        "A model needs a config.json that can be read and whole safetensors weights; pickled ones are never loaded.",
    )
