"""A zoo index as a dataset repository of the Hub, with a card; `zoo push` publishes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_crosssight.hub.card_templates import CARD, TASK_TAG, dataset_card, plain, size_category
from hf_crosssight.publishing.repository import Repository, files_of
from hf_crosssight.zoo.describe import describe
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import DESCRIPTION, SKIPPED

_TEMPLATE = "zoo_index.md"
_NAMED = 12
_SHARDS = ("records-*.parquet", "*.safetensors", SKIPPED)


def zoo_repository(index: str | Path, repo_id: str) -> Repository:
    """The files of an index folder and its card.

    Raises:
        UserError: there is no such index, or it cannot be read.
    """
    root = Path(index)
    zoo = ZooIndex.open(root)
    assert zoo.description is not None
    card = zoo_card(zoo, root, repo_id)
    files = files_of(root, [*sorted(zoo.description.files()), SKIPPED, DESCRIPTION])
    return Repository("dataset", files | {CARD: card.encode()}, _SHARDS)


def zoo_card(zoo: ZooIndex, folder: Path, repo_id: str) -> str:
    """The README of an index: what it is, counts, licences, sources, and how to load it."""
    from huggingface_hub import DatasetCardData

    said = describe(zoo, folder)
    name = repo_id.rpartition("/")[2]
    data = DatasetCardData(
        pretty_name=name,
        license="other",
        license_name="per-model",
        license_link=f"https://huggingface.co/datasets/{repo_id}#licences",
        tags=["crosssight", "zoo-index", TASK_TAG, "transfer-learning"],
        size_categories=[size_category(said["num_models"])],
        configs=[{"config_name": "default", "data_files": "records-*.parquet"}],
    )
    return dataset_card(_TEMPLATE, data, {"name": name, "repo_id": repo_id} | _counted(said))


def _counted(said: dict[str, Any]) -> dict[str, Any]:
    """What the template tells of an index, every word of a stranger made plain."""
    skipped = len(said["skipped"])
    return {
        "num_models": said["num_models"],
        "views": [{"name": name, **view} for name, view in said["views"].items()],
        "byte_budget": said["byte_budget"],
        "encoders": {name: plain(encoder) for name, encoder in said["encoders"].items()},
        "families": _named(said["families"]),
        "libraries": _named(said["libraries"]),
        "params": said["params"],
        "licenses": [(plain(name), count) for name, count in said["licenses"].items()],
        "sources": [{key: plain(value) for key, value in source.items()} for source in said["sources"]],
        "skipped": f"{skipped} more models could not be used; `{SKIPPED}` says why." if skipped else "",
    }


def _named(counts: dict[str, int]) -> str:
    """`resnet 12, vit 8 and 3 more`."""
    told = ", ".join(f"{plain(name)} {count}" for name, count in list(counts.items())[:_NAMED])
    return f"{told} and {len(counts) - _NAMED} more" if len(counts) > _NAMED else told
