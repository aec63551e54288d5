"""The six-layer ranker of the thesis and the rankers that it is compared with: training one, asking one.

Two liberties that time on two cores asks for: the width is 128, and the training makes hundreds of updates where the
thesis made millions. Loss (ListMLE on sigmoid scores) and temperature (1 to 0.1 over the training) are the preset's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import CrossSightModel
from hf_crosssight.models.configuration_crosssight import PRESETS
from hf_crosssight.peers import Candidates, History, Ranker, Target, make_peer
from hf_crosssight.peers.model_spider import ModelSpiderConfig
from hf_crosssight.tokens.dataset import DatasetTokens, prototype_tokens
from hf_crosssight.training import RankerRecipe, TrainedRanker, train_ranker
from hf_crosssight.zoo.index import ZooIndex

from .model_tokens import AUTOENCODER, CONTRASTIVE, LEARNED, NONE, STATISTICS

STEPS, BATCH, LEARNING_RATE = 240, 8, 1e-3
_WIDTH = {"hidden_size": 128, "intermediate_size": 512}
_JOINT = {"joint_attention": True, "model_self_attention": False, "encoder_layers": 0}
_SPIDER_COUNTS = (0, 4, 5)  # token samples that Model Spider learns from: one, five and ten images a class


@dataclass(frozen=True)
class Variant:
    """A ranker: what its model tokens are made of, and what of the preset is changed."""

    token: str
    changes: Mapping[str, Any]


THESIS = "thesis"
VARIANTS = {
    THESIS: Variant(AUTOENCODER, {}),
    "cross 1": Variant(AUTOENCODER, {"encoder_layers": 1, "decoder_layers": 1}),
    "self 6": Variant(AUTOENCODER, _JOINT),
    "self 1": Variant(AUTOENCODER, {**_JOINT, "decoder_layers": 1}),
    "learned tokens": Variant(LEARNED, {}),
    "statistics": Variant(STATISTICS, {}),
    "contrastive": Variant(CONTRASTIVE, {}),
    "none": Variant(NONE, {}),
}


def fitted(
    variant: str, tasks: Sequence[Task], zoo: ZooIndex, tokens: Mapping[str, Sequence[DatasetTokens]], seed: int
) -> TrainedRanker:
    """A ranker trained on the tasks; nothing is chosen by validation, every update is made."""
    recipe = RankerRecipe(
        steps=STEPS, batch=BATCH, learning_rate=LEARNING_RATE, facts_withheld=0.0, consistency=0.0, anchor=0.0,
        gates=(1.0,), validate_every=20, seed=seed,
    )  # fmt: skip
    config = {**PRESETS["thesis"], **_WIDTH, **VARIANTS[variant].changes, "family_gates": {}}
    return train_ranker(tasks, zoo, tokens, recipe=recipe, config=config)


def scores_of(model: CrossSightModel, zoo: ZooIndex, models: Sequence[str], tokens: DatasetTokens) -> np.ndarray:
    """Scores of some models on a dataset `[m]`."""
    rows = {model_id: row for row, model_id in enumerate(zoo.model_ids)}
    index = [rows[one] for one in models]
    views = {name: np.asarray(view, np.float32)[index] for name, view in zoo.views.items()}
    return np.asarray(model.score_zoo(tokens.values, views).scores[0].numpy(), np.float64)


def parameters(model: CrossSightModel) -> int:
    """Learnt numbers of a ranker."""
    return sum(parameter.numel() for parameter in model.parameters())


def fitted_spider(tasks: Sequence[Task], tokens: Mapping[str, Sequence[DatasetTokens]], seed: int) -> Ranker:
    """Model Spider on the same results and images; each dataset is seen through three of its token samples."""
    models = sorted({model for task in tasks for model in task.models})
    at = {model: row for row, model in enumerate(models)}
    accuracies = np.full((len(models), len(tasks)), np.nan)
    for column, task in enumerate(tasks):
        accuracies[[at[model] for model in task.models], column] = task.scores
    names = tuple(f"{task.dataset}#{count}" for count in _SPIDER_COUNTS for task in tasks)
    prototypes = tuple(prototype_tokens(tokens[task.dataset][count]) for count in _SPIDER_COUNTS for task in tasks)
    history = History(_plain(models), names, np.tile(accuracies, (1, len(_SPIDER_COUNTS))), prototypes)
    return make_peer("model_spider", ModelSpiderConfig(top_k=0, seed=seed)).fit(history)


def spider_scores(ranker: Ranker, models: Sequence[str], tokens: DatasetTokens) -> np.ndarray:
    """Scores of some models on a dataset `[m]`."""
    return ranker.score(Target(_plain(models), prototype_tokens(tokens)))


def _plain(models: Sequence[str]) -> Candidates:
    return Candidates(tuple(models), np.zeros((len(models), 0)))
