"""Dataset tokens of the published targets: real images where a stand-in is at hand, the words alone elsewhere.

Each dataset gets several token samples (1, 2, 5 and 10 images per class, and the text alone), so that a ranker learns
from few images what it would read of many, and works where there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from hf_crosssight.data import load_sample
from hf_crosssight.tokens.dataset import KINDS, DatasetTokens, dataset_layout, dataset_tokens, text_only_tokens
from hf_crosssight.tokens.dataset_statistics import COUNT_STATS, count_stats
from hf_crosssight.tokens.dataset_text import text_token

from .datasets import PublishedDataset, StandIn, published_datasets

IMAGES_PER_CLASS = (1, 2, 5, 10)

Progress = Callable[[str, int, int | None], None]


def token_samples(
    keys: Iterable[str],
    images: dict[str, StandIn],
    hub: Path | str | None,
    *,
    cache_dir: Path | str | None = None,
    images_per_class: tuple[int, ...] = IMAGES_PER_CLASS,
    progress: Progress | None = None,
) -> dict[str, list[DatasetTokens]]:
    """Token samples of each dataset, those with most images last.

    Args:
        keys: dataset keys; a key such as `zoo-bench/mnist` is itself a folder of `hub`.
        images (`dict[str, StandIn]`): what stands for a published target, see `datasets.stand_ins`.
        hub (*optional*): folder in which `datasets/ORG/NAME` (or `ORG/NAME`) lies; `None` for words alone.
        cache_dir (*optional*): where tokens of images are kept between runs.
        images_per_class: sampling of each sample.
        progress (*optional*): called as `progress(step, done, total)`.
    """
    known, keys = published_datasets(), sorted(set(keys))
    found: dict[str, list[DatasetTokens]] = {}
    for done, key in enumerate(keys):
        if progress is not None:
            progress("dataset tokens", done, len(keys))
        described = known.get(key) or PublishedDataset(key, key, "")
        stand_in = images.get(key) or (StandIn(key, "same") if "/" in key else None)
        folder = _folder(hub, stand_in.dataset) if stand_in else None
        samples = [] if not described.description else [_words(described)]
        for number, per_class in enumerate(images_per_class if folder else ()):
            sample = load_sample(str(folder), images_per_class=per_class, seed=number)
            tokens = dataset_tokens(sample, cache_dir=cache_dir)
            if stand_in and stand_in.match in {"same", "part"}:
                samples.append(tokens)
            if described.description:
                samples.append(_described(tokens, described))
        if samples:
            found[key] = samples
    return found


def _folder(hub: Path | str | None, dataset: str) -> Path | None:
    if hub is None:
        return None
    places = (Path(hub) / "datasets" / dataset, Path(hub) / dataset)
    return next((place for place in places if place.is_dir()), None)


def _words(dataset: PublishedDataset) -> DatasetTokens:
    return text_only_tokens(dataset.description, (), dataset.num_classes, dataset.num_images)


def _described(tokens: DatasetTokens, dataset: PublishedDataset) -> DatasetTokens:
    """The images' tokens under the target's own words and counts (its stand-in may be a part of it)."""
    layout = {name: slice(*span) for name, span in dataset_layout(_feature_dim(tokens)).items()}
    values = tokens.values.copy()
    kind = values[:, layout["kind"]].argmax(1)
    whole, text = (int(np.flatnonzero(kind == KINDS.index(name))[0]) for name in ("global", "text"))
    counts = slice(layout["global"].start, layout["global"].start + 4)
    stated = count_stats(dataset.num_classes, dataset.num_images)[: len(COUNT_STATS) // 2]
    values[whole, counts] = stated
    values[text, layout["text"]] = text_token(dataset.description, ())
    return DatasetTokens(values, tokens.names, tokens.encoder, tokens.text_encoder, True, tokens.warnings)


def _feature_dim(tokens: DatasetTokens) -> int:
    return tokens.values.shape[1] - dataset_layout(0)["text"][1]
