"""Training of rankers: episodes, the recipe, the trainer."""

from .recipe import RankerRecipe
from .saving import save_ranker
from .trainer import TrainedRanker, train_ranker

__all__ = ["RankerRecipe", "TrainedRanker", "save_ranker", "train_ranker"]
