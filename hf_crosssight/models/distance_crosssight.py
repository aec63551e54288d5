"""How far a dataset is from the training datasets that a ranker keeps, by what their tokens show and say."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

FARTHEST = 2.0
"""Distance to a dataset with which nothing can be compared: that of opposite vectors."""


class ComparableDatasets(NamedTuple):
    """The directions that distances compare, for N datasets; all vectors have length 1 (or 0 where there is none).

    Attributes:
        prototypes (`Tensor` float32 `[N, S, F]`): class prototypes, less `center`.
        prototype_mask (`Tensor` bool `[N, S]`): which of them are there.
        text (`Tensor` float32 `[N, T]`), text_known (`Tensor` bool `[N]`): text embedding.
        center (`Tensor` float32 `[F]`): mean prototype of the reference datasets.
    """

    prototypes: Tensor
    prototype_mask: Tensor
    text: Tensor
    text_known: Tensor
    center: Tensor


def kind_mask(tokens: Tensor, mask: Tensor, layout: dict[str, list[int]], kind: int) -> Tensor:
    """Bool `[..., S]`: real tokens of a kind (0 prototype, 1 global, 2 text)."""
    return mask & (tokens[..., layout["kind"][0] + kind] > 0.5)


def comparable_datasets(
    tokens: Tensor, mask: Tensor, layout: dict[str, list[int]], center: Tensor | None = None
) -> ComparableDatasets:
    """Prepares datasets `[N, S, Dd]`; without a `center` their own is taken (0 if fewer than two have images)."""
    is_prototype, is_text = kind_mask(tokens, mask, layout, 0), kind_mask(tokens, mask, layout, 2)
    prototypes = tokens[..., slice(*layout["prototype"])].float()
    if center is None:
        center = prototypes.new_zeros(prototypes.shape[-1])
        if int(is_prototype.any(-1).sum()) > 1:  # one dataset alone would be centred on itself
            center = prototypes[is_prototype].mean(0)
    text = torch.where(is_text.unsqueeze(-1), tokens[..., slice(*layout["text"])].float(), 0.0).sum(-2)
    return ComparableDatasets(
        nn.functional.normalize(prototypes - center, dim=-1),
        is_prototype,
        nn.functional.normalize(text, dim=-1),
        text.abs().sum(-1) > 0,
        center,
    )


class PreparedDatasets:
    """Datasets that are kept in buffers, prepared once for as long as the buffer is the same and unchanged."""

    def __init__(self) -> None:
        self._prepared: tuple[Any, ComparableDatasets] | None = None

    def of(self, tokens: Tensor, mask: Tensor, layout: dict[str, list[int]]) -> ComparableDatasets:
        """Those with tokens `[N, S, Dd]`, of which the masked `[N, S]` are real."""
        key = (tokens, None if tokens.is_inference() else tokens._version, tokens.device)
        if self._prepared is None or self._prepared[0][0] is not tokens or self._prepared[0][1:] != key[1:]:
            self._prepared = (key, comparable_datasets(tokens, mask, layout))
        return self._prepared[1]


def dataset_distances(datasets: ComparableDatasets, references: ComparableDatasets) -> Tensor:
    """Distances `[B, R]` in [0, 2].

    The mean of two cosine distances, each where both sides have it: between images (each class prototype to the
    nearest prototype of the other side, both ways, prototypes centred on the references' mean) and between texts.
    """
    images, images_known = _image_distances(datasets, references)
    texts = 1.0 - datasets.text @ references.text.T
    texts_known = datasets.text_known[:, None] & references.text_known[None]
    count = images_known.float() + texts_known.float()
    mean = (images * images_known + texts * texts_known) / count.clamp(min=1.0)
    return torch.where(count > 0, mean, FARTHEST).clamp(0.0, FARTHEST)


def require_alike(distances: Tensor | None, excluded: Tensor | None) -> None:
    """Raises `ValueError` where distances and references to be left out, `[B, R]` each, are of different shapes."""
    if distances is not None and excluded is not None and distances.shape != excluded.shape:
        raise ValueError(f"exclude_references is {tuple(excluded.shape)}, distances are {tuple(distances.shape)}")


def _image_distances(datasets: ComparableDatasets, references: ComparableDatasets) -> tuple[Tensor, Tensor]:
    own, other = datasets.prototype_mask, references.prototype_mask
    cosines = nn.functional.linear(datasets.prototypes, references.prototypes.flatten(0, 1))  # [B, S, R * T]
    pairs = 1.0 - cosines.unflatten(-1, other.shape).transpose(1, 2)  # [B, R, S, T]
    pairs = pairs.masked_fill(~(own[:, None, :, None] & other[None, :, None, :]), FARTHEST)
    there = _masked_mean(pairs.amin(3), own[:, None])
    back = _masked_mean(pairs.amin(2), other[None])
    return (there + back) / 2.0, own.any(-1)[:, None] & other.any(-1)[None]


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    mask = mask.expand(values.shape)
    return (values * mask).sum(-1) / mask.sum(-1).clamp(min=1)
