"""What is known of a zoo's models without running them on a dataset: features and facts for baselines and peers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from hf_crosssight.errors import CrossSightError
from hf_crosssight.evaluation.baselines import model_metadata
from hf_crosssight.evaluation.stated_accuracy import stated_accuracy
from hf_crosssight.features import UnusableModelError
from hf_crosssight.hub import HubClient
from hf_crosssight.peers import Candidates
from hf_crosssight.zoo import ZooIndex
from hf_crosssight.zoo.model_folders import ModelFolders

_USUAL_SIDE = 224
_CARD_FILES = ("README.md", "config.json")


@dataclass
class KnownFacts:
    """The candidates of a zoo, each fact looked up once and only if asked for.

    Args:
        zoo: M models.
        root: folder with their files, where there is one.
        client: the way to the Hub, for downloads and cards of models that are not in `root`; `None` to ask nothing.
        progress: called as `progress(step, done, total)`.
    """

    zoo: ZooIndex
    root: Path | None
    client: HubClient | None
    progress: Callable[[str, int, int | None], None] | None = None
    _facts: dict[str, np.ndarray] = field(default_factory=dict)

    def candidates(self, facts: Collection[str]) -> Candidates:
        """All models with these facts of `params`, `gmacs`, `source_accuracy`, `popularity`, NaN where unknown."""
        for fact in facts:
            if fact not in self._facts:
                self._facts[fact] = self._look_up(fact)
        features = np.asarray(self._features, np.float64)
        names = tuple(f"view_{column}" for column in range(features.shape[1]))
        return Candidates(tuple(self.zoo.model_ids), features, names, {fact: self._facts[fact] for fact in facts})

    @cached_property
    def _features(self) -> np.ndarray:
        return model_metadata(self.zoo)

    @cached_property
    def _files(self) -> ModelFolders:
        return ModelFolders(self.zoo, self.root, None)

    def _look_up(self, fact: str) -> np.ndarray:
        if fact == "params":
            return self._column("params")
        look = {"gmacs": self._gmacs, "source_accuracy": self._stated, "popularity": self._downloads}[fact]
        values = self._column("gmacs") if fact == "gmacs" else np.full(len(self.zoo), np.nan)
        for row in np.flatnonzero(np.isnan(values)):
            if self.progress is not None:
                self.progress(f"looking up {fact}", int(row), len(values))
            found = look(int(row))
            values[row] = np.nan if found is None else found
        return values

    def _column(self, name: str) -> np.ndarray:
        return np.array([np.nan if v is None else v for v in self.zoo.column(name).to_pylist()], np.float64)

    def _folder(self, row: int) -> Path | None:
        try:
            return self._files.find(self.zoo.model_ids[row]).folder
        except UnusableModelError:
            return None

    def _gmacs(self, row: int) -> float | None:
        """Counted from the config of a model whose files are here, at its own or else the zoo's usual image size."""
        from hf_crosssight.features.untrusted import read_weights
        from hf_crosssight.hardware.known_models import counts_from_config

        folder = self._folder(row)
        if folder is None:
            return None
        own = self._column("input_size")[row]
        try:
            _, counts = counts_from_config(folder, read_weights(folder), own if own > 0 else self._side)
            return counts.gmacs
        except Exception:  # a stranger's network raises whatever comes to hand
            return None

    @cached_property
    def _side(self) -> float:
        """Pixels a side that most models of the zoo state."""
        sizes = self._column("input_size")
        values, counts = np.unique(sizes[sizes > 0], return_counts=True)
        return float(values[counts.argmax()]) if len(values) else _USUAL_SIDE

    def _stated(self, row: int) -> float | None:
        """What the card or config states that it reached on its own data."""
        folder = self._folder(row)
        if folder is not None:
            return stated_accuracy(folder)
        if self.client is None or self.zoo.model_ids[row].count("/") != 1:
            return None
        try:
            repo = self.client.resolve(self.zoo.model_ids[row], "model")
            return stated_accuracy(self.client.snapshot(repo, _CARD_FILES))
        except CrossSightError:
            return None

    def _downloads(self, row: int) -> float | None:
        """The Hub's count; names of models that lie in a folder here are not sent anywhere."""
        name = self.zoo.model_ids[row]
        if self.client is None or name.count("/") != 1 or self._folder(row) is not None:
            return None
        try:
            return self.client.resolve(name, "model").downloads
        except CrossSightError:
            return None
