"""What can be chosen in a Hub dataset, for pickers that fill themselves: its configurations, splits and columns.

Read from the listing, the card and at most one Parquet footer; no image is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError
from .columns import Column, columns_of_card, pick_columns
from .folder import find_images
from .hub_dataset import hub_tree
from .layout import Layout, config_names, find_layout
from .parquet import parquet_columns
from .tree import FileTree, card_of, shard_of

if TYPE_CHECKING:
    from ..hub import HubClient

_LABEL_KINDS = ("class", "int", "bool", "string")


@dataclass(frozen=True)
class DatasetChoices:
    """What a dataset offers, and what is taken where nothing is chosen.

    Attributes:
        id (`str`): canonical Hub id.
        configs, splits, image_columns, label_columns (`tuple[str, ...]`): what there is; empty where it is not known
            without reading the data.
        config, split, image_column, label_column (`str`, *optional*): what is taken by default.
        problem (`UserError`, *optional*): why nothing is taken by default: several candidates, or another task.
    """

    id: str
    configs: tuple[str, ...] = ()
    config: str | None = None
    splits: tuple[str, ...] = ()
    split: str | None = None
    image_columns: tuple[str, ...] = ()
    image_column: str | None = None
    label_columns: tuple[str, ...] = ()
    label_column: str | None = None
    problem: UserError | None = None


def hub_choices(name: str, client: HubClient, config: str | None = None) -> DatasetChoices:
    """What the Hub dataset `name` offers (`ID@REVISION` works), in its configuration `config`.

    Raises:
        `UserError`: no such dataset, no access to it, or no such configuration.
        `HubError`: the Hub or the network fails.
    """
    tree = hub_tree(client.resolve(name, "dataset", quiet=True), client, keep=False)
    facts, _ = card_of(tree)
    configs = tuple(config_names(tree.sizes, facts))
    try:
        layout = find_layout(tree.sizes, facts, config, None, tree.id)
    except UserError as error:  # several configurations, and none of them is the default
        if config is not None:
            raise
        return DatasetChoices(tree.id, configs, problem=error)
    if layout is None:
        return DatasetChoices(tree.id, configs)
    return _with_columns(tree, layout, configs)


def _with_columns(tree: FileTree, layout: Layout, configs: tuple[str, ...]) -> DatasetChoices:
    columns = _columns(tree, layout)
    image = label = problem = None
    try:
        picked = pick_columns(columns, None, None) if columns else None
        if picked is not None:
            image, label = picked.image.name, picked.label.name if picked.label else None
    except UserError as error:
        problem = error
    return DatasetChoices(
        tree.id,
        configs,
        layout.config,
        layout.splits,
        layout.split,
        tuple(column.name for column in columns if column.kind in ("image", "binary")),
        image,
        tuple(column.name for column in columns if column.kind in _LABEL_KINDS),
        label,
        problem,
    )


def _columns(tree: FileTree, layout: Layout) -> list[Column]:
    if layout.files[0].endswith(".parquet"):
        return parquet_columns(shard_of(tree, layout.files[0]), layout.features)
    if find_images(layout.files, (), None, tree.id) is not None:
        return [Column("image", "image"), Column("label", "class")]
    return columns_of_card(layout.features)
