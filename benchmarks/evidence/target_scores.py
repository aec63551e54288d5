"""The expensive baseline: LogME of every model's own features on the target's images (forward passes on the target).

300 training images of at most 30 classes, the same for every model, at the size at which the model is fine-tuned.
Scores are cached by the revisions of model and dataset.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hf_crosssight.ground_truth.labelled_images import LabelledImages, load_images
from hf_crosssight.ground_truth.model_sources import (
    SIDE,
    Classifier,
    ModelSource,
    UnusableModelError,
    find_models,
    load_classifier,
)
from hf_crosssight.ground_truth.pooled_features import pooled_features
from hf_crosssight.hub.places import write_text
from hf_crosssight.transferability.registry import score

from .dataset_folders import dataset_folder

_IMAGES, _CLASSES = 300, 30


def target_logme(
    folders: Sequence[Path], model_ids: Sequence[str], datasets: Sequence[str], images: Path, cache: Path
) -> np.ndarray:
    """LogME `[T, M]`; NaN where a model cannot be loaded or takes no such images."""
    sources = {source.id: source for source in find_models([str(folder) for folder in folders])[0]}
    found = np.full((len(datasets), len(model_ids)), np.nan)
    cached = cache / "target_logme.json"
    known: dict[str, float | None] = json.loads(cached.read_text()) if cached.is_file() else {}
    loaded: dict[str, Classifier | None] = {}
    for row, dataset in enumerate(datasets):
        place = dataset_folder(images, dataset)
        assert place is not None, f"no images of {dataset}"
        keys = {model: _key(sources[model], place) for model in model_ids if model in sources}
        if not set(keys.values()) <= known.keys():
            own = load_images(str(place), SIDE)
            chosen = _balanced(own)
            for model, key in keys.items():
                if key not in known:
                    known[key] = _logme(sources[model], loaded, own, chosen)
            write_text(cached, json.dumps(known))
            print(f"LogME on {dataset}: {row + 1} of {len(datasets)}", file=sys.stderr, flush=True)
        values = [known[keys[model]] if model in keys else None for model in model_ids]
        found[row] = [np.nan if value is None else value for value in values]
    return found


def _key(source: ModelSource, dataset: Path) -> str:
    """What a score depends on: the weights, the dataset's files by name and size, and how images are chosen."""
    files = [(str(f.relative_to(dataset)), f.stat().st_size) for f in sorted(dataset.rglob("*")) if f.is_file()]
    return hashlib.sha256(json.dumps([source.revision, files, _IMAGES, _CLASSES]).encode()).hexdigest()[:24]


def _balanced(images: LabelledImages) -> np.ndarray:
    """Rows of training images, the classes in turn, of the first classes where there are more than 30."""
    rng = np.random.default_rng(0)
    train = np.flatnonzero(~images.in_test)
    classes = np.unique(images.labels[train])[:_CLASSES]
    groups = [rng.permutation(train[images.labels[train] == c]) for c in classes]
    rounds = [group[i] for i in range(_IMAGES) for group in groups if i < len(group)]
    return np.array(rounds[:_IMAGES])


def _logme(
    source: ModelSource, loaded: dict[str, Classifier | None], images: LabelledImages, rows: np.ndarray
) -> float | None:
    import torch

    if source.id not in loaded:
        try:
            loaded[source.id] = load_classifier(source, 2, 0)
        except UnusableModelError as error:
            print(f"{source.id}: {error}", file=sys.stderr)
            loaded[source.id] = None
    classifier = loaded[source.id]
    if classifier is None:
        return None
    pixels = images.images[rows]
    if classifier.side != images.side:
        resized = torch.nn.functional.interpolate(
            torch.from_numpy(pixels).float(), (classifier.side,) * 2, mode="bilinear", antialias=True
        )
        pixels = resized.round().clamp(0, 255).byte().numpy()
    features = pooled_features(classifier, pixels, torch.device("cpu")).astype(np.float64)
    return float(score("logme", features=features, labels=images.labels[rows]))
