"""Training of rankers: episodes, the recipe, the trainer."""

from .recipe import RankerRecipe
from .trainer import TrainedRanker, save_ranker, split_by_parent, train_ranker

__all__ = ["RankerRecipe", "TrainedRanker", "save_ranker", "split_by_parent", "train_ranker"]
