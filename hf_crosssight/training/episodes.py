"""Episodes: what one training step sees. A dataset as one of its token samples, and some models with their ranks.

Tables are drawn before datasets, so that a table of a thousand models counts no more than its protocol deserves. In a
task the models are sub-sampled: zoos of any size and make-up stand before the ranker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.tokens.structure import FACT_COLUMNS, SET_SUMMARY

NOT_IN_TASK = -1.0


@dataclass(frozen=True)
class Episode:
    """A batch of B tasks with up to S dataset tokens and M models each.

    Attributes:
        dataset_tokens: float32 `[B, S, Dd]`, zero where `dataset_mask` `[B, S]` is False.
        models: int64 `[B, M]`, rows of the views; padding repeats row 0 and has rank -1.
        ranks: float32 `[B, M]`, 0 = best, ties share one, -1 = not in this task.
        datasets: B dataset keys.
        samples: which of its dataset's token samples each task got.
    """

    dataset_tokens: Tensor
    dataset_mask: Tensor
    models: Tensor
    ranks: Tensor
    datasets: tuple[str, ...]
    samples: tuple[int, ...]

    def to(self, device: torch.device) -> Episode:
        """The same with what the network reads on a device; `models` index views, which stay where they are."""
        moved = {name: getattr(self, name).to(device) for name in ("dataset_tokens", "dataset_mask", "ranks")}
        return replace(self, **moved)


class EpisodeSampler:
    """Draws episodes from tasks.

    Args:
        tasks: what to learn from; tasks whose dataset has no tokens, or with fewer than three known models, are left.
        tokens (`dict[str, Sequence[np.ndarray]]`): samples `[S, Dd]` of each dataset.
        rows (`dict[str, int]`): row of each model in the views.
        table_weight (`dict[str, float]`, *optional*): factor on a table's share; by default a table is drawn in
            proportion to the square root of its number of datasets.
        models_per_task: models of a task at most.
        models_share: share of a task's models that an episode shows at the least, as far as `models_per_task` allows.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        tokens: Mapping[str, Sequence[np.ndarray]],
        rows: Mapping[str, int],
        *,
        table_weight: Mapping[str, float] | None = None,
        models_per_task: int = 64,
        models_share: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.tokens, self.models_per_task, self.models_share = tokens, models_per_task, models_share
        self.rng = np.random.default_rng(seed)
        self.by_table: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {}
        for task in tasks:
            known = [i for i, model in enumerate(task.models) if model in rows]
            if len(known) < 3 or not tokens.get(task.dataset):
                continue
            index = np.array([rows[task.models[i]] for i in known])
            self.by_table.setdefault(task.table, []).append((task.dataset, index, task.scores[known]))
        if not self.by_table:
            raise ValueError("no task has tokens for its dataset and three known models")
        self.tables = sorted(self.by_table)
        share = [np.sqrt(len(self.by_table[t])) * (table_weight or {}).get(t, 1.0) for t in self.tables]
        self.share = np.array(share) / np.sum(share)

    def fingerprint(self) -> str:
        """Names what is drawn from: tables, datasets, models, results and tokens."""
        digest = hashlib.sha256()
        for table in self.tables:
            for dataset, index, scores in self.by_table[table]:
                digest.update(f"{table}|{dataset}|".encode() + index.tobytes() + scores.tobytes())
                for sample in self.tokens[dataset]:
                    digest.update(np.ascontiguousarray(sample, np.float32).tobytes())
        return digest.hexdigest()[:16]

    def draw(self, size: int) -> Episode:
        """A batch of `size` tasks."""
        drawn = [self._task(self.tables[i]) for i in self.rng.choice(len(self.tables), size, p=self.share)]
        width = max(len(index) for _, index, _ in drawn)
        models = np.zeros((size, width), np.int64)
        ranks = np.full((size, width), NOT_IN_TASK, np.float32)
        numbers = [int(self.rng.integers(len(self.tokens[dataset]))) for dataset, _, _ in drawn]
        for row, (_, index, scores) in enumerate(drawn):
            models[row, : len(index)] = index
            ranks[row, : len(index)] = ranks_of(scores)
        datasets = tuple(dataset for dataset, _, _ in drawn)
        tokens, mask = padded([self.tokens[name][number] for name, number in zip(datasets, numbers, strict=True)])
        return Episode(tokens, mask, torch.from_numpy(models), torch.from_numpy(ranks), datasets, tuple(numbers))

    def _task(self, table: str) -> tuple[str, np.ndarray, np.ndarray]:
        tasks = self.by_table[table]
        dataset, index, scores = tasks[self.rng.integers(len(tasks))]
        most = min(len(index), self.models_per_task)
        count = int(self.rng.integers(max(3, min(most, int(len(index) * self.models_share))), most + 1))
        chosen = self.rng.choice(len(index), count, replace=False)
        return dataset, index[chosen], scores[chosen]


def ranks_of(scores: np.ndarray) -> np.ndarray:
    """Rank of each score, 0 = highest, ties share the best of theirs: float32 `[M]`."""
    return np.searchsorted(np.sort(-scores), -scores, side="left").astype(np.float32)


def padded(samples: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Token samples `[S_i, Dd]` as one batch `[B, S, Dd]` with its mask `[B, S]`."""
    longest = max(len(sample) for sample in samples)
    tokens = torch.zeros(len(samples), longest, samples[0].shape[1])
    mask = torch.zeros(len(samples), longest, dtype=torch.bool)
    for row, sample in enumerate(samples):
        tokens[row, : len(sample)] = torch.from_numpy(np.ascontiguousarray(sample, np.float32))
        mask[row, : len(sample)] = True
    return tokens, mask


def withhold_facts(structure: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Structure views `[..., n, D]` as they would be of models about which less is known.

    Each model loses, independently and with probability `share`, its tensors (set and summary), its costs (GMACs and
    activations together) and its input side; with a quarter of it the number of parameters.
    """
    view = structure.clone()

    def lost(probability: float) -> Tensor:
        return torch.rand(view.shape[:-2], generator=generator) < probability

    tensors = lost(share)
    view[..., 1:, :] = torch.where(tensors[..., None, None], 0.0, view[..., 1:, :])
    view[..., 0, SET_SUMMARY] = torch.where(tensors[..., None], 0.0, view[..., 0, SET_SUMMARY])
    for names, probability in ((("gmacs", "macts"), share), (("input_size",), share), (("params",), share / 4)):
        gone = lost(probability)
        for name in names:
            columns = slice(FACT_COLUMNS[name], FACT_COLUMNS[name] + 2)
            view[..., 0, columns] = torch.where(gone[..., None], 0.0, view[..., 0, columns])
    return view
