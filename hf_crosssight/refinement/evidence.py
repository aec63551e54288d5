"""What a model's own features say of a dataset: a few transferability scores on the sampled images, measured once.

The models are run one after the other on the images that the dataset's tokens were made of. A model that cannot be run
is told with its reason; a stranger's network may fail in any way, and that is never the end of a ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.errors import HubError, UserError
from hf_crosssight.features import Features, FeatureStore, UnusableModelError, load_image_model
from hf_crosssight.features.untrusted import one_line
from hf_crosssight.transferability import METHODS, score
from hf_crosssight.zoo.model_folders import ModelFolders

Progress = Callable[[str, int, int | None], None]

_STEP = "running the best models on your images"


@dataclass(frozen=True)
class Evidence:
    """What running one model on the images gave.

    Attributes:
        values: transferability score by method, higher is better; empty where the model could not be run.
        reason: why it could not, or why a method is missing; empty where all is there.
        revision: commit that was run; `None` for a folder of the user's own.
    """

    values: dict[str, float]
    reason: str = ""
    revision: str | None = None


def measure(
    model_ids: Sequence[str],
    sample: DatasetSample,
    methods: Sequence[str],
    folders: ModelFolders,
    *,
    store: FeatureStore | None = None,
    progress: Progress | None = None,
) -> list[Evidence]:
    """Evidence of each model, in their order.

    Args:
        model_ids: K models.
        sample: labelled images.
        methods: names of `transferability.available_methods()` that need features or source probabilities alone.
        folders: where the models' files are.
        store: the features' cache.
        progress: called as `progress(step, done, total)`.

    Raises:
        UserError: the images have no labels, or too few of them for any method.
        HubError: no model could be fetched, and the Hub is why.
    """
    _check_sample(sample, methods)
    kept = store or FeatureStore()
    found: list[Evidence] = []
    failures: list[HubError] = []
    for done, model_id in enumerate(model_ids):
        if progress is not None:
            progress(_STEP, done, len(model_ids))
        try:
            found.append(_measure_one(model_id, sample, methods, folders, kept))
        except UnusableModelError as error:
            if isinstance(error.__cause__, HubError):
                failures.append(error.__cause__)
            found.append(Evidence({}, str(error)))
        except Exception as error:  # whatever a stranger's network raises
            found.append(Evidence({}, f"it cannot be run: {one_line(error)}"))
    if progress is not None:
        progress(_STEP, len(model_ids), len(model_ids))
    if failures and not any(each.values for each in found):
        raise failures[0]
    return found


def _measure_one(
    model_id: str, sample: DatasetSample, methods: Sequence[str], folders: ModelFolders, store: FeatureStore
) -> Evidence:
    files = folders.find(model_id)
    model = load_image_model(files.folder, revision=files.revision)
    features = store.extract(model, sample.images, fingerprint=sample.fingerprint)
    values, reasons = scores_of(features, sample, methods)
    return Evidence(values, "; ".join(reasons), files.revision)


def scores_of(features: Features, sample: DatasetSample, methods: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """The methods' scores of one model's features, and why those that are missing are."""
    values: dict[str, float] = {}
    reasons = []
    for method in methods:
        try:
            values[method] = score(
                method, features=features.pooled, labels=sample.labels, source_probs=features.probs, seed=0
            )
        except UserError as error:
            reasons.append(error.what)
    return values, reasons


def _check_sample(sample: DatasetSample, methods: Sequence[str]) -> None:
    if sample.labels is None:
        raise UserError(
            "refining needs labels: a model is judged by how it tells the classes apart",
            "name the label column (--label-column), or leave --refine out",
        )
    if np.bincount(sample.labels).max() < 2 and all(METHODS[method].needs_repeats for method in methods):
        raise UserError("refining needs two images of a class at least", "raise --images-per-class")
