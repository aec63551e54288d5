"""What the methods of a comparison are given, each thing made once: samples, tokens, features, past results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.ground_truth.datasets import dataset_key
from hf_crosssight.ground_truth.lineage import lineages, root_of
from hf_crosssight.ground_truth.tables import GroundTruthTable
from hf_crosssight.peers import Candidates, History, Target
from hf_crosssight.tokens.dataset import dataset_tokens, prototype_tokens
from hf_crosssight.zoo import ZooIndex

from .candidates import KnownFacts
from .methods import FACTS, TOKENS, ComparedMethod
from .model_features import ModelFeatures, class_prototypes

if TYPE_CHECKING:
    from hf_crosssight.hub import HubClient
    from hf_crosssight.rankers import LoadedRanker

Progress = Callable[[str, int, int | None], None]
_REGRESSION_FACTS = ("params", "gmacs", "source_accuracy")
_UNREAD = np.zeros((1, 1))


@dataclass
class Workbench:
    """Everything that methods read.

    Args:
        zoo: all models, those of past results included.
        models: ids of the M models that are compared.
        samples: of every dataset, target or past, by its id.
        facts: of the zoo's models.
        features: of models on samples.
        ranker: of the project, where it is compared.
        client: the way to the Hub, for a ranker whose image encoder is there.
        sources: samples of data that models were trained on, by `dataset_key`, for methods that read it.
        seed: of everything random.
        workers: processes for scores of features.
        progress: called as `progress(step, done, total)`.
    """

    zoo: ZooIndex
    models: tuple[str, ...]
    samples: Mapping[str, DatasetSample]
    facts: KnownFacts
    features: ModelFeatures
    ranker: LoadedRanker | None = None
    client: HubClient | None = None
    sources: Mapping[str, DatasetSample] = field(default_factory=dict)
    seed: int = 0
    workers: int = 1
    progress: Progress | None = None
    _prototypes: dict[str, np.ndarray] = field(default_factory=dict)
    _encoded: dict[str, np.ndarray] = field(default_factory=dict)
    _own: dict[tuple[str, str], np.ndarray | None] = field(default_factory=dict)

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows `[M]` of the compared models in the zoo."""
        return self.rows_of(self.models)

    def rows_of(self, models: Sequence[str]) -> np.ndarray:
        """Rows of models in the zoo."""
        at = {name: row for row, name in enumerate(self.zoo.model_ids)}
        return np.array([at[model] for model in models], dtype=np.int64)

    @cached_property
    def lineage(self) -> dict[str, str]:
        """The lineage of every model of the zoo: those of one are unseen together or not at all."""
        records = [self.zoo.record(row) for row in range(len(self.zoo))]
        bases = {one.model_id: one.base_model for one in records}
        return lineages({one.model_id: root_of(one) for one in records}, bases)

    def kin(self, models: Iterable[str]) -> set[str]:
        """These models and all others of their lineages."""
        groups = {self.lineage[model] for model in models}
        return {model for model, group in self.lineage.items() if group in groups}

    def prepare(
        self, methods: Sequence[ComparedMethod], targets: Sequence[str], past: GroundTruthTable | None
    ) -> None:
        """Makes all that takes time, so that a method's seconds are its own; runs models where a method wants that.

        Compared models are run on the targets and, for methods that read it, on their own data; models of past
        results on the past datasets, for methods that learn from features.
        """
        wanted: dict[str, list[DatasetSample]] = {}
        if any(method.runs_models for method in methods):
            ours = [self.samples[name] for name in targets]
            wanted = {model: [*ours, *self._own_sample(model)] for model in self.models}
        if past is not None and any(method.runs_models and method.learns for method in methods):
            earlier = [self.samples[name] for name in past.datasets if name in self.samples]
            for model in past.models:
                wanted[model] = [*wanted.get(model, []), *earlier]
        self.features.prepare({model: _once(samples) for model, samples in wanted.items()})
        learners = [method for method in methods if method.learns and TOKENS in method.needs]
        for name in self.samples if learners else ():
            self.prototypes(name)
        for method in methods:
            if method.kind in ("baseline", "peer"):
                self.candidates(method)

    def source_of(self, model_id: str) -> DatasetSample | None:
        """The sample of the data that a model was last trained on, where it states that and the data are at hand."""
        return next(iter(self._own_sample(model_id)), None)

    def _own_sample(self, model_id: str) -> list[DatasetSample]:
        stated = self._stated_data.get(model_id) or ()
        found = self.sources.get(dataset_key(stated[-1])) if stated else None
        return [found] if found is not None and found.labels is not None else []

    @cached_property
    def _stated_data(self) -> dict[str, list[str] | None]:
        return dict(zip(self.zoo.model_ids, self.zoo.column("pretrain_data").to_pylist(), strict=True))

    def prototypes(self, dataset: str) -> np.ndarray:
        """Class prototypes `[S, E]` of a dataset by the default encoder."""
        if dataset not in self._prototypes:
            tokens = dataset_tokens(self.samples[dataset], progress=self.progress)
            self._prototypes[dataset] = prototype_tokens(tokens).astype(np.float64)
        return self._prototypes[dataset]

    def candidates(self, method: ComparedMethod) -> Candidates:
        """All models, with the facts that a method reads."""
        if FACTS not in method.needs:
            return self.facts.candidates(())
        return self.facts.candidates((method.name,) if method.kind == "baseline" and not method.learns
                                     else _REGRESSION_FACTS)  # fmt: skip

    def target(self, dataset: str, method: ComparedMethod, rows: np.ndarray) -> Target:
        """The models at `rows` of the zoo to be ranked for a dataset."""
        own = {self.zoo.model_ids[row]: self._specific(row, dataset) for row in rows} if method.runs_models else {}
        return Target(
            _taken(self.candidates(method), rows),
            self._tokens(dataset, method),
            dataset,
            {model: array for model, array in own.items() if array is not None},
        )

    def history(
        self, table: GroundTruthTable, datasets: Sequence[int], models: Sequence[str], method: ComparedMethod
    ) -> History | None:
        """Past results of some models on some datasets of a table, self-transfer left out; `None` if nothing is left.

        A dataset on which fewer than two of them were measured, or whose images are not at hand, is left out.
        """
        columns = [table.models.index(model) for model in models]
        rows = self.rows_of(models)
        shown = np.where(table.self_transfer, np.nan, table.scores)[:, columns]
        kept = [d for d in datasets if np.isfinite(shown[d]).sum() >= 2 and table.datasets[d] in self.samples]
        if not kept:
            return None
        names = tuple(table.datasets[d] for d in kept)
        accuracies = shown[kept].T
        pairs = np.argwhere(np.isfinite(accuracies) & method.runs_models)
        own = {(self.zoo.model_ids[rows[m]], names[d]): self._specific(int(rows[m]), names[d]) for m, d in pairs}
        tokens = tuple(self._tokens(name, method) for name in names)
        known = {pair: array for pair, array in own.items() if array is not None}
        return History(_taken(self.candidates(method), rows), names, accuracies, tokens, known)

    def ranker_tokens(self, dataset: str) -> np.ndarray:
        """Dataset tokens `[S, Dd]` as the ranker reads them."""
        from hf_crosssight.encoding import encode_dataset

        assert self.ranker is not None
        if dataset not in self._encoded:
            encoded = encode_dataset(self.samples[dataset], self.ranker, self.client, self.progress)
            self._encoded[dataset] = encoded.tokens.values
        return self._encoded[dataset]

    def _tokens(self, dataset: str, method: ComparedMethod) -> np.ndarray:
        """Prototypes for methods that read them; images are not encoded for the others."""
        return self.prototypes(dataset) if method.learns and TOKENS in method.needs else _UNREAD

    def _specific(self, row: int, dataset: str) -> np.ndarray | None:
        """Class prototypes `[S, E_m]` of a dataset in a model's own features."""
        key = (self.zoo.model_ids[row], dataset)
        if key not in self._own:
            sample, kept = self.samples[dataset], self.features.of(key[0], self.samples[dataset])
            usable = kept is not None and sample.labels is not None
            self._own[key] = class_prototypes(kept.read().pooled, sample.labels) if usable else None  # type: ignore
        return self._own[key]


def _taken(models: Candidates, rows: np.ndarray) -> Candidates:
    return Candidates(
        tuple(models.ids[row] for row in rows), models.features[rows], models.names,
        {name: values[rows] for name, values in models.facts.items()},
    )  # fmt: skip


def _once(samples: Sequence[DatasetSample]) -> list[DatasetSample]:
    """Each sample once: a source may be a target as well."""
    return list({sample.fingerprint: sample for sample in samples}.values())
