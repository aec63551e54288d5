"""Training the perceptrons of a ranker: small networks on what trees and linear map read of a model and a dataset.

They learn the same targets by squared error (AdamW, a cosine schedule, dropout of features and of hidden units), each
ensemble member on rows and with weights of its own. Trees cut and a linear map cannot bend; perceptrons are smooth,
and beside both they rank unseen models of known families better than both alone (`ranker_trials.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from hf_crosssight.models.forest_crosssight import CrossSightPerceptrons

Progress = Callable[[str, int, int | None], None]
_TOLD_EVERY = 50  # updates


@dataclass(frozen=True)
class PerceptronRecipe:
    """How to train.

    Attributes:
        width: units of each of the two hidden layers; 0: no perceptrons.
        share: theirs in the score, beside trees and linear map.
        steps, batch: updates, and rows of a member in each.
        rate, decay: of AdamW; the rate falls to zero along a cosine.
        features, units: share of the features and of the hidden units that is left out of a row.
    """

    width: int = 128
    share: float = 0.7
    steps: int = 450
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1e-2
    features: float = 0.1
    units: float = 0.3


@torch.enable_grad()
def fit_perceptrons(
    module: CrossSightPerceptrons, samples: Tensor, targets: Tensor, weights: Tensor, recipe: PerceptronRecipe,
    seed: int, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Fills the module's buffers.

    Args:
        module: `members` perceptrons.
        samples: standardised features `[S, N, F]` of S token samples, which the members share out.
        targets: `[N]`.
        weights: of each row for each member `[N, members]`, of mean one.
        recipe: see there.
        seed: of the first weights, the batches and the dropout; the state of torch's own generator is left as it is.
        progress (*optional*): called as `progress(step, done, total)`.
    """
    rows, members = samples.shape[1], weights.shape[1]
    sample = torch.arange(members)[:, None] % len(samples)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of this processor alone
        learnt = {name: _first(name, value).requires_grad_() for name, value in module.named_buffers()}
        optimizer = torch.optim.AdamW(list(learnt.values()), lr=recipe.rate, weight_decay=recipe.decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
        for step in range(recipe.steps):
            if progress is not None and step % _TOLD_EVERY == 0:
                progress("training perceptrons", step, recipe.steps)
            chosen = torch.randint(rows, (recipe.batch, members))
            given = samples[sample, chosen.T], (recipe.features, recipe.units)
            errors = functional_call(module, learnt, given) - targets[chosen]
            loss = (weights.gather(0, chosen) * errors**2).mean(0).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    for name, value in module.named_buffers():
        value.copy_(learnt[name].detach())


def _first(name: str, like: Tensor) -> Tensor:
    """Uniform weights for `like` `[members, given, made]`, as wide as one over the root of what a unit is given."""
    if name.endswith("bias"):
        return torch.zeros(like.shape)
    return (torch.rand(like.shape) * 2.0 - 1.0) / like.shape[1] ** 0.5
