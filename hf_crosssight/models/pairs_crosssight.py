"""What forest and perceptrons read of a model and a dataset: plain numbers, probe results near the dataset among them.

The probe view says how well a model's features do on a few labelled tasks. Tokens of those very tasks, the *anchors*,
are kept in the ranker: how near the dataset is to each says whose results count for it. A softmax of the distances
weighs them, which is cross-attention from the dataset to the anchors with the model's results as values.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .configuration_crosssight import CrossSightConfig
from .dataset_crosssight import reduce_tokens
from .distance_crosssight import comparable_datasets, dataset_distances, kind_mask

_WIDTHS = (0.03, 0.1)  # of the softmax over anchors, in cosine distance: the nearest one or two, and most of them


class CrossSightPairFeatures(nn.Module):
    """Features `[B, M, F]` of M models on B datasets.

    Their columns: the weights view (its summary, mean and spread over its rows; NaN for a model without), the probe
    view, the summary of the structure view, the probe results by nearness and what they are above the model's mean,
    the principal components of the datasets' global tokens and mean prototypes, the global token's first counts, the
    distances to the anchors, and the match of the words. Trees do not read the columns of the weights.
    """

    anchor_tokens: Tensor
    anchor_mask: Tensor
    descriptor_center: Tensor
    descriptor_directions: Tensor

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.layout = config.dataset_layout
        self.tasks, self.statistics = config.probe_layout
        self.structure_columns = config.forest_views["structure"][1] - 1
        self.probe_columns = config.forest_views["probe"][1] - 1
        self.weights_width = 3 * (config.forest_views["weights"][1] - 1)
        self.descriptors, self.counts = config.forest_descriptors, 4
        prototype, whole = (stop - start for start, stop in (self.layout["prototype"], self.layout["global"]))
        shape = (self.tasks, config.anchor_length)
        self.register_buffer("anchor_tokens", torch.zeros(*shape, config.dataset_token_dim, dtype=torch.float16))
        self.register_buffer("anchor_mask", torch.zeros(*shape, dtype=torch.bool))
        self.register_buffer("descriptor_center", torch.zeros(whole + prototype))
        self.register_buffer("descriptor_directions", torch.zeros(whole + prototype, self.descriptors))

    @property
    def static_width(self) -> int:
        """The first columns, which the dataset does not change."""
        return self.weights_width + self.probe_columns + self.structure_columns

    @property
    def key_width(self) -> int:
        """The columns after those of the weights by which a model is known: its probe view and its structure."""
        return self.static_width - self.weights_width

    def keys(self, views: Mapping[str, Tensor]) -> Tensor:
        """Those columns `[..., key_width]` of views name → `[..., n, Dv]`."""
        return torch.cat([views["probe"][..., 0, 1:].float(), views["structure"][..., 0, 1:].float()], dim=-1)

    @property
    def width(self) -> int:
        """F, the number of columns."""
        near = 2 * len(_WIDTHS) * self.statistics
        return self.static_width + near + self.descriptors + self.counts + self.tasks + 1

    @torch.no_grad()
    def fit(self, anchors: list[Tensor], datasets: list[Tensor]) -> None:
        """Keeps the probe tasks' tokens `[S, Dd]` and the principal directions of the training datasets' tokens."""
        self.anchor_mask.zero_()
        for row, tokens in enumerate(anchors):
            kept = reduce_tokens(tokens, self.layout, self.anchor_tokens.shape[1])
            self.anchor_tokens[row, : len(kept)] = kept.half()
            self.anchor_mask[row, : len(kept)] = True
        values = torch.cat([self._described(t[None], torch.ones(1, len(t), dtype=torch.bool)) for t in datasets])
        self.descriptor_center.copy_(values.mean(0))
        self.descriptor_directions.zero_()
        if len(datasets) < 2:
            return  # one dataset has no direction
        centred = values - values.mean(0)
        scale = centred.std(0).clamp(min=1e-3)
        count = min(self.descriptors, len(datasets) - 1)
        directions = torch.linalg.svd(centred / scale, full_matrices=False).Vh[:count].T / scale[:, None]
        self.descriptor_directions[:, :count] = directions / (centred @ directions).std(0).clamp(min=1e-6)

    def of_dataset(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """What the features take of datasets `[B, S, Dd]`, once for all models: `[B, k]`, the distances last."""
        described = (self._described(tokens, mask) - self.descriptor_center) @ self.descriptor_directions
        start = self.layout["global"][0]
        whole = torch.where(kind_mask(tokens, mask, self.layout, 1).unsqueeze(-1), tokens, 0.0).sum(1)
        counts = whole[:, start : start + self.counts]
        return torch.cat([described, counts, self._anchor_distances(tokens, mask)], dim=-1).float()

    def forward(self, of_dataset: Tensor, views: Mapping[str, Tensor], match: Tensor | None = None) -> Tensor:
        """Takes `of_dataset` `[B, k]`, views name → `[B, M, n, Dv]` and the words' match `[B, M]`."""
        probe, structure = views["probe"][..., 0, 1:].float(), views["structure"][..., 0, 1:].float()
        results = probe[..., : self.tasks * self.statistics].unflatten(-1, (self.tasks, self.statistics))
        mean = results.mean(-2)
        near = []
        for width in _WIDTHS:
            weights = torch.softmax(-of_dataset[:, -self.tasks :] / width, dim=-1)
            attended = torch.einsum("bmts,bt->bms", results, weights)
            near += [attended, attended - mean]
        words = torch.zeros_like(probe[..., 0]) if match is None else torch.nan_to_num(match)
        shared = of_dataset.unsqueeze(1).expand(*probe.shape[:2], -1)
        weights = self._pooled_weights(views.get("weights"), probe)
        return torch.cat([weights, probe, structure, *near, shared, words.unsqueeze(-1)], dim=-1)

    def without_dataset(self, rows: Tensor, center: Tensor) -> Tensor:
        """Features `[N, F]` as on a dataset in the middle: equally near every probe task, the rest as `center`."""
        start, stop = self.weights_width, self.weights_width + self.tasks * self.statistics
        mean = rows[:, start:stop].unflatten(-1, (self.tasks, self.statistics)).mean(-2)
        near = torch.cat([mean, torch.zeros_like(mean)] * len(_WIDTHS), dim=-1)
        shared = center[self.static_width + near.shape[1] :].expand(len(rows), -1)
        return torch.cat([rows[:, : self.static_width], near, shared.to(rows.dtype)], dim=-1)

    def _pooled_weights(self, view: Tensor | None, like: Tensor) -> Tensor:
        """Summary, mean and spread of the rows of a weights view `[B, M, n, Dv]`."""
        if view is None:
            return like.new_full((*like.shape[:2], self.weights_width), torch.nan)
        view = view.float()
        there = view[..., 1:, :1] > 0.5
        count = there.sum(-2).clamp(min=1)
        mean = (view[..., 1:, 1:] * there).sum(-2) / count
        spread = (((view[..., 1:, 1:] - mean.unsqueeze(-2)) * there) ** 2).sum(-2).div(count).sqrt()
        pooled = torch.cat([view[..., 0, 1:], mean, spread], dim=-1)
        return torch.where(view[..., 0, :1] > 0.5, pooled, torch.nan)

    def _anchor_distances(self, tokens: Tensor, mask: Tensor) -> Tensor:
        anchors = comparable_datasets(self.anchor_tokens, self.anchor_mask, self.layout)
        anchors = anchors._replace(text_known=torch.zeros_like(anchors.text_known))
        return dataset_distances(comparable_datasets(tokens, mask, self.layout, anchors.center), anchors)

    def _described(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Global token and mean prototype of each dataset `[B, k]`."""
        prototypes = kind_mask(tokens, mask, self.layout, 0).unsqueeze(-1)
        count = prototypes.sum(1).clamp(min=1)
        mean = torch.where(prototypes, tokens, 0.0).sum(1)[:, slice(*self.layout["prototype"])] / count
        whole = torch.where(kind_mask(tokens, mask, self.layout, 1).unsqueeze(-1), tokens, 0.0).sum(1)
        return torch.cat([whole[:, slice(*self.layout["global"])], nn.functional.normalize(mean, dim=-1) * 4], -1)
