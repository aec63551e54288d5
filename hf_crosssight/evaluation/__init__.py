"""How good a ranking is: metrics, baselines, blind splits and reports."""

from .metrics import (
    kendall_tau,
    ndcg_at_k,
    pair_accuracy,
    regret_at_k,
    weighted_tau,
    weighted_tau_true_rank,
)

__all__ = [
    "kendall_tau",
    "ndcg_at_k",
    "pair_accuracy",
    "regret_at_k",
    "weighted_tau",
    "weighted_tau_true_rank",
]
