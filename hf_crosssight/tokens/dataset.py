"""Dataset tokens `[S, D]`: what the ranker reads of a dataset. One file tells how they are laid out and made.

Three kinds of tokens share one width: class prototypes (at most 64, `prototypes`), one global token (counts,
separability, covariance spectrum, pixels: `dataset_statistics`, `pixel_statistics`) and one text token
(`dataset_text`), in this order. `dataset_layout` names the columns of each kind; the columns of other kinds are zero.
All values are about 1 in size. A dataset without images (`text_only_tokens`) has a global and a text token.

Encoding images is what takes time, so tokens are cached under `$HF_HOME/crosssight/dataset_tokens`, named by all that
they depend on; neither torch nor an encoder is loaded where the cache has them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.sample import DatasetSample
from ..errors import UserError
from ..hub.places import atomic_file, crosssight_folder
from .clustering import cluster
from .dataset_statistics import (
    COUNT_STATS,
    SEPARABILITY_STATS,
    SPECTRUM_STATS,
    count_stats,
    neighbour_hits,
    separability_stats,
    spectrum_stats,
)
from .dataset_text import TEXT_WIDTH, text_token
from .image_encoder import ImageEncoder, default_encoder
from .pixel_statistics import PIXEL_STATS, pixel_stats
from .prototypes import PROTOTYPE_STATS, Prototypes, build_prototypes, unit_features
from .text import text_encoder_id

DATASET_SPEC = "dataset-tokens/1"
GLOBAL_STATS = (*COUNT_STATS, *SEPARABILITY_STATS, *SPECTRUM_STATS, *PIXEL_STATS)
KINDS = ("prototype", "global", "text")
CLUSTERS = 32
_IMAGES_PER_CLUSTER = 4
_FEW_UNLABELLED = 200

Progress = Callable[[str, int, int | None], None]


def dataset_layout(feature_dim: int = 1280) -> dict[str, list[int]]:
    """Columns `[start, stop)` of a dataset token: kind (one-hot), prototype, stats, global, text."""
    widths = {
        "kind": len(KINDS),
        "prototype": feature_dim,
        "stats": len(PROTOTYPE_STATS),
        "global": len(GLOBAL_STATS),
        "text": TEXT_WIDTH,
    }
    layout, start = {}, 0
    for name, width in widths.items():
        layout[name] = [start, start + width]
        start += width
    return layout


def dataset_token_dim(feature_dim: int = 1280) -> int:
    """Width of a dataset token."""
    return dataset_layout(feature_dim)["text"][1]


@dataclass(frozen=True)
class DatasetTokens:
    """The tokens of one dataset.

    Attributes:
        values (`np.ndarray`): float32 `[S, D]`; prototypes, the global token, the text token.
        names (`tuple[str, ...]`): per token: class name(s), `global`, `text`.
        encoder (`str`): id of the image encoder (also where there are no images: it sets the width).
        text_encoder (`str`): id of the text encoder.
        has_images (`bool`): whether images were read.
        warnings (`tuple[str, ...]`): what the user should know of these tokens.
    """

    values: np.ndarray
    names: tuple[str, ...]
    encoder: str
    text_encoder: str
    has_images: bool
    warnings: tuple[str, ...] = ()

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, facts in its metadata; complete or not at all."""
        from safetensors.numpy import save_file

        facts = {
            "spec": DATASET_SPEC,
            "names": self.names,
            "encoder": self.encoder,
            "text_encoder": self.text_encoder,
            "has_images": self.has_images,
            "warnings": self.warnings,
        }
        metadata = {name: json.dumps(fact) for name, fact in facts.items()}
        with atomic_file(Path(path)) as temporary:
            save_file({"values": np.ascontiguousarray(self.values)}, temporary, metadata=metadata)

    @classmethod
    def load(cls, path: str | Path) -> DatasetTokens:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is none of ours, of another spec version, or damaged.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="numpy") as file:
                facts = {name: json.loads(fact) for name, fact in (file.metadata() or {}).items()}
                values = file.get_tensor("values")
            if facts.pop("spec", None) != DATASET_SPEC:
                raise ValueError(f"{path} does not hold {DATASET_SPEC}")
            tokens = cls(values, tuple(facts.pop("names")), warnings=tuple(facts.pop("warnings")), **facts)
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"{path} does not hold dataset tokens: {error}") from error
        if values.ndim != 2 or len(values) != len(tokens.names) or not np.isfinite(values).all():
            raise ValueError(f"{path} holds damaged dataset tokens")
        return tokens


def dataset_tokens(
    sample: DatasetSample,
    encoder: ImageEncoder | None = None,
    *,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> DatasetTokens:
    """The tokens of a sampled dataset, from the cache if they are there.

    Args:
        sample (`DatasetSample`): images, labels and words of a dataset.
        encoder (`ImageEncoder`, *optional*, defaults to EfficientNet-Lite0): what turns images into features.
        cache_dir (`str` or `Path`, *optional*, defaults to `$HF_HOME/crosssight/dataset_tokens`): the cache. Several
            processes may share it; a damaged file is computed anew, and a folder that cannot be written is left alone.
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        UserError: there is no image, or the encoder's weights are missing or not those that were checked.
    """
    encoder = encoder or default_encoder()
    folder = Path(cache_dir) if cache_dir is not None else crosssight_folder() / "dataset_tokens"
    path = folder / f"{_cache_key(sample, encoder)}.safetensors"
    try:
        return DatasetTokens.load(path)
    except (OSError, ValueError):
        tokens = _compute(sample, encoder, progress)
    with contextlib.suppress(OSError):  # a read-only or full disk costs the next run time, not this one its result
        tokens.save(path)
    return tokens


def prototype_tokens(tokens: DatasetTokens) -> np.ndarray:
    """The class prototypes alone, float32 `[S, E]`, in the features of the tokens' image encoder."""
    columns = dataset_layout(tokens.values.shape[1] - dataset_token_dim(0))
    kinds = tokens.values[:, slice(*columns["kind"])]
    return tokens.values[kinds[:, KINDS.index("prototype")] > 0, slice(*columns["prototype"])]


def text_only_tokens(
    text: str,
    class_names: Sequence[str] = (),
    num_classes: int | None = None,
    num_images: int | None = None,
    *,
    encoder: ImageEncoder | None = None,
) -> DatasetTokens:
    """Tokens of a dataset known by its words alone: a global token with the known counts, and a text token.

    Args:
        text (`str`): name and description; may be empty.
        class_names (`Sequence[str]`): label names.
        num_classes (`int`, *optional*): classes, if known; taken from `class_names` if they are given.
        num_images (`int`, *optional*): images of the training split, if known.
        encoder (`ImageEncoder`, *optional*): the encoder of the ranker that reads the tokens; sets their width.
    """
    encoder = encoder or default_encoder()
    known = num_classes if num_classes is not None else (len(class_names) or None)
    facts = np.zeros(len(GLOBAL_STATS))
    facts[: len(COUNT_STATS)] = count_stats(known, num_images)
    values = _assemble(None, facts, text_token(text, class_names), encoder.dim)
    return DatasetTokens(values, ("global", "text"), encoder.id, text_encoder_id(), has_images=False)


def _cache_key(sample: DatasetSample, encoder: ImageEncoder) -> str:
    """Digest of all that the tokens depend on."""
    facts = [
        DATASET_SPEC,
        encoder.id,
        encoder.dim,
        text_encoder_id(),
        sample.fingerprint,
        sample.class_names,
        sample.num_classes,
        sample.num_rows,
        sample.description,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _compute(sample: DatasetSample, encoder: ImageEncoder, progress: Progress | None) -> DatasetTokens:
    if not len(sample.images):
        raise UserError("The dataset has no image to read.", "Check the dataset, its split and its image column.")
    features = encoder.encode(sample.images, progress)
    if not np.isfinite(features).all():
        raise UserError(f"The encoder {encoder.id} gives features that are not finite.", "Name another encoder.")
    unit = unit_features(features)
    if sample.labels is None:
        labels = cluster(unit, max(1, min(CLUSTERS, len(unit) // _IMAGES_PER_CLUSTER)))
        hits, names = None, tuple(f"cluster {c + 1}" for c in range(int(labels.max()) + 1))
    else:
        present, labels = np.unique(np.asarray(sample.labels), return_inverse=True)
        hits = neighbour_hits(unit, labels)
        names = tuple(sample.class_names[c] if c < len(sample.class_names) else str(c) for c in present)
    prototypes = build_prototypes(unit, labels, hits)
    labelled = sample.labels is not None
    counts = count_stats(sample.num_classes, sample.num_rows, len(unit), len(names) if labelled else 0, labelled)
    whole = np.concatenate(
        [counts, separability_stats(unit, labels, hits), spectrum_stats(unit), pixel_stats(sample.images)]
    )
    values = _assemble(prototypes, whole, text_token(sample.description, sample.class_names), encoder.dim)
    token_names = (*(_group_name(group, names) for group in prototypes.members), "global", "text")
    return DatasetTokens(values, token_names, encoder.id, text_encoder_id(), True, _warnings(sample, labels))


def _assemble(prototypes: Prototypes | None, whole: np.ndarray, text: np.ndarray, feature_dim: int) -> np.ndarray:
    """Put the parts into their columns: float32 `[K + 2, D]`."""
    layout = {name: slice(*columns) for name, columns in dataset_layout(feature_dim).items()}
    count = 0 if prototypes is None else len(prototypes.vectors)
    values = np.zeros((count + 2, dataset_token_dim(feature_dim)), dtype=np.float32)
    if prototypes is not None:
        values[:count, layout["prototype"]] = prototypes.vectors * np.sqrt(feature_dim)
        values[:count, layout["stats"]] = prototypes.stats
    values[count, layout["global"]] = whole
    values[count + 1, layout["text"]] = text
    kinds = [KINDS.index("prototype")] * count + [KINDS.index("global"), KINDS.index("text")]
    values[np.arange(count + 2), layout["kind"].start + np.array(kinds)] = 1.0
    return values


def _group_name(group: tuple[int, ...], names: tuple[str, ...]) -> str:
    shown = ", ".join(names[c] for c in group[:3])
    return shown if len(group) <= 3 else f"{shown} and {len(group) - 3} more"


def _warnings(sample: DatasetSample, labels: np.ndarray) -> tuple[str, ...]:
    number = len(labels)
    if sample.labels is None:
        few = f" of only {number} images; {_FEW_UNLABELLED} or more say more" if number < _FEW_UNLABELLED else ""
        return (f"The dataset has no labels: its prototypes are k-means clusters{few}.",)
    if np.bincount(labels).max() == 1:
        return ("One image per class was read: how well the classes separate is not known.",)
    return ()
