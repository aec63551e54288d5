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
        learning_rate: peak of a one-cycle schedule (AdamW).
        weight_decay: of AdamW.
        facts_withheld: share of models that lose tensors, costs or input side in an update.
        consistency: weight of the squared difference of a model's scores with and without those facts, over `batch`
            unlabelled models of the zoo.
        consistency_models: models that this is measured on in an update.
        patience: validations without a better one after which training stops.
        validate_every: updates between two validations.
        gates: factors on the dataset's part to choose from on the validation datasets.
        table_weight: factor on a table's share of the episodes.
        seed: of everything drawn.
    """

    steps: int = 600
    batch: int = 8
    models_per_task: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    facts_withheld: float = 0.3
    consistency: float = 1.0
    consistency_models: int = 96
    patience: int = 4
    validate_every: int = 75
    gates: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    table_weight: Mapping[str, float] = field(default_factory=lambda: {"timm_accuracy": 1.0})
    seed: int = 0
