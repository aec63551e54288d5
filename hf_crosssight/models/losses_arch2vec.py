"""Losses of the weight encoder: reconstruction, and contrasts between models."""

import torch
from torch import Tensor, nn


def reconstruction_error(predicted: Tensor, target: Tensor, kind: str, weight: Tensor | None = None) -> Tensor:
    """Mean over columns `[..., D]` → `[...]` of the squared error, or of SmoothL1, under weights `[..., D]`."""
    if kind == "smooth_l1":
        error = nn.functional.smooth_l1_loss(predicted, target, reduction="none")
    else:
        error = (predicted - target).square()
    return error.mean(-1) if weight is None else (error * weight).sum(-1) / weight.sum(-1).clamp(min=1)


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values under weights of the same shape; 0 where all weights are 0."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy between two views `[B, P]` of the same B models.

    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (2020), equation 1.
    """
    count = len(first)
    both = nn.functional.normalize(torch.cat([first, second]).float(), dim=-1)
    logits = both @ both.T / temperature
    logits.fill_diagonal_(-torch.inf)
    partner = torch.arange(2 * count, device=both.device).roll(count)
    return nn.functional.cross_entropy(logits, partner)


def source_contrast(projected: Tensor, sources: Tensor, families: Tensor, temperature: float) -> Tensor:
    """Draws models of one source dataset together, across architecture families: supervised contrast.

    Khosla et al., "Supervised Contrastive Learning" (2020), equation 2. Positives share the source and not the family
    (within one, architecture alone would do); sources below 0 are unknown and neither drawn nor pushed.

    Args:
        projected (`Tensor` `[B, P]`).
        sources, families (`Tensor` `[B]`): numbers.
    """
    unit = nn.functional.normalize(projected.float(), dim=-1)
    known = (sources >= 0)[:, None] & (sources >= 0)[None]
    known.fill_diagonal_(False)
    positive = known & (sources[:, None] == sources[None]) & (families[:, None] != families[None])
    logits = (unit @ unit.T / temperature).masked_fill(~known, torch.finfo(torch.float32).min)
    log_share = logits - logits.logsumexp(-1, keepdim=True)
    has_any = positive.any(-1)
    if not has_any.any():
        return projected.sum() * 0.0
    mean = (log_share * positive).sum(-1)[has_any] / positive.sum(-1)[has_any]
    return -mean.mean()
