"""Ridge regression with nothing to choose, beside `view_worth.py`'s learner, which inner folds choose.

One output a known dataset, as in `view_regression`. A known dataset's score is half its own output and half the mean
of all outputs, an unseen one's is that mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hf_crosssight.evaluation.blind_prediction import with_flag
from hf_crosssight.evaluation.model_splits import Split
from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.evaluation.view_regression import block_scaling, z_targets

STRENGTH, OWN_SHARE = 0.3, 0.5


def predict_steadily(
    views: Sequence[ViewFeatures],
    scores: np.ndarray,
    split: Split,
    *,
    strength: float = STRENGTH,
    own_share: float = OWN_SHARE,
) -> np.ndarray:
    """Scores `[t, m]` of a split's test datasets and test models.

    Args:
        views: of all M models; all have the same weight.
        scores: `[T, M]`, NaN where nothing was measured or may be learnt from.
        split: what may be seen.
        strength: ridge penalty, for features of a variance of one in all.
        own_share: of a known dataset's own output.
    """
    from sklearn.linear_model import Ridge

    rest, known = split.train_models, split.train_datasets
    seen = scores[np.ix_(known, rest)]
    usable = np.isfinite(seen).sum(1) > 2
    known, targets = known[usable], z_targets(seen[usable])
    blocks = [with_flag(view) for view in views]
    scale = block_scaling([block[rest] for block in blocks], None, unit_blocks=True)
    size = np.sqrt(len(blocks))
    model = Ridge(alpha=strength).fit(scale([block[rest] for block in blocks]) / size, targets)
    outputs = model.predict(scale([block[split.test_models] for block in blocks]) / size).reshape(-1, len(known))
    return mix_with_mean(outputs, known, split.test_datasets, own_share)


def mix_with_mean(
    outputs: np.ndarray, known: np.ndarray, tested: np.ndarray, own_share: float = OWN_SHARE
) -> np.ndarray:
    """Scores `[t, m]` of t tested datasets, of outputs `[m, K]` for K known ones; `known`, `tested` are indices."""
    mean = outputs.mean(1)
    column = {int(dataset): i for i, dataset in enumerate(known)}
    scores = []
    for dataset in tested:
        own = outputs[:, column[int(dataset)]] if int(dataset) in column else mean
        scores.append(own_share * own + (1 - own_share) * mean)
    return np.stack(scores)
