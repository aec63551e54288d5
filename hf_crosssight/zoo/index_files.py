"""An index on disk: `index.json` and, shard by shard, one Parquet file of records and one safetensors file per view.

Files are named by their content and `index.json` is replaced last, so a reader sees the old index or the new one,
never a mixture. Shards are appended and never rewritten; a model that stands in two shards counts as the later says.
Derived views depend on the other models of the zoo: they are one file for the whole index, and are written anew when
it grows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hf_crosssight.errors import UserError
from hf_crosssight.hub.places import atomic_file
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo.lazy_views import LazyViews, stacked
from hf_crosssight.zoo.record_table import SCHEMA
from hf_crosssight.zoo.view_files import read_view, view_bytes

FORMAT = "crosssight-zoo/1"
DESCRIPTION = "index.json"
DERIVED = ("lineage",)
"""Views that are made from all models of an index together."""

SKIPPED = "skipped.json"


@dataclass(frozen=True)
class Description:
    """What index.json says.

    Attributes:
        num_models (`int`): models, each counted once.
        specs (`dict[str, str]`): view name → version of its specification.
        shards (`tuple[dict, ...]`): `models`, `records` and `views` (name → file) of each.
        encoders (`dict[str, str]`): view name → id of the network that computed it.
        byte_budget (`int`, *optional*): bytes that were read of each model's weights.
        sources (`tuple[dict, ...]`): where the facts come from: name, license, url, what.
        derived (`dict[str, str]`): derived view → file.
    """

    num_models: int
    specs: dict[str, str]
    shards: tuple[dict[str, Any], ...]
    encoders: dict[str, str] = field(default_factory=dict)
    byte_budget: int | None = None
    sources: tuple[dict[str, str], ...] = ()
    derived: dict[str, str] = field(default_factory=dict)

    @property
    def outdated(self) -> dict[str, str]:
        """Views that this release makes to another specification, or does not know, with that of the index."""
        return {name: spec for name, spec in self.specs.items() if name not in VIEWS or VIEWS[name].spec != spec}

    def files(self) -> set[str]:
        """Every file that belongs to the index, index.json aside."""
        shards = {name for shard in self.shards for name in (shard["records"], *shard["views"].values())}
        return shards | set(self.derived.values())


def read_description(folder: str | Path) -> Description:
    """What the index.json of a folder says.

    Raises:
        UserError: it is none, or one that this release cannot read.
    """
    root = Path(folder)
    try:
        said = json.loads((root / DESCRIPTION).read_text())
        if said["format"] != FORMAT:
            what = f"The zoo index {root} holds index as {said['format']}, this release reads {FORMAT}."
            raise UserError(what, "Build the index again with this release.")
        found = Description(
            num_models=int(said["num_models"]),
            specs={str(name): str(spec) for name, spec in said["specs"].items()},
            shards=tuple(
                {"models": s["models"], "views": s["views"], "records": s["records"]} for s in said["shards"]
            ),
            encoders=dict(said.get("encoders", {})),
            byte_budget=said.get("byte_budget"),
            sources=tuple(said.get("sources", ())),
            derived=dict(said.get("derived", {})),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{root} is not a zoo index.", "An index is a folder with an index.json.") from error
    if not found.shards:
        raise UserError(f"The zoo index {root} is incomplete.", "Build or download it again.")
    return found


def write_description(folder: Path, description: Description) -> None:
    """Replaces index.json: from here on readers see the new index."""
    said: dict[str, Any] = {
        "format": FORMAT,
        "num_models": description.num_models,
        "specs": description.specs,
    }
    optional = {
        "encoders": description.encoders,
        "byte_budget": description.byte_budget,
        "derived": description.derived,
    }
    said |= {name: value for name, value in optional.items() if value}
    said |= {"sources": list(description.sources), "shards": list(description.shards)}
    _replace(folder / DESCRIPTION, json.dumps(said, indent=1).encode() + b"\n")


@dataclass(frozen=True)
class OpenedIndex:
    """The content of an index folder: one row a model, views `[M, n, Dv]` and masks `[M]` by name."""

    table: pa.Table
    views: LazyViews
    masks: dict[str, np.ndarray]


def open_shards(folder: Path, description: Description, *, counted: bool = True) -> OpenedIndex:
    """All shards of an index together; every file is checked here, views are put together when they are asked for.

    Args:
        counted (`bool`, defaults to `True`): whether the description's number of models must hold.

    Raises:
        OSError, ValueError, KeyError, TypeError: a file is missing, damaged or does not fit the others.
    """
    outdated = description.outdated
    names = [name for name in VIEWS if name in description.specs and name not in outdated]
    shards = [read_shard(folder, shard, names) for shard in description.shards]
    tables = [table for table, _ in shards]
    table = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
    kept = last_rows(table.column("model_id").to_pylist())
    count = table.num_rows if kept is None else len(kept)
    if counted and count != description.num_models:
        raise ValueError(f"{count} records, {description.num_models} are promised")
    views, masks = {}, {}
    for name in names:
        if name in DERIVED:
            file = description.derived.get(name)
            view, mask = _checked_view(folder, file, name, count) if file else (None, np.zeros(count, bool))
            views[name], masks[name] = stacked([(view, count)], VIEWS[name].shape, None), mask
            continue
        parts = [(own[name][0] if name in own else None, table.num_rows) for table, own in shards]
        mask = np.concatenate([own[name][1] if name in own else np.zeros(t.num_rows, bool) for t, own in shards])
        views[name] = stacked(parts, VIEWS[name].shape, kept)
        masks[name] = mask if kept is None else mask[kept]
    return OpenedIndex(table if kept is None else table.take(pa.array(kept)), LazyViews(views), masks)


def read_shard(
    root: Path, shard: Mapping[str, Any], names: Iterable[str]
) -> tuple[pa.Table, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """(records, view name → (float16 `[m, n, Dv]`, bool `[m]`)) of one shard, as far as it holds these views."""
    import pyarrow.parquet as pq

    table = pq.read_table(_inside(root, shard["records"]), memory_map=True).cast(SCHEMA)
    files = shard["views"]
    return table, {name: _checked_view(root, files[name], name, table.num_rows) for name in names if name in files}


def last_rows(model_ids: list[str]) -> np.ndarray | None:
    """The last row of each model, rising, int64 `[M]`; `None` where every model stands in one row."""
    last = {model_id: row for row, model_id in enumerate(model_ids)}
    return None if len(last) == len(model_ids) else np.array(sorted(last.values()), np.int64)


def write_shard(
    folder: Path, table: pa.Table, views: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Writes the files of one shard and returns its entry for index.json."""
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd", compression_level=19)
    shard: dict[str, Any] = {"models": table.num_rows, "views": {}}
    shard["records"] = write_content(folder, "records", "parquet", buffer.getvalue().to_pybytes())
    for name, view in views.items():
        shard["views"][name] = write_content(folder, name, "safetensors", view_bytes(view, masks[name]))
    return shard


def write_content(folder: Path, stem: str, suffix: str, content: bytes) -> str:
    """Writes a file named by its content; returns its name."""
    name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.{suffix}"
    _replace(folder / name, content)
    return name


def write_skipped(folder: Path, skipped: Mapping[str, str], views: Mapping[str, Mapping[str, str]]) -> None:
    """Writes skipped.json: models that were left out, and views that a model lacks, each with the reason."""
    content = {"models": dict(skipped), "views": {name: dict(reasons) for name, reasons in views.items()}}
    _replace(folder / SKIPPED, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read_skipped(folder: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """(model → reason, model → view → reason) of an index; empty where it does not tell."""
    try:
        said = json.loads((folder / SKIPPED).read_text(encoding="utf-8"))
        models = {str(name): str(reason) for name, reason in said["models"].items()}
        views = {str(n): {str(v): str(why) for v, why in own.items()} for n, own in said["views"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, {}
    return models, views


def sweep(folder: Path, kept: Iterable[str]) -> None:
    """Removes shard files that no index names any more, and what a killed process left half-written."""
    wanted = set(kept)
    own = [*folder.glob("*-????????.parquet"), *folder.glob("*-????????.safetensors")]
    half = [path for path in folder.glob(".*.????????????????????????????????") if path.is_file()]
    for path in [*(path for path in own if path.name not in wanted), *half]:
        path.unlink(missing_ok=True)


def _checked_view(root: Path, file: str, name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    view, mask = read_view(_inside(root, file))
    if view.shape != (count, *VIEWS[name].shape):
        raise ValueError(f"{file} does not fit the {count} records")
    return view, mask


def _inside(root: Path, name: str) -> Path:
    """A file of the index; an index from elsewhere must not name files outside its folder."""
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not a file name")
    return root / name


def _replace(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
