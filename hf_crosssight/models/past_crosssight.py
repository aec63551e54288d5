"""What known models did on the training datasets, recalled for candidates that are these very models.

A copy of a model under another name is the same model: it is known by its views, never by its id. Its past results,
gaussianised ranks, are weighed by how near each dataset is to the new one: attention from the dataset to those of the
training, with the model's own results as values (Nadaraya, 1964; Watson, 1964). Every ensemble member weighs the
datasets in its own way beside it (a Bayesian bootstrap), so that the spread says what other datasets would have shown.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .configuration_crosssight import CrossSightConfig
from .dataset_crosssight import padded_references
from .distance_crosssight import PreparedDatasets, comparable_datasets, dataset_distances


class CrossSightPastResults(nn.Module):
    """Results of K models on R datasets.

    Args:
        config (`CrossSightConfig`): its `past_*` fields and the layout of dataset tokens.
        width (`int`): columns of the models' features by which they are known.
    """

    keys: Tensor
    scale: Tensor
    results: Tensor
    measured: Tensor
    member_weights: Tensor
    dataset_tokens: Tensor
    dataset_mask: Tensor

    def __init__(self, config: CrossSightConfig, width: int):
        super().__init__()
        self.layout, self.nearness_width, self.radius = config.dataset_layout, config.past_width, config.past_radius
        self._datasets = PreparedDatasets()
        models, datasets, length = config.past_models, config.past_datasets, config.past_length
        tokens = torch.zeros(datasets, length, config.dataset_token_dim, dtype=torch.float16)
        self.register_buffer("keys", torch.zeros(models, width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("results", torch.zeros(models, datasets))
        self.register_buffer("measured", torch.zeros(models, datasets, dtype=torch.bool))
        self.register_buffer("member_weights", torch.zeros(datasets, config.ensemble_size))
        self.register_buffer("dataset_tokens", tokens)
        self.register_buffer("dataset_mask", torch.zeros(datasets, length, dtype=torch.bool))

    @torch.no_grad()
    def fit(self, keys: Tensor, results: Tensor, datasets: Sequence[Tensor], member_weights: Tensor) -> None:
        """Keeps K models with features `[K, width]` and results `[K, R]` (NaN: none), and R datasets `[S, Dd]`.

        `member_weights` `[R, E]` are positive: what each dataset counts for each ensemble member.
        """
        self.keys.copy_(keys)
        deviations = keys.std(0, correction=0)
        self.scale.copy_(torch.where(deviations > 1e-3, deviations, 1.0))
        self.results.copy_(results.nan_to_num())
        self.measured.copy_(results.isfinite())
        self.member_weights.copy_(member_weights)
        tokens, mask = padded_references(datasets, self.layout, *self.dataset_tokens.shape[1:])
        self.dataset_tokens.copy_(tokens)
        self.dataset_mask.copy_(mask)

    def nearness(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Log weight `[B, R]` of each training dataset for datasets `[B, S, Dd]`, once for all models."""
        kept = self._datasets.of(self.dataset_tokens, self.dataset_mask, self.layout)
        distances = dataset_distances(comparable_datasets(tokens, mask, self.layout, kept.center), kept)
        return -distances / float(self.nearness_width)

    def known_as(self, features: Tensor) -> Tensor:
        """Which of the K models those with features `[N, width]` are, int64 `[N]`; -1 for none of them.

        By differences, not by products: what is recognised must not depend on how many are asked about.
        """
        scale = self.scale.float()
        apart = torch.cdist(
            features.float() / scale, self.keys.float() / scale, compute_mode="donot_use_mm_for_euclid_dist"
        )
        nearest, known = apart.min(1)
        return known.masked_fill(~(nearest <= float(self.radius) * len(scale) ** 0.5), -1)  # NaN is nobody

    def forward(self, features: Tensor, nearness: Tensor) -> Tensor:
        """What members expect of models with features `[N, width]` and log weights `[N, R]`: float32 `[N, E]`.

        NaN for models that are not among the known ones.
        """
        known, member_weights = self.known_as(features), self.member_weights.float()
        weights = torch.softmax(nearness.float().masked_fill(~self.measured[known], -torch.inf), dim=-1)
        expected = (weights * self.results.float()[known]) @ member_weights / (weights @ member_weights)
        return expected.masked_fill((known < 0)[:, None], torch.nan)

    def joined(self, scores: Tensor, features: Tensor, nearness: Tensor, share: float) -> Tensor:
        """Scores `[N, E]` with a share of what is to be expected of known models; the others keep theirs."""
        expected = self(features, nearness).to(scores.dtype)
        return torch.where(expected.isnan(), scores, torch.lerp(scores, expected, share))

    def nearest(self, features: Tensor, nearness: Tensor, count: int) -> list[tuple[int, float]]:
        """Of one model, features `[width]` and log weights `[R]`: its results on the nearest datasets, nearest first.

        Each is the number of the dataset and the share of the models fine-tuned beside it that it is ahead of; nothing
        for a model that is not known.
        """
        known = int(self.known_as(features[None])[0])
        if known < 0:
            return []
        there = nearness.masked_fill(~self.measured[known], -torch.inf)
        chosen = there.argsort(descending=True, stable=True)[: min(count, int(self.measured[known].sum()))]
        shares = torch.special.ndtr(self.results[known, chosen].float())
        return list(zip(chosen.tolist(), shares.tolist(), strict=True))
