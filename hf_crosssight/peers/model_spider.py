"""Model Spider: a learned token for every model, matched with the classes of a dataset by one attention layer.

Source: Zhang, Huang, Ding, Zhan, Ye, "Model Spider: learning to rank pre-trained models efficiently" (NeurIPS 2023),
sections 3.2 to 3.4, and its public code. For each model the sequence [model token; class prototypes] passes one
single-head self-attention layer with a residual and a layer norm; the model's place gives its score; models never see
each other. Training minimises ListMLE over past datasets. Re-ranking: the best k are scored again with the prototypes
of the target's classes in the model's own features appended; training appends them to a random few models.

What differs: a model that is not in the history has no learned token and gets the mean of all, as it must (its score
is then that of an average model, and all blind models tie); candidates that are all blind are an error. The published
k is chosen on the test sets; here it is a setting. Tokens are standardised by the history. The width is less than the
paper's 1,024, which tens of datasets cannot fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hf_crosssight.errors import UserError
from hf_crosssight.models.single_thread_crosssight import single_threaded

from .history import Array, History, Target, known_rows
from .scaling import Scaling


@dataclass(frozen=True)
class ModelSpiderConfig:
    """width of tokens; epochs over the history; top_k models that re-ranking scores again; extra: in training, up to
    so many models of a step have prototypes of their own."""

    width: int = 64
    epochs: int = 100
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    dropout: float = 0.1
    top_k: int = 3
    extra: int = 10
    seed: int = 0


class SpiderNetwork(nn.Module):
    """The network: tokens `[M, d]`, projections into d, one attention layer, a head."""

    def __init__(self, models: int, size: int, own_sizes: Mapping[int, int], config: ModelSpiderConfig) -> None:
        super().__init__()
        width = config.width
        self.tokens = nn.Parameter(torch.randn(models, width) * width**-0.5)
        self.prototypes = nn.Linear(size, width)
        self.own = nn.ModuleDict({str(row): nn.Linear(dims, width) for row, dims in own_sizes.items()})
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.norm, self.head_norm, self.head = nn.LayerNorm(width), nn.LayerNorm(width), nn.Linear(width, 1)
        self.dropout = nn.Dropout(config.dropout)

    def mean_token(self) -> Tensor:
        """What a blind model gets, `[d]`."""
        return self.tokens.mean(dim=0)

    def forward(self, tokens: Tensor, prototypes: Tensor, own: Mapping[int, Tensor]) -> Tensor:
        """`[m]` scores of model tokens `[m, d]` on prototypes `[S, E]`; `own` has projected `[S, d]` by position."""
        shared = self.dropout(self.prototypes(prototypes))
        keys, values = self.key(shared), self.value(shared)
        query, self_key, self_value = self.query(tokens), self.key(tokens), self.value(tokens)
        # Only the model's own place is read, so only its query is asked.
        logits = torch.cat([(query * self_key).sum(-1, keepdim=True), query @ keys.T], dim=1) * tokens.shape[1] ** -0.5
        weights = logits.softmax(dim=1)
        mixed = weights[:, :1] * self_value + weights[:, 1:] @ values
        if own:
            places = torch.tensor(list(own))
            mixed = mixed.index_copy(
                0, places, torch.stack([self._with_own(p, logits, mixed, query, own) for p in own])
            )
        return self.head(self.head_norm(self.norm(tokens + mixed))).squeeze(-1)

    def _with_own(self, place: int, logits: Tensor, mixed: Tensor, query: Tensor, own: Mapping[int, Tensor]) -> Tensor:
        """The attended value `[d]` of one model whose sequence goes on with its own prototypes."""
        more = query[place] @ self.key(own[place]).T * query.shape[1] ** -0.5
        # Two softmaxes joined by their normalisers are the softmax over both.
        share = torch.stack([logits[place].logsumexp(0), more.logsumexp(0)]).softmax(0)
        return share[0] * mixed[place] + share[1] * (more.softmax(0) @ self.value(own[place]))


class ModelSpider:
    """Learned model tokens, attention over class prototypes, re-ranking of the best k."""

    def __init__(self, config: ModelSpiderConfig | None = None) -> None:
        self.config = config or ModelSpiderConfig()

    @single_threaded
    def fit(self, history: History) -> ModelSpider:
        """Trains tokens and network on the history; the same seed gives the same ranker."""
        self._known = history.models.ids
        self._scaling = Scaling.of(np.concatenate(history.tokens))
        tokens = [_tensor(self._scaling(array)) for array in history.tokens]
        at = {model: row for row, model in enumerate(self._known)}
        columns = {dataset: d for d, dataset in enumerate(history.datasets)}
        specific = {(at[m], columns[d]): array for (m, d), array in history.specific.items()}
        self._own_scaling = {
            row: Scaling.of(np.concatenate([array for (one, _), array in specific.items() if one == row]))
            for row in sorted({row for row, _ in specific})
        }
        own = {pair: _tensor(self._own_scaling[pair[0]](array)) for pair, array in specific.items()}
        sizes = {row: scaling.mean.shape[0] for row, scaling in self._own_scaling.items()}
        with _seeded(self.config.seed):
            self.network = SpiderNetwork(len(self._known), tokens[0].shape[1], sizes, self.config)
            self._train(history, tokens, own)
        return self

    def _train(self, history: History, tokens: list[Tensor], own: Mapping[tuple[int, int], Tensor]) -> None:
        rng = np.random.default_rng(self.config.seed)
        optimiser = torch.optim.AdamW(
            self.network.parameters(), self.config.learning_rate, weight_decay=self.config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.config.epochs * len(tokens))
        self.network.train()
        for _ in range(self.config.epochs):
            for d in rng.permutation(len(tokens)):
                rows, accuracies = history.measured(int(d))
                order = rows[np.argsort(-accuracies, kind="stable")]
                with_own = [place for place, row in enumerate(order) if (int(row), int(d)) in own]
                chosen = rng.permutation(np.array(with_own, dtype=np.int64))[: rng.integers(0, self.config.extra + 1)]
                extra = {int(p): self._project(int(order[p]), own[int(order[p]), int(d)]) for p in chosen}
                loss = list_mle(self.network(self.network.tokens[order.tolist()], tokens[d], extra))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        self.network.eval()

    def _project(self, row: int, prototypes: Tensor) -> Tensor:
        return self.network.own[str(row)](prototypes)

    @single_threaded
    @torch.no_grad()
    def score(self, target: Target) -> Array:
        """`[M]`; the best `top_k` of them re-ranked where `target.specific` has their prototypes.

        Raises `UserError` where no candidate is known.
        """
        rows = known_rows(self._known, target.models)
        if (rows < 0).all():
            raise UserError(
                "model_spider has learned no token of any of these models: they would all tie",
                "add models of its history, or rank by a method that reads a new model",
            )
        mean = self.network.mean_token()
        tokens = torch.stack([self.network.tokens[row] if row >= 0 else mean for row in rows.tolist()])
        prototypes = _tensor(self._scaling(target.tokens))
        found = self.network(tokens, prototypes, {})
        own = {}
        for place in torch.argsort(found, descending=True, stable=True)[: self.config.top_k].tolist():
            row, model = int(rows[place]), target.models.ids[place]
            if row in self._own_scaling and model in target.specific:
                own[place] = self._project(row, _tensor(self._own_scaling[row](target.specific[model])))
        if own:
            found = self.network(tokens, prototypes, own)
        return found.numpy().astype(np.float64)


def list_mle(scores: Tensor) -> Tensor:
    """ListMLE (Xia et al., 2008) of scores `[m]` in the true order, best first, as a mean over the places."""
    rest = scores.flip(0).logcumsumexp(0).flip(0)
    return (rest - scores).mean()


def _tensor(array: Array) -> Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.float32)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's generator from `seed` inside, as it was outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
