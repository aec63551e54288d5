"""Perceptrons learn what neither trees nor a linear map would, the same for a seed, and each member its own."""

from __future__ import annotations

import torch

from hf_crosssight.models.forest_crosssight import CrossSightPerceptrons
from hf_crosssight.training.perceptrons import PerceptronRecipe, fit_perceptrons

RECIPE = PerceptronRecipe(width=32, steps=400, batch=64, rate=1e-2, features=0.0, units=0.0)


def trained(weights: torch.Tensor, seed: int = 0, recipe: PerceptronRecipe = RECIPE) -> CrossSightPerceptrons:
    rows, targets = waves()
    perceptrons = CrossSightPerceptrons(rows.shape[1], recipe.width, weights.shape[1])
    fit_perceptrons(perceptrons, rows[None], targets, weights, recipe, seed)
    return perceptrons


def waves() -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.rand(300, 3, generator=torch.Generator().manual_seed(1)) * 4.0 - 2.0
    return rows, torch.sin(2.0 * rows[:, 0]) * rows[:, 1]


def test_they_learn_a_product_of_waves():
    perceptrons = trained(torch.ones(300, 2))
    rows, targets = waves()
    left = (perceptrons(rows).mean(1) - targets).square().mean()
    linear = torch.linalg.lstsq(rows, targets[:, None])
    assert left < 0.2 * (rows @ linear.solution - targets[:, None]).square().mean()


def test_a_seed_gives_the_same_and_leaves_the_generator_as_it_was():
    state = torch.random.get_rng_state()
    first, again, other = (trained(torch.ones(300, 2), seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["first_weight"], other["first_weight"])


def test_each_member_counts_rows_by_its_own_weights_and_reads_its_own_sample():
    rows, targets = waves()
    weights = torch.ones(300, 2)
    weights[150:, 0], weights[:150, 1] = 0.0, 0.0
    perceptrons = trained(2.0 * weights)
    errors = (perceptrons(rows) - targets[:, None]).square()
    assert errors[:150, 0].mean() < errors[:150, 1].mean()
    assert errors[150:, 1].mean() < errors[150:, 0].mean()
    fit_perceptrons(perceptrons, torch.stack([rows, torch.zeros_like(rows)]), targets, torch.ones(300, 2), RECIPE, 0)
    errors = (perceptrons(rows) - targets[:, None]).square().mean(0)
    assert errors[0] < 0.5 * errors[1]
