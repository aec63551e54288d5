"""`Engine`: ranker and zoo in memory, so that a query costs its own work alone; safe for several threads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.encoding import EncodedDataset, encode_dataset
from hf_crosssight.errors import CrossSightError, UserError
from hf_crosssight.hardware.affordable import affordable
from hf_crosssight.hardware.catalogue import catalogue
from hf_crosssight.hardware.request import hardware_request
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import LoadedRanker, find_ranker
from hf_crosssight.ranking import rank
from hf_crosssight.recommendation import Ranking
from hf_crosssight.space.insight import Insight, look
from hf_crosssight.space.query import Query
from hf_crosssight.zoo import Constraints, ZooIndex, open_zoo, parse_size, select

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Remaining:
    """How many models a query leaves.

    Attributes:
        count, total: models left, models of the zoo.
        rejected: models by the constraint that removed them.
        problem: why the query cannot be used as it is, empty if it can.
    """

    count: int
    total: int
    rejected: dict[str, int]
    problem: str = ""


class Engine:
    """Ranks encoded datasets.

    Args:
        zoo: as `--zoo` takes it.
        ranker: as `--ranker` takes it.
    """

    def __init__(self, zoo: str = "starter", ranker: str = "bundled") -> None:
        self.zoo_name, self.ranker_name = zoo, ranker

    @cached_property
    def ranker(self) -> LoadedRanker:
        return find_ranker(self.ranker_name, client=HubClient(token=False)).load()

    @cached_property
    def zoo(self) -> ZooIndex:
        return open_zoo(self.zoo_name, client=HubClient(token=False))

    def warm(self) -> None:
        """Loads everything and encodes one image, so that the first user does not wait for it."""
        from hf_crosssight.data import load_sample

        sample = load_sample("digits", images_per_class=1, max_classes=2)
        self.rank(self.encode(sample), Query(top=10))

    def encode(self, sample: DatasetSample | EncodedDataset, progress: Progress | None = None) -> EncodedDataset:
        """The tokens of a sample; none are kept on disk, since they are a user's."""
        with tempfile.TemporaryDirectory() as folder:
            return encode_dataset(sample, self.ranker, HubClient(token=False), progress, cache_dir=folder)

    def rank(self, dataset: EncodedDataset, query: Query, progress: Progress | None = None) -> tuple[Ranking, Insight]:
        """The ranking of a query, and what the ranker saw in the dataset.

        Raises:
            UserError: no model satisfies the query, or one of its values cannot be read.
        """
        ranking = rank(
            dataset, zoo=self.zoo_name, ranker=self.ranker, top=query.top, token=False, progress=progress,
            **query.constraints(), **self._hardware(query),
        )  # fmt: skip
        first = [item.model_id for item in ranking[:5]]
        rows = [self._row_of[name] for name in first]
        return ranking, look(self.ranker.model, dataset.tokens, self.zoo.take(np.asarray(rows)))

    def remaining(self, query: Query) -> Remaining:
        """How many models a query leaves, by the same filters as the ranking."""
        asked = query.constraints()
        try:
            constraints = Constraints(
                tuple(asked["filter"]),
                tuple(asked["license"]),
                parse_size(asked["min_params"], "smallest size") if asked["min_params"] else None,
                parse_size(asked["max_params"], "largest size") if asked["max_params"] else None,
            )
            found = select(self.zoo, constraints)
            request = hardware_request(**self._hardware(query))
            if request is not None:
                found = affordable(request, self.zoo, found).selection
        except CrossSightError as error:
            return Remaining(0, len(self.zoo), {}, error.what)
        return Remaining(len(found.indices), len(self.zoo), found.rejected)

    def values_of(self, column: str) -> list[str]:
        """What the models of the zoo have in a column, the most frequent first."""
        counted = self.zoo.column(column).drop_null().value_counts().to_pylist()
        return [entry["values"] for entry in sorted(counted, key=lambda entry: -entry["counts"])]

    @cached_property
    def devices(self) -> list[tuple[str, str]]:
        """(title, name) of the devices that can be chosen. Neither the server itself nor a file of it is one."""
        return [(device.title, device.name) for device in catalogue()]

    def _hardware(self, query: Query) -> dict[str, Any]:
        if query.device and query.device not in {name for _, name in self.devices}:
            raise UserError(f"there is no device {query.device!r}", "Choose one of the list.")
        return query.hardware()

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.zoo.model_ids)}
