"""`ZooIndex`: many models in columns, facts as an Arrow table and views as float16 arrays, ready to be ranked.

It may hold any of the known views (`tokens.views.VIEWS`), and each model any of those; `index_files` says how an index
lies on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.views import VIEWS, in_order
from hf_crosssight.zoo.index_files import (
    DERIVED,
    DESCRIPTION,
    Description,
    open_shards,
    read_description,
    sweep,
    write_content,
    write_description,
    write_shard,
)
from hf_crosssight.zoo.lazy_table import LazyTable
from hf_crosssight.zoo.lazy_views import LazyViews
from hf_crosssight.zoo.record import ModelRecord
from hf_crosssight.zoo.record_table import Hardware, record_of, table_of
from hf_crosssight.zoo.view_files import view_bytes


class ZooIndex:
    """Models of a zoo, M of them.

    Attributes:
        id (`str`): how the zoo is called in results: `starter`, a folder, a Hub id.
        table (`pyarrow.Table`): one row a model; the fields of `ModelRecord` and `hardware`, a list of measurements
            (device, precision, compiler, batch_size, throughput in images/s).
        views (mapping): per view float16 `[M, n, Dv]`, read when it is first asked for, memory-mapped where it comes
            from one file; any of the known views may be missing.
        view_mask (`dict[str, np.ndarray]`): per view bool `[M]`, whether the model has it.
        skipped (`tuple[tuple[str, str], ...]`): models that were left out, each with the reason.
        remarks (`tuple[str, ...]`): what else a user should know of how it was read.
        sources (`tuple[dict, ...]`): where the facts come from: name, license, url, what.
        description (`Description`, *optional*): of the folder that it was opened from.
        folder (`Path`, *optional*): that folder.
    """

    def __init__(
        self,
        id: str,
        table: pa.Table | LazyTable,
        views: Mapping[str, np.ndarray],
        view_mask: Mapping[str, np.ndarray],
        skipped: tuple[tuple[str, str], ...] = (),
        sources: tuple[dict[str, str], ...] = (),
        description: Description | None = None,
        folder: Path | None = None,
    ) -> None:
        self.id = id
        self._records = table if isinstance(table, LazyTable) else LazyTable(table)
        self.views = views if isinstance(views, LazyViews) else LazyViews(views)
        self.view_mask = dict(view_mask)
        self.skipped = skipped
        self.remarks: tuple[str, ...] = ()
        self.sources = sources
        self.description = description
        self.folder = folder

    @classmethod
    def from_entries(
        cls,
        entries: Sequence[tuple[ModelRecord, Mapping[str, np.ndarray]]],
        *,
        id: str = "in-memory",
        hardware: Sequence[Hardware] | None = None,
        views: Sequence[str] = (),
        skipped: tuple[tuple[str, str], ...] = (),
        sources: tuple[dict[str, str], ...] = (),
    ) -> ZooIndex:
        """An index of (record, views) pairs; a view that a model lacks is masked.

        Args:
            views: views that it holds even where no model has them.

        Raises:
            ValueError: a view is not known or not of the shape of its specification.
        """
        held = in_order([*views, *(name for _, own in entries for name in own)])
        arrays = {name: np.zeros((len(entries), *VIEWS[name].shape), np.float16) for name in held}
        mask = {name: np.zeros(len(entries), bool) for name in held}
        for position, (_, own) in enumerate(entries):
            for name, view in own.items():
                shape = VIEWS[name].shape if name in VIEWS else None
                if view.shape != shape:
                    raise ValueError(f"view {name!r} of shape {view.shape} does not fit {shape}")
                arrays[name][position] = view
                mask[name][position] = True
        table = table_of([record for record, _ in entries], hardware)
        return cls(id, table, arrays, mask, skipped, sources)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def table(self) -> pa.Table:
        """See the class; `column` spares the others."""
        return self._records.whole

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of `table`."""
        return self._records.column(name)

    @cached_property
    def model_ids(self) -> list[str]:
        """Ids of the M models, in order."""
        return self.column("model_id").to_pylist()

    @cached_property
    def families(self) -> list[str | None]:
        """Architecture family of each model, `None` where it is unknown."""
        return self.column("family").to_pylist()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user of the index should know: remarks, and views that this release cannot read."""
        found = self.description.outdated if self.description else {}
        return self.remarks + tuple(
            f"the {name} views of '{self.id}' are {spec}, this release reads "
            f"{VIEWS[name].spec if name in VIEWS else 'no such view'}: they are left out (`zoo upgrade` redoes them)"
            for name, spec in found.items()
        )

    def record(self, index: int) -> ModelRecord:
        """The facts of one model."""
        return record_of(self._records.row(index))

    def hardware(self, index: int) -> dict[str, dict[str, Any]] | None:
        """Measured figures of one model by device (`precision`, `compiler`, `batch_size`, `throughput` images/s)."""
        measured = self._records.row(index)["hardware"]
        if not measured:
            return None
        return {row["device"]: {name: row[name] for name in row if name != "device"} for row in measured}

    def views_of(self, index: int) -> dict[str, np.ndarray]:
        """The views that one model has, float16 `[n, Dv]` each."""
        held = [name for name, has in self.view_mask.items() if has[index]]
        return {name: np.asarray(self.views.in_blocks(name)[index]) for name in held}

    def take(self, indices: Sequence[int] | np.ndarray) -> ZooIndex:
        """The models at these indices, in this order, or where a mask `[M]` is True."""
        chosen = np.asarray(indices)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        if len(chosen) and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise IndexError(f"models {chosen.min()} to {chosen.max()} of a zoo of {len(self)}")
        if len(chosen) == len(self) and np.array_equal(chosen, np.arange(len(self))):
            return self
        masks = {name: mask[chosen] for name, mask in self.view_mask.items()}
        return self._with(self._records.take(chosen), self.views.take(chosen), masks)

    def with_views(self, names: Sequence[str], gates: Mapping[str, Collection[str]] | None = None) -> ZooIndex:
        """The same models with only these views, as far as the zoo has them: what a ranker does not read stays out.

        Args:
            gates (`dict`, *optional*): view → the families of which alone it is read; of others it counts as missing.
        """
        held = [name for name in self.views if name in names]
        masks = {name: self.view_mask[name] for name in held}
        for name in set(gates or {}) & set(held):
            known = set((gates or {})[name])
            masks[name] = masks[name] & np.array([family in known for family in self.families], bool)
        return self._with(self._records, self.views.only(held), masks)

    def joined(self, other: ZooIndex) -> ZooIndex:
        """This zoo's models, then the other's; a view that one of them lacks is masked there."""
        held = in_order([*self.views, *other.views])
        both = [(zoo, len(zoo)) for zoo in (self, other)]
        views = {
            name: np.concatenate([_view_or_zeros(zoo, name) for zoo, _ in both]) for name in held
        }  # fmt: skip
        mask = {
            name: np.concatenate([zoo.view_mask.get(name, np.zeros(count, bool)) for zoo, count in both])
            for name in held
        }
        sources = self.sources + tuple(source for source in other.sources if source not in self.sources)
        table = pa.concat_tables([self.table, other.table])
        return ZooIndex(self.id, table, views, mask, self.skipped + other.skipped, sources, self.description)

    def save(self, folder: str | Path) -> None:
        """Writes the index in one shard; an index that stands there is replaced in one step."""
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        own = {name: view for name, view in self.views.items() if name not in DERIVED}
        shard = write_shard(root, self.table, own, self.view_mask)
        derived = {
            name: write_content(root, name, "safetensors", view_bytes(self.views[name], self.view_mask[name]))
            for name in self.views
            if name in DERIVED
        }
        known = self.description
        description = Description(
            num_models=len(self),
            specs={name: VIEWS[name].spec for name in self.views},
            shards=(shard,),
            encoders={n: e for n, e in known.encoders.items() if n in self.views} if known else {},
            byte_budget=known.byte_budget if known else None,
            sources=self.sources,
            derived=derived,
        )
        write_description(root, description)
        sweep(root, description.files())

    @classmethod
    def open(cls, folder: str | Path, *, id: str | None = None) -> ZooIndex:
        """Opens an index folder; views are memory-mapped where the file allows it.

        Views of another specification than this release's are left out, which `notes` tells.

        Raises:
            UserError: the folder is no index, is damaged, or holds no view that this release reads.
        """
        root = Path(folder)
        description = read_description(root)
        outdated = description.outdated
        if outdated and len(outdated) == len(description.specs):
            found = ", ".join(f"{name} as {spec}" for name, spec in outdated.items())
            known = ", ".join(VIEWS[name].spec if name in VIEWS else f"no {name}" for name in outdated)
            what = f"The zoo index {root} holds {found}, this release reads {known}."
            raise UserError(what, f"Run `hf-crosssight zoo upgrade {root}`, or build it again with this release.")
        try:
            opened = open_shards(root, description)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"The zoo index {root} is damaged: {error}", "Build or download it again.") from error
        return cls(
            id or str(folder), opened.table, opened.views, opened.masks,
            sources=description.sources, description=description, folder=root,
        )  # fmt: skip

    def _with(self, table: LazyTable, views: LazyViews, masks: dict[str, np.ndarray]) -> ZooIndex:
        return ZooIndex(self.id, table, views, masks, self.skipped, self.sources, self.description, self.folder)


def is_index(folder: str | Path) -> bool:
    """Whether a folder looks like an index (it has an index.json that names a format)."""
    try:
        return "format" in json.loads((Path(folder) / DESCRIPTION).read_text())
    except (OSError, ValueError, TypeError):
        return False


def _view_or_zeros(zoo: ZooIndex, name: str) -> np.ndarray:
    return zoo.views[name] if name in zoo.views else np.zeros((len(zoo), *VIEWS[name].shape), np.float16)
