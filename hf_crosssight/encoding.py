"""`EncodedDataset`: a dataset that was read and encoded already, to be ranked for as often as filters change.

Encoding the images is what takes time; a ranking after it takes a fraction of a second. An encoded dataset holds no
image, so that it can be kept or handed on where images must not be.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.data import DatasetSample
    from hf_crosssight.hub import HubClient
    from hf_crosssight.rankers import LoadedRanker
    from hf_crosssight.tokens.dataset import DatasetTokens, Progress


@dataclass(frozen=True)
class EncodedDataset:
    """What a ranking needs of a dataset.

    Attributes:
        id (`str`): Hub id, folder, `digits` or `in-memory`.
        revision (`str`, *optional*): commit on the Hub.
        split (`str`): split that was read.
        num_classes (`int`, *optional*): classes that the dataset declares or shows.
        num_images_used (`int`): images behind the tokens.
        tokens (`DatasetTokens`): `[S, Dd]` and their names.
        warnings (`tuple[str, ...]`): what was noticed while reading.
    """

    id: str
    revision: str | None
    split: str
    num_classes: int | None
    num_images_used: int
    tokens: DatasetTokens
    warnings: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """The `dataset` part of a ranking's JSON."""
        return {
            "id": self.id,
            "revision": self.revision,
            "split": self.split,
            "num_classes": self.num_classes,
            "num_images_used": self.num_images_used,
        }


def encode_dataset(
    dataset: DatasetSample | EncodedDataset,
    ranker: LoadedRanker,
    client: HubClient | None = None,
    progress: Progress | None = None,
    *,
    cache_dir: str | Path | None = None,
) -> EncodedDataset:
    """A sample encoded by the very encoders that the ranker was trained with; what is encoded already is checked.

    Args:
        cache_dir (*optional*): where tokens are kept, by default as `dataset_tokens` does.

    Raises:
        UserError: the ranker reads tokens of another encoder.
    """
    wanted = ranker.model.config.image_encoder
    if isinstance(dataset, EncodedDataset):
        _check(dataset.tokens, ranker, wanted in (None, dataset.tokens.encoder))
        return dataset
    from hf_crosssight.tokens.dataset import dataset_tokens
    from hf_crosssight.tokens.hub_encoder import hub_encoder
    from hf_crosssight.tokens.image_encoder import default_encoder

    encoder = default_encoder()
    if wanted not in (None, encoder.id):
        encoder = hub_encoder(wanted, client)
    tokens = dataset_tokens(dataset, encoder, progress=progress, cache_dir=cache_dir)
    _check(tokens, ranker, True)
    return EncodedDataset(
        dataset.id, dataset.revision, dataset.split, dataset.num_classes, len(dataset.images), tokens, dataset.warnings
    )


def _check(tokens: DatasetTokens, ranker: LoadedRanker, same_encoder: bool) -> None:
    config = ranker.model.config
    if tokens.values.shape[1] != config.dataset_token_dim or not same_encoder:
        raise UserError(
            f"the ranker '{ranker.id}' reads dataset tokens of width {config.dataset_token_dim} made by "
            f"'{config.image_encoder}', these have {tokens.values.shape[1]} and were made with '{tokens.encoder}'",
            "use a ranker trained with this version, or --ranker bundled",
        )
