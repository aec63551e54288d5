"""Losses of a list of scores against a list of ranks.

Every loss takes `scores` `[..., M]` (higher = better) and `ranks` `[..., M]` (0 = best; any rising numbers will do,
ties share one; NaN or a negative number = not in this list), broadcast against each other, and gives one value per
list `[...]`. Lists with fewer than two ranked entries cost 0. All are computed in float32.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def ranked(ranks: Tensor) -> Tensor:
    """Which entries are in the list: bool, same shape."""
    return torch.isfinite(ranks) & (ranks >= 0)


def listmle(scores: Tensor, ranks: Tensor, temperature: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """Negative log-likelihood of the true order under Plackett-Luce, summed over the list.

    Xia et al., ListMLE, ICML 2008; with the temperature of the Cross-Sight thesis: the sum over positions m of
    `log sum_{j >= m} exp(s_j / T) - s_m / T`, positions in the true order. Tied entries compete with each other: each
    takes its whole tie group and everything below it as rivals (Breslow's rule), so no arbitrary order enters.
    """
    scores, ranks, valid = _aligned(scores, ranks, mask)
    key, order = ranks.masked_fill(~valid, torch.inf).sort(dim=-1, stable=True)
    taking_part = valid.gather(-1, order)
    scaled = (scores / temperature).gather(-1, order)
    rivals = scaled.masked_fill(~taking_part, torch.finfo(scaled.dtype).min)
    log_sums = rivals.flip(-1).logcumsumexp(-1).flip(-1)
    first_of_tie = torch.searchsorted(key.contiguous(), key.contiguous(), side="left")
    terms = log_sums.gather(-1, first_of_tie) - scaled
    return _per_list(terms.masked_fill(~taking_part, 0.0), valid).sum(-1)


def gaussian_rank_mse(scores: Tensor, ranks: Tensor, mask: Tensor | None = None, center: bool = True) -> Tensor:
    """Mean squared error against gaussianised ranks.

    Args:
        center (`bool`): compare scores less their mean over the list; lists from different zoos share no zero.
    """
    scores, ranks, valid = _aligned(scores, ranks, mask)
    count = valid.sum(-1, keepdim=True).clamp(min=1)
    target = gaussian_targets(ranks, valid)
    if center:
        scores = scores - scores.masked_fill(~valid, 0.0).sum(-1, keepdim=True) / count
    errors = ((scores - target) ** 2).masked_fill(~valid, 0.0)
    return _per_list(errors, valid).sum(-1) / count.squeeze(-1)


def gaussian_targets(ranks: Tensor, valid: Tensor | None = None) -> Tensor:
    """Normal quantiles of the ranks, best highest: `-ndtri((r + 1/2) / n)`, mean rank for ties; 0 if not ranked."""
    valid = ranked(ranks) if valid is None else valid
    below, tied = _comparisons(ranks, valid)
    mean_rank = below.sum(-1) + (tied.sum(-1) - 1).clamp(min=0) / 2.0
    count = valid.sum(-1, keepdim=True).clamp(min=1)
    quantile = ((mean_rank + 0.5) / count).clamp(1e-6, 1.0 - 1e-6)
    return torch.special.ndtri(quantile.float()).neg().masked_fill(~valid, 0.0)


def weighted_pairwise_logistic(
    scores: Tensor, ranks: Tensor, temperature: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """Logistic loss of every pair that is not tied, weighted as the weighted Kendall tau weighs it.

    The weight of a pair is `1/(r_i + 1) + 1/(r_j + 1)`, r the true rank from 0 (Vigna, A weighted correlation index
    for rankings with ties, WWW 2015: additive hyperbolic weights); the weights of a list sum to 1.
    """
    scores, ranks, valid = _aligned(scores, ranks, mask)
    better_than, _ = _comparisons(ranks, valid)  # [..., i, j]: j is better than i
    hyperbolic = 1.0 / (better_than.sum(-1).float() + 1.0)
    weights = (hyperbolic.unsqueeze(-1) + hyperbolic.unsqueeze(-2)) * better_than
    gaps = (scores.unsqueeze(-2) - scores.unsqueeze(-1)) / temperature  # [..., i, j]: s_j - s_i
    total = weights.sum((-1, -2)).clamp(min=torch.finfo(torch.float32).tiny)
    return (weights * nn.functional.softplus(-gaps)).sum((-1, -2)) / total


def ensemble_loss(
    members: Tensor,
    ranks: Tensor,
    losses: Mapping[str, float],
    temperature: float,
    *,
    center: bool = True,
    member_weights: Tensor | None = None,
) -> Tensor:
    """Mean over tasks and ensemble members of weighted losses; tasks with fewer than two ranks count not.

    Args:
        members (`Tensor` `[B, M, E]`): scores by each ensemble member.
        ranks (`Tensor` `[B, M]`): as for every loss.
        losses (`dict`): `listmle`, `gaussian_mse`, `pairwise` → weight.
        temperature (`float`): of `listmle` and `pairwise`.
        center (`bool`): of `gaussian_mse`.
        member_weights (`Tensor` `[B, E]`, *optional*): weight of each task in each member's loss.
    """
    if ranks.shape != members.shape[:2]:
        raise ValueError(f"ranks are {tuple(ranks.shape)}, expected {tuple(members.shape[:2])}")
    scores, ranks = members.transpose(1, 2), ranks.unsqueeze(1)
    named = {
        "listmle": lambda: listmle(scores, ranks, temperature),
        "gaussian_mse": lambda: gaussian_rank_mse(scores, ranks, center=center),
        "pairwise": lambda: weighted_pairwise_logistic(scores, ranks, temperature),
    }
    per_task = torch.stack([weight * named[name]() for name, weight in losses.items() if weight]).sum(0)
    counts = (ranked(ranks).sum(-1) > 1).float().expand(per_task.shape)
    weights = counts if member_weights is None else counts * member_weights
    return (per_task * weights).sum() / weights.sum().clamp(min=torch.finfo(torch.float32).tiny)


def _aligned(scores: Tensor, ranks: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Float32 scores, ranks and who takes part, broadcast; entries that do not take part are 0, so no NaN spreads."""
    if scores.shape[-1] != ranks.shape[-1]:
        raise ValueError(f"{scores.shape[-1]} scores for {ranks.shape[-1]} ranks")
    valid = ranked(ranks) if mask is None else ranked(ranks) & mask.bool()
    scores, ranks, valid = torch.broadcast_tensors(scores.float(), ranks.float(), valid)
    return torch.where(valid, scores, 0.0), torch.where(valid, ranks, 0.0), valid


def _comparisons(ranks: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Bool `[..., i, j]`: j is better than i; j is tied with i (itself included). False where either is not ranked."""
    both = valid.unsqueeze(-1) & valid.unsqueeze(-2)
    own, other = ranks.unsqueeze(-1), ranks.unsqueeze(-2)
    return (other < own) & both, (other == own) & both


def _per_list(terms: Tensor, valid: Tensor) -> Tensor:
    return terms * (valid.sum(-1, keepdim=True) > 1)
