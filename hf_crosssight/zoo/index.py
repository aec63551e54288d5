"""`ZooIndex`: many models in columns, facts as an Arrow table and views as float16 arrays, ready to be ranked.

On disk an index is a folder: `index.json` (format, versions of the views' specifications, sources, list of shards) and
per shard one Parquet file of records and one safetensors file per view. Files are named by their content and
`index.json` is replaced last, so a reader sees the old index or the new one, never a mixture.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hf_crosssight.errors import UserError
from hf_crosssight.hub.places import atomic_file
from hf_crosssight.tokens.card import CARD_DIM, CARD_SPEC
from hf_crosssight.tokens.structure import STRUCTURE_DIM, STRUCTURE_ROWS, STRUCTURE_SPEC
from hf_crosssight.zoo.record import ModelRecord
from hf_crosssight.zoo.view_files import read_view, view_bytes

FORMAT = "crosssight-zoo/1"
VIEW_SPECS = {"structure": STRUCTURE_SPEC, "card": CARD_SPEC}
VIEW_SHAPES = {"structure": (STRUCTURE_ROWS, STRUCTURE_DIM), "card": (1, CARD_DIM)}

_MEASUREMENT = pa.struct(
    [
        ("device", pa.string()),
        ("precision", pa.string()),
        ("compiler", pa.string()),
        ("batch_size", pa.int32()),
        ("throughput", pa.float32()),
    ]
)
_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("model_id", pa.string()),
        ("revision", pa.string()),
        ("task", pa.string()),
        ("library", pa.string()),
        ("license", pa.string()),
        ("tags", _TEXTS),
        ("architecture", pa.string()),
        ("family", pa.string()),
        ("pretrain_data", _TEXTS),
        ("base_model", pa.string()),
        ("params", pa.int64()),
        ("gmacs", pa.float32()),
        ("macts", pa.float32()),
        ("input_size", pa.int32()),
        ("sources", _TEXTS),
        ("hardware", pa.list_(_MEASUREMENT)),
    ]
)
_TUPLES = ("tags", "pretrain_data", "sources")


class ZooIndex:
    """Models of a zoo, M of them.

    Attributes:
        id (`str`): how the zoo is called in results: `starter`, a folder, a Hub id.
        table (`pyarrow.Table`): one row a model; the fields of `ModelRecord` and `hardware`, a list of measurements
            (device, precision, compiler, batch_size, throughput in images/s).
        views (`dict[str, np.ndarray]`): per view float16 `[M, n, Dv]`, memory-mapped where it comes from a file.
        view_mask (`dict[str, np.ndarray]`): per view bool `[M]`, whether the model has it.
        skipped (`tuple[tuple[str, str], ...]`): models that were left out, each with the reason.
        sources (`tuple[dict, ...]`): where the facts come from: name, license, url, what.
    """

    def __init__(
        self,
        id: str,
        table: pa.Table,
        views: Mapping[str, np.ndarray],
        view_mask: Mapping[str, np.ndarray],
        skipped: tuple[tuple[str, str], ...] = (),
        sources: tuple[dict[str, str], ...] = (),
    ) -> None:
        self.id = id
        self.table = table
        self.views = dict(views)
        self.view_mask = dict(view_mask)
        self.skipped = skipped
        self.sources = sources

    @classmethod
    def from_entries(
        cls,
        entries: Sequence[tuple[ModelRecord, Mapping[str, np.ndarray]]],
        *,
        id: str = "in-memory",
        hardware: Sequence[list[dict[str, Any]] | None] | None = None,
        skipped: tuple[tuple[str, str], ...] = (),
        sources: tuple[dict[str, str], ...] = (),
    ) -> ZooIndex:
        """An index of (record, views) pairs; a view that a model lacks is masked.

        Raises:
            ValueError: a view is not of the shape of its specification (`VIEW_SHAPES`).
        """
        rows = [dataclasses.asdict(record) for record, _ in entries]
        for row, measured in zip(rows, hardware or [None] * len(rows), strict=True):
            row["hardware"] = measured
        views = {name: np.zeros((len(entries), *shape), np.float16) for name, shape in VIEW_SHAPES.items()}
        mask = {name: np.zeros(len(entries), bool) for name in VIEW_SHAPES}
        for position, (_, own) in enumerate(entries):
            for name, view in own.items():
                if name not in VIEW_SHAPES or view.shape != VIEW_SHAPES[name]:
                    raise ValueError(f"view {name!r} of shape {view.shape} does not fit {VIEW_SHAPES.get(name)}")
                views[name][position] = view
                mask[name][position] = True
        return cls(id, pa.Table.from_pylist(rows, schema=SCHEMA), views, mask, skipped, sources)

    def __len__(self) -> int:
        return self.table.num_rows

    @cached_property
    def model_ids(self) -> list[str]:
        """Ids of the M models, in order."""
        return self.table.column("model_id").to_pylist()

    def record(self, index: int) -> ModelRecord:
        """The facts of one model."""
        row: dict[str, Any] = self.table.slice(index, 1).to_pylist()[0]
        row.pop("hardware")
        row.update({name: tuple(row[name] or ()) for name in _TUPLES})
        return ModelRecord(**row)

    def hardware(self, index: int) -> dict[str, dict[str, Any]] | None:
        """Measured figures of one model by device (`precision`, `compiler`, `batch_size`, `throughput` images/s)."""
        measured = self.table.column("hardware")[index].as_py()
        if not measured:
            return None
        return {row["device"]: {name: row[name] for name in row if name != "device"} for row in measured}

    def take(self, indices: Sequence[int] | np.ndarray) -> ZooIndex:
        """The models at these indices, in this order."""
        chosen = np.asarray(indices, np.int64)
        whole = len(chosen) == len(self) and np.array_equal(chosen, np.arange(len(self)))
        if whole:
            return self
        return ZooIndex(
            self.id,
            self.table.take(pa.array(chosen)),
            {name: view[chosen] for name, view in self.views.items()},
            {name: mask[chosen] for name, mask in self.view_mask.items()},
            self.skipped,
            self.sources,
        )

    def joined(self, other: ZooIndex) -> ZooIndex:
        """This zoo's models, then the other's."""
        return ZooIndex(
            self.id,
            pa.concat_tables([self.table, other.table]),
            {name: np.concatenate([view, other.views[name]]) for name, view in self.views.items()},
            {name: np.concatenate([mask, other.view_mask[name]]) for name, mask in self.view_mask.items()},
            self.skipped + other.skipped,
            self.sources + tuple(source for source in other.sources if source not in self.sources),
        )

    def save(self, folder: str | Path) -> None:
        """Writes the index; an index that stands there is replaced in one step."""
        import pyarrow.parquet as pq

        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        buffer = pa.BufferOutputStream()
        pq.write_table(self.table, buffer, compression="zstd", compression_level=19)
        shard: dict[str, Any] = {"models": len(self), "views": {}}
        shard["records"] = _write(root, "records", "parquet", buffer.getvalue().to_pybytes())
        for name, view in self.views.items():
            shard["views"][name] = _write(root, name, "safetensors", view_bytes(view, self.view_mask[name]))
        description = {
            "format": FORMAT,
            "num_models": len(self),
            "specs": {name: VIEW_SPECS[name] for name in self.views},
            "sources": list(self.sources),
            "shards": [shard],
        }
        _replace(root / "index.json", json.dumps(description, indent=1).encode() + b"\n")
        kept = {shard["records"], *shard["views"].values()}
        for path in [*root.glob("*-????????.parquet"), *root.glob("*-????????.safetensors")]:
            if path.name not in kept:
                path.unlink()

    @classmethod
    def open(cls, folder: str | Path, *, id: str | None = None) -> ZooIndex:
        """Opens an index folder; views are memory-mapped where the file allows it.

        Raises:
            UserError: the folder is no index, is damaged, or was built to another specification of the views.
        """
        root = Path(folder)
        description = _read_description(root)
        try:
            shards = [_open_shard(root, shard) for shard in description["shards"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"The zoo index {root} is damaged: {error}", "Build or download it again.") from error
        tables, views, masks = zip(*shards, strict=True)
        names = list(description["specs"])
        return cls(
            id or str(folder),
            tables[0] if len(tables) == 1 else pa.concat_tables(tables),
            {n: views[0][n] if len(views) == 1 else np.concatenate([v[n] for v in views]) for n in names},
            {n: np.concatenate([m[n] for m in masks]) for n in names},
            sources=tuple(description.get("sources", ())),
        )


def is_index(folder: str | Path) -> bool:
    """Whether a folder looks like an index (it has an index.json that names a format)."""
    try:
        return "format" in json.loads((Path(folder) / "index.json").read_text())
    except (OSError, ValueError, TypeError):
        return False


def _read_description(root: Path) -> dict[str, Any]:
    """index.json, checked against the versions that this release reads."""
    try:
        description = json.loads((root / "index.json").read_text())
        found = {"index": description["format"], **description["specs"]}
        complete = bool(description["shards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{root} is not a zoo index.", "An index is a folder with an index.json.") from error
    wanted = {"index": FORMAT, **VIEW_SPECS}
    for name, spec in found.items():
        if spec != wanted.get(name):
            raise UserError(
                f"The zoo index {root} holds {name} as {spec}, this release reads {wanted.get(name, 'no such view')}.",
                "Build the index again with this release.",
            )
    if not complete or set(found) != set(wanted):
        raise UserError(f"The zoo index {root} is incomplete.", "Build or download it again.")
    return description


def _open_shard(root: Path, shard: Mapping[str, Any]) -> tuple[pa.Table, dict[str, np.ndarray], dict[str, np.ndarray]]:
    import pyarrow.parquet as pq

    table = pq.read_table(_inside(root, shard["records"]), memory_map=True).cast(SCHEMA)
    views, masks = {}, {}
    for name, file in shard["views"].items():
        views[name], masks[name] = read_view(_inside(root, file))
        if views[name].shape != (table.num_rows, *VIEW_SHAPES[name]):
            raise ValueError(f"{file} does not fit the {table.num_rows} records")
    return table, views, masks


def _inside(root: Path, name: str) -> Path:
    """A file of the index; an index from elsewhere must not name files outside its folder."""
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not a file name")
    return root / name


def _write(root: Path, stem: str, suffix: str, content: bytes) -> str:
    name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.{suffix}"
    _replace(root / name, content)
    return name


def _replace(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
