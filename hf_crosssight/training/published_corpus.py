"""Everything that a ranker of the published tables is trained and tested on, loaded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hf_crosssight.ground_truth.bridges import bridges
from hf_crosssight.ground_truth.datasets import published_datasets, stand_ins
from hf_crosssight.ground_truth.published import load_published
from hf_crosssight.ground_truth.published_tokens import token_samples
from hf_crosssight.ground_truth.published_zoo import PublishedZoo, published_zoo
from hf_crosssight.ground_truth.tables import GroundTruthTable, Task, tasks_of
from hf_crosssight.tokens.dataset import DatasetTokens
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class PublishedCorpus:
    """Tables, the models they name, and tokens of the datasets they name.

    Attributes:
        tables: every table that was found.
        models (`PublishedZoo`): views and lineages.
        tokens: token samples of each dataset key, the richest last.
        starter (`ZooIndex`): the bundled zoo, unlabelled.
        texts: description of each dataset key.
    """

    tables: tuple[GroundTruthTable, ...]
    models: PublishedZoo
    tokens: dict[str, list[DatasetTokens]]
    starter: ZooIndex
    texts: dict[str, str]

    def tasks(self, *, licensed_only: bool = False, auxiliary: bool = True) -> list[Task]:
        """Tasks of the tables, restricted to models whose views are known and datasets that have tokens."""
        known = set(self.models.zoo.model_ids)
        tables = [
            table.keep_models(i for i, model in enumerate(table.models) if model in known)
            for table in self.tables
            if (table.licensed or not licensed_only) and (auxiliary or not table.auxiliary)
        ]
        return [task for task in tasks_of(tables) if task.dataset in self.tokens and len(task.models) > 2]


def load_corpus(
    ground_truth: Path | str,
    hub: Path | str | None,
    *,
    cache_dir: Path | str | None = None,
    progress: Progress | None = None,
) -> PublishedCorpus:
    """Reads the tables, looks up their models and encodes their datasets.

    Args:
        ground_truth: folder of published tables.
        hub (*optional*): folder with `datasets/ORG/NAME` and `models/ORG/NAME`; without it, words stand for datasets.
        cache_dir (*optional*): where tokens of images are kept.
        progress (*optional*): called as `progress(step, done, total)`.
    """
    tables = tuple(load_published(ground_truth))
    tables = (*tables, *bridges(tables))
    starter = open_zoo("starter")
    own = open_zoo(Path(hub) / "models", progress=progress) if hub and (Path(hub) / "models").is_dir() else None
    models = published_zoo((m for table in tables for m in table.models), ground_truth, starter, own)
    keys = {key for table in tables for key in table.datasets}
    images = stand_ins(ground_truth) if hub else {}
    tokens = token_samples(keys, images, hub, cache_dir=cache_dir, progress=progress)
    texts = {key: dataset.description for key, dataset in published_datasets().items() if key in keys}
    return PublishedCorpus(tables, models, tokens, starter, texts)
