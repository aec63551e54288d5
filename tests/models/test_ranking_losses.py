"""Values worked out by hand, and the properties that a loss of lists must have."""

from __future__ import annotations

import math

import pytest
import torch

from hf_crosssight.models.ranking_losses import (
    gaussian_rank_mse,
    gaussian_targets,
    listmle,
    weighted_pairwise_logistic,
)


def thesis_loss(scores: list[float], best_first: list[int], temperature: float) -> float:
    """The formula of the thesis, term by term."""
    ordered = [scores[i] / temperature for i in best_first]
    return sum(math.log(sum(math.exp(s) for s in ordered[m:])) - ordered[m] for m in range(len(ordered)))


def test_listmle_of_three_by_hand():
    # order b, a, c: log(e + e^2 + 1) - 2, then log(e + 1) - 1, then 0
    by_hand = math.log(math.e + math.e**2 + 1) - 2 + math.log(math.e + 1) - 1
    loss = listmle(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, 0.0, 2.0]))
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.1])
def test_listmle_is_the_thesis_formula(temperature):
    scores, best_first = [0.2, 0.9, 0.55, 0.4], [2, 1, 3, 0]
    ranks = torch.tensor([float(best_first.index(i)) for i in range(4)])
    loss = listmle(torch.tensor(scores), ranks, temperature)
    assert loss.item() == pytest.approx(thesis_loss(scores, best_first, temperature), rel=1e-5)


def test_listmle_ties_compete_with_each_other():
    # ranks 0, 1, 1: both of the tied take {2, 3} as rivals, in either order
    scores = torch.tensor([0.5, 1.5, -0.5])
    rivals = math.log(math.exp(1.5) + math.exp(-0.5))
    by_hand = math.log(math.exp(0.5) + math.exp(1.5) + math.exp(-0.5)) - 0.5 + (rivals - 1.5) + (rivals + 0.5)
    assert listmle(scores, torch.tensor([0.0, 1.0, 1.0])).item() == pytest.approx(by_hand, rel=1e-6)
    assert listmle(scores.flip(0), torch.tensor([1.0, 1.0, 0.0])).item() == pytest.approx(by_hand, rel=1e-6)


def test_gaussian_targets_are_normal_quantiles():
    targets = gaussian_targets(torch.tensor([0.0, 2.0, 1.0]))
    assert targets.tolist() == pytest.approx([0.967422, -0.967422, 0.0], abs=1e-5)  # quantiles of 1/6, 5/6, 1/2
    tied = gaussian_targets(torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert tied.tolist() == pytest.approx([0.674490, 0.674490, -0.674490, -0.674490], abs=1e-5)


def test_gaussian_mse_by_hand_and_centred():
    ranks, scores = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    target = 0.6744898  # quantile of 3/4
    plain = ((1 - target) ** 2 + target**2) / 2
    assert gaussian_rank_mse(scores, ranks, center=False).item() == pytest.approx(plain, rel=1e-5)
    assert gaussian_rank_mse(scores, ranks).item() == pytest.approx((0.5 - target) ** 2, rel=1e-4)
    assert gaussian_rank_mse(scores + 7, ranks).item() == pytest.approx((0.5 - target) ** 2, rel=1e-4)


def test_pairwise_by_hand():
    # pairs (0,1): 1 + 1/2; (0,2): 1 + 1/3; (1,2): 1/2 + 1/3
    scores = [0.3, 0.1, 0.7]
    pairs = {(0, 1): 1.5, (0, 2): 4 / 3, (1, 2): 5 / 6}
    by_hand = sum(w * math.log(1 + math.exp(scores[j] - scores[i])) for (i, j), w in pairs.items())
    by_hand /= sum(pairs.values())
    loss = weighted_pairwise_logistic(torch.tensor(scores), torch.tensor([0.0, 1.0, 2.0]))
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_pairwise_leaves_ties_out():
    loss = weighted_pairwise_logistic(torch.tensor([0.0, 5.0, -5.0]), torch.tensor([1.0, 1.0, 0.0]))
    # only the pairs of the best (last) with each of the tied count, with equal weights
    by_hand = (math.log(1 + math.exp(5.0)) + math.log(1 + math.exp(10.0))) / 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


LOSSES = [listmle, gaussian_rank_mse, weighted_pairwise_logistic]


@pytest.mark.parametrize("loss", LOSSES)
def test_unranked_entries_change_nothing(loss):
    scores, ranks = torch.randn(5), torch.tensor([3.0, 0.0, 1.0, 1.0, 4.0])
    wider = torch.cat([scores, torch.tensor([9.0, float("nan")])])
    for absent in (float("nan"), -1.0):
        padded = torch.cat([ranks, torch.tensor([absent, absent])])
        assert loss(wider, padded).item() == pytest.approx(loss(scores, ranks).item(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_order_of_entries_and_gaps_in_ranks_do_not_matter(loss):
    scores, ranks = torch.randn(2, 6), torch.tensor([[0.0, 1, 2, 2, 3, 4], [5.0, 4, 3, 2, 1, 0]])
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(loss(scores[:, order], ranks[:, order]), loss(scores, ranks), rtol=1e-5)
    assert torch.allclose(loss(scores, ranks * 10), loss(scores, ranks), rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_members_broadcast_and_a_right_order_costs_less(loss):
    ranks = torch.tensor([[0.0, 1, 2, 3]])
    good, bad = torch.tensor([1.5, 0.5, -0.5, -1.5]), torch.tensor([-1.5, -0.5, 0.5, 1.5])
    losses = loss(torch.stack([good, bad])[None], ranks[:, None])
    assert losses.shape == (1, 2)
    assert losses[0, 0] < losses[0, 1]
    assert losses[0, 0].item() == pytest.approx(loss(good, ranks[0]).item(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_lists_without_a_pair_cost_nothing_and_gradients_stay_finite(loss):
    scores = torch.randn(3, 4, requires_grad=True)
    ranks = torch.tensor([[-1.0, -1, -1, -1], [0.0, -1, -1, -1], [0.0, -1, 1, -1]])
    losses = loss(scores, ranks)
    assert losses[:2].tolist() == [0.0, 0.0]
    losses.sum().backward()
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[2, [0, 2]].abs().min() > 0
    assert scores.grad[2, [1, 3]].tolist() == [0.0, 0.0]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 scores for 2 ranks"):
        listmle(torch.zeros(3), torch.zeros(2))
