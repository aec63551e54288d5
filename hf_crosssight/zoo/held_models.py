"""What an index folder holds already, so that nothing is read twice: whole models, and single views of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.zoo.index import ZooIndex, is_index
from hf_crosssight.zoo.index_files import read_skipped
from hf_crosssight.zoo.model_views import READ_PER_MODEL, ViewPlan
from hf_crosssight.zoo.stages import MadeModel, stage_key


class HeldModels:
    """The models of an index by the key that their stage would have.

    Args:
        zoo (`ZooIndex`, *optional*): the index; none by default.
        reasons (`dict`): model → view → why it lacks it.
        plan (`ViewPlan`): what is wanted of every model.
    """

    def __init__(self, zoo: ZooIndex | None, reasons: dict[str, dict[str, str]], plan: ViewPlan) -> None:
        self.zoo, self._reasons = zoo, reasons
        self._rows: dict[tuple[str, str], int] = {}
        self._views: tuple[str, ...] = ()
        self._by_key: dict[str, int] = {}
        if zoo is None or zoo.description is None:
            return
        revisions = zoo.column("revision").to_pylist()
        same_budget = zoo.description.byte_budget == plan.byte_budget
        self._views = tuple(
            name for name in READ_PER_MODEL if name in zoo.views and (same_budget or name != "weights")
        )
        for row, (model_id, revision) in enumerate(zip(zoo.model_ids, revisions, strict=True)):
            if revision is None:
                continue
            self._rows[model_id, revision] = row
            if all(self._settled(row, model_id, name) for name in plan.views):
                self._by_key[stage_key(model_id, revision, plan.views, plan.byte_budget)] = row

    @classmethod
    def of(cls, folder: Path, plan: ViewPlan) -> HeldModels:
        """Those of a folder; a folder without an index, or with one that cannot be read, holds none."""
        try:
            zoo = ZooIndex.open(folder) if is_index(folder) else None
        except UserError:
            zoo = None
        return cls(zoo, read_skipped(folder)[1], plan)

    def contents(self) -> tuple[list[str], list[str]]:
        """Ids of all models of the index, whatever is wanted of them, and names of its views."""
        return (list(self.zoo.model_ids), list(self.zoo.views)) if self.zoo is not None else ([], [])

    def has(self, key: str) -> bool:
        """Whether the index holds this very model."""
        return key in self._by_key

    def get(self, key: str) -> MadeModel | None:
        """The model of a key."""
        row = self._by_key.get(key)
        if row is None or self.zoo is None:
            return None
        record = self.zoo.record(row)
        views = {name: view for name, view in self.zoo.views_of(row).items() if name in READ_PER_MODEL}
        return MadeModel(record, views, dict(self._reasons.get(record.model_id, {})))

    def views_of(self, model_id: str, revision: str) -> dict[str, np.ndarray]:
        """The views that the index holds of a model at a revision, where they are what is wanted."""
        row = self._rows.get((model_id, revision))
        if row is None or self.zoo is None:
            return {}
        return {name: np.asarray(self.zoo.views[name][row]) for name in self._views if self.zoo.view_mask[name][row]}

    def _settled(self, row: int, model_id: str, name: str) -> bool:
        """Whether the model has the view, or is known not to be able to have it."""
        zoo = self.zoo
        if zoo is None or name not in self._views:
            return False
        return bool(zoo.view_mask[name][row]) or name in self._reasons.get(model_id, {})
