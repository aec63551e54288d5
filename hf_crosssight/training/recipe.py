"""`RankerRecipe`: every choice of a ranker's training that is not a field of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RankerRecipe:
    """How to train.

    Attributes:
        steps: updates at most.
        batch: tasks in an update.
        models_per_task: models of a task at most.
        models_share: share of them that an episode shows at the least.
        learning_rate: peak of a one-cycle schedule (AdamW).
        weight_decay: of AdamW.
        facts_withheld: share of models that lose tensors, costs or input side in an update.
        consistency: weight of the squared difference of a model's scores with and without those facts, over `batch`
            unlabelled models of the zoo.
        consistency_models: models that this is measured on in an update.
        patience: validations without a better one after which training stops.
        validate_every: updates between two validations.
        validate_from: share of the updates before the first validation; the learning rate has fallen by then.
        averaging: share of the mean of the weights that an update leaves; the mean is what is validated and kept.
        gates: factors on the dataset's part to choose from on the validation datasets; a single one is taken as it is.
        match_weights: weights of the word match to choose from likewise, beside the one that was learnt. On training
            datasets the network can learn what the match says, so the learnt weight is too small for others.
        anchor: weight of the squared mean score of each member over a few unlabelled models, on each dataset: the
            ranking losses leave it free, and the spread of the members would be that of their zeros.
        table_weight: factor on a table's share of the episodes, 1 where it is not named.
        seed: of everything drawn.
        mixed_precision: `no`, `bf16` or `fp16`; by default what accelerate is configured to.
    """

    steps: int = 600
    batch: int = 8
    models_per_task: int = 64
    models_share: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    facts_withheld: float = 0.3
    consistency: float = 1.0
    consistency_models: int = 96
    patience: int = 4
    validate_every: int = 50
    validate_from: float = 0.5
    averaging: float = 0.97
    gates: tuple[float, ...] = (0.0, 0.5, 1.0)
    match_weights: tuple[float, ...] = (0.15, 0.3)
    anchor: float = 0.1
    table_weight: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    mixed_precision: str | None = None
