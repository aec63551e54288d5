"""What an encoder sees in one update: which models, which sample of each, and what is changed or hidden of it.

Everything is drawn from one generator, seeded by the epoch, so that a training that is gone on with draws the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.models import Arch2VecConfig
from hf_crosssight.tokens.weights import COLUMNS

from .encoder_corpus import EncoderCorpus

_SIZES = slice(COLUMNS.index("rows"), COLUMNS.index("matrix_known"))
_FEWEST_OF_A_FAMILY = 4


@dataclass(frozen=True)
class EncoderBatch:
    """Arguments of `Arch2VecModel.forward`."""

    tokens: Tensor
    labels: Tensor
    bool_masked_pos: Tensor | None = None
    pair_tokens: Tensor | None = None
    sources: Tensor | None = None
    families: Tensor | None = None

    def share(self, index: int, count: int) -> EncoderBatch:
        """The part of one of `count` processes: every `count`-th model."""
        if count == 1:
            return self
        parts: dict[str, Any] = {n: None if v is None else v[index::count] for n, v in vars(self).items()}
        return EncoderBatch(**parts)

    def arguments(self, device: torch.device | str) -> dict[str, Tensor]:
        """What is there, on a device."""
        return {name: value.to(device) for name, value in vars(self).items() if value is not None}


class TensorTokenBatches:
    """Batches of whole models as tensor tokens.

    Args:
        corpus: training models.
        config: its shares of what is hidden, dropped and changed.
        size (`int`): models in a batch.
        draws (`int`): times that a model is drawn in an epoch.
    """

    def __init__(self, corpus: EncoderCorpus, config: Arch2VecConfig, size: int, draws: int) -> None:
        self.config, self.size, self.draws = config, size, draws
        self.samples = torch.from_numpy(np.ascontiguousarray(corpus.samples)).float()
        self.families, self.sources = _numbers(corpus.families), _numbers(corpus.sources)
        counts = torch.bincount(self.families + 1)[1:]
        self.large = [n for n, count in enumerate(counts.tolist()) if count >= _FEWEST_OF_A_FAMILY]

    def __len__(self) -> int:
        return max(round(len(self.samples) * self.draws / self.size), 1)

    def epoch(self, generator: torch.Generator) -> Iterator[EncoderBatch]:
        """The batches of one epoch: some of one family, the rest of all."""
        for _ in range(len(self)):
            rows = torch.randperm(len(self.samples), generator=generator)
            if self.large and _chance(self.config.family_batches, (1,), generator).item():
                family = self.large[int(torch.randint(len(self.large), (1,), generator=generator))]
                rows = rows[self.families[rows] == family]
            yield self._batch(rows[: self.size], generator)

    def _batch(self, rows: Tensor, generator: torch.Generator) -> EncoderBatch:
        first, second = self._two_samples(rows, generator)
        tokens, labels = self._changed(first, generator), first
        valid = tokens[..., 0] > 0.5
        hidden = _chance(self.config.mask_share, valid.shape, generator) & valid
        hidden[:, 0] = False
        contrasted = "source" in self.config.loss
        return EncoderBatch(
            tokens,
            torch.where(valid[..., None], labels, 0.0),
            hidden,
            self._changed(second, generator),
            self.sources[rows] if contrasted else None,
            self.families[rows] if contrasted else None,
        )

    def _two_samples(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The two disjoint samples of each model in random order; now and then the first is the whole model."""
        if self.samples.shape[1] < 3:
            return self.samples[rows, 0], self.samples[rows, 0]
        swap = torch.randint(2, (len(rows),), generator=generator)
        whole = _chance(0.3, (len(rows),), generator)
        return self.samples[rows, torch.where(whole, 0, 1 + swap)], self.samples[rows, 2 - swap]

    def _changed(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """A copy with noise on all that is no flag, without some tensors, sizes and summaries."""
        config = self.config
        factor = 1 + config.noise * torch.randn(tokens.shape, generator=generator)
        factor[:, 1:, : _SIZES.stop] = 1.0
        factor[..., 0] = 1.0
        tokens = tokens * factor
        gone = _chance(config.token_dropout, tokens.shape[:2], generator)
        gone[:, 0] = _chance(config.summary_dropout, tokens.shape[:1], generator)
        tokens[gone] = 0.0
        unnamed = _chance(config.identity_dropout, tokens.shape[:1], generator)
        tokens[unnamed, 1:, _SIZES] = 0.0
        return tokens


class ChunkBatches:
    """Batches of chunks, whichever model they are of; each is seen once in an epoch.

    Args:
        corpus: training models.
        size (`int`): chunks in a batch.
    """

    def __init__(self, corpus: EncoderCorpus, size: int) -> None:
        rows = corpus.samples.reshape(-1, corpus.samples.shape[-1])
        self.chunks, self.size = torch.from_numpy(rows[rows[:, 0] > 0.5]), size

    def __len__(self) -> int:
        return -(-len(self.chunks) // self.size)

    def epoch(self, generator: torch.Generator) -> Iterator[EncoderBatch]:
        """The batches of one epoch."""
        for rows in torch.randperm(len(self.chunks), generator=generator).split(self.size):
            chunks = self.chunks[rows].float()[:, None]
            yield EncoderBatch(chunks, chunks)


def batches_of(
    corpus: EncoderCorpus, config: Arch2VecConfig, size: int, draws: int
) -> TensorTokenBatches | ChunkBatches:
    """The batches that a configuration's preset learns from; a batch of chunks holds eight times as many rows."""
    if config.input_kind == "chunks":
        return ChunkBatches(corpus, 8 * size)
    return TensorTokenBatches(corpus, config, size, draws)


def _chance(share: float, shape: tuple[int, ...] | torch.Size, generator: torch.Generator) -> Tensor:
    """True with a probability of `share`."""
    return torch.rand(shape, generator=generator) < share


def _numbers(names: tuple[str, ...]) -> Tensor:
    """A number for each distinct name, -1 for an empty one."""
    known = {name: number for number, name in enumerate(sorted(set(names) - {""}))}
    return torch.tensor([known.get(name, -1) for name in names])
