"""`push_zoo`: an index as a dataset repository of the Hub, with a card, in one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hub.failures import endpoint, hub_failures
from hf_crosssight.hub.ids import check_repo_id
from hf_crosssight.zoo.describe import describe
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import DESCRIPTION, SKIPPED

CARD = "README.md"
_TEMPLATE = "zoo_index.md"
_NAMED = 12
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Pushed:
    """Where an index went: repository, commit, its address, and how much was sent."""

    repo_id: str
    revision: str
    url: str
    files: int
    bytes: int


def push_zoo(
    index: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    message: str = "A zoo index",
    progress: Progress | None = None,
) -> Pushed:
    """Uploads an index folder; the repository is made if there is none, and holds nothing but this index afterwards.

    Args:
        index: folder of the index.
        repo_id (`str`): `org/name` of a dataset repository.
        private (`bool`): whether a repository that is made here is private.
        token (`str`, *optional*): with the right to write; by default that of `hf auth login` or HF_TOKEN.

    Raises:
        UserError: there is no such index, or no right to write. HubError: the Hub or the network fails.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    check_repo_id(repo_id)
    root = Path(index)
    zoo = ZooIndex.open(root)
    assert zoo.description is not None
    card = zoo_card(zoo, root, repo_id)
    names = [name for name in (*sorted(zoo.description.files()), SKIPPED, DESCRIPTION) if (root / name).is_file()]
    files: dict[str, Any] = {name: root / name for name in names} | {CARD: card.encode()}
    if progress is not None:
        progress(f"uploading {len(files)} files to {repo_id}", 0, None)
    api = HfApi(endpoint=endpoint(), token=token)
    with hub_failures(f"dataset {repo_id}"):
        made = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        there = set(api.list_repo_files(made.repo_id, repo_type="dataset"))
        stale = [name for name in there - set(files) if _is_ours(name)]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationDelete(path_in_repo=name) for name in sorted(stale)),
            *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()),
        ]
        commit = api.create_commit(made.repo_id, iter(operations), commit_message=message, repo_type="dataset")
    sent = sum((root / name).stat().st_size for name in names) + len(card.encode())
    url = f"{endpoint()}/datasets/{made.repo_id}"
    return Pushed(made.repo_id, commit.oid, url, len(files), sent)


def zoo_card(zoo: ZooIndex, folder: Path, repo_id: str) -> str:
    """The README of an index: what it is, counts, licences, sources, and how to load it."""
    from jinja2 import Environment, StrictUndefined

    said = describe(zoo, folder)
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(
        _template().read_text(encoding="utf-8")
    )
    skipped = len(said["skipped"])
    text: str = template.render(
        name=repo_id.rpartition("/")[2],
        repo_id=repo_id,
        num_models=said["num_models"],
        size_category=next((name for most, name in _SIZES if said["num_models"] < most), "n>1M"),
        views=[{"name": name, **view} for name, view in said["views"].items()],
        byte_budget=said["byte_budget"],
        encoders={name: _cell(encoder) for name, encoder in said["encoders"].items()},
        families=_named(said["families"]),
        libraries=_named(said["libraries"]),
        licenses=[(_cell(name), count) for name, count in said["licenses"].items()],
        sources=[{key: _cell(value) for key, value in source.items()} for source in said["sources"]],
        skipped=f"{skipped} more models could not be used; `{SKIPPED}` says why." if skipped else "",
    )
    return text


def _named(counts: dict[str, int]) -> str:
    """`resnet 12, vit 8 and 3 more`."""
    told = ", ".join(f"{_cell(name)} {count}" for name, count in list(counts.items())[:_NAMED])
    return f"{told} and {len(counts) - _NAMED} more" if len(counts) > _NAMED else told


def _cell(text: str) -> str:
    """Words of a stranger's card in a table: no new column, no new line, no markup."""
    kept = "".join(character if character.isprintable() else " " for character in str(text))
    return kept.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")[:200]


def _is_ours(name: str) -> bool:
    """A file of an earlier index: shards alone, at the top; what people put beside it stays."""
    return "/" not in name and name.endswith((".parquet", ".safetensors"))


def _template() -> Path:
    """The card's template: in the package once it is installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "model_card_templates", package.parent / "model_card_templates"):
        if (folder / _TEMPLATE).is_file():
            return folder / _TEMPLATE
    raise UserError(f"The template {_TEMPLATE} is missing.", "Install hf_crosssight again.")
