"""`CrossSightFeatureExtractor`: images of a dataset in, dataset tokens out, by the encoders that a ranker names."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import BatchFeature, FeatureExtractionMixin


class CrossSightFeatureExtractor(FeatureExtractionMixin):
    """Turns the images of one dataset into the tokens that a [`CrossSightModel`] reads.

    The encoders live in the package `hf_crosssight`, which must be installed to call it (not to load it).

    Args:
        image_encoder (`str`, *optional*): id of the image encoder; `None` for the default one.
        text_encoder (`str`, *optional*): id of the text encoder that the ranker was trained with.
        images_per_class (`int`, defaults to 10), max_classes (`int`, defaults to 100), seed (`int`, defaults to 0):
            what is sampled of the images given.
    """

    model_input_names = ["dataset_tokens", "dataset_mask"]  # noqa: RUF012 - as transformers has it

    def __init__(
        self,
        image_encoder: str | None = None,
        text_encoder: str | None = None,
        images_per_class: int = 10,
        max_classes: int = 100,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if images_per_class < 1 or max_classes < 2:
            raise ValueError("images_per_class must be at least 1 and max_classes at least 2")
        self.image_encoder, self.text_encoder = image_encoder, text_encoder
        self.images_per_class, self.max_classes, self.seed = images_per_class, max_classes, seed

    def __call__(
        self,
        images: Sequence[Any],
        labels: Sequence[Any] | None = None,
        class_names: Sequence[str] | None = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Tokens of one dataset.

        Args:
            images (list of `PIL.Image.Image` or arrays): images of the dataset.
            labels (list, *optional*): one label each; names, or indices into `class_names`. Without labels the images
                are clustered.
            class_names (`list[str]`, *optional*): names of the classes.

        Returns:
            `BatchFeature`: `dataset_tokens` float32 `[1, S, Dd]`, `dataset_mask` bool `[1, S]`.

        Raises:
            ImportError: the package `hf_crosssight` is not installed.
            ValueError: the tokens come from another text encoder than the ranker's, or labels do not fit.
        """
        try:
            from hf_crosssight.data import load_sample
            from hf_crosssight.tokens.dataset import dataset_tokens
            from hf_crosssight.tokens.image_encoder import default_encoder, hub_encoder
        except ImportError as error:
            raise ImportError(
                "dataset tokens are made by the package hf_crosssight: pip install hf_crosssight"
            ) from error
        rows: dict[str, Any] = {"images": list(images)}
        if labels is not None:
            rows["labels"] = self._named(labels, class_names)
        sample = load_sample(
            rows, images_per_class=self.images_per_class, max_classes=self.max_classes, seed=self.seed
        )
        default = default_encoder()
        encoder = default if self.image_encoder in (None, default.id) else hub_encoder(self.image_encoder)
        tokens = dataset_tokens(sample, encoder)
        if self.text_encoder not in (None, tokens.text_encoder):
            raise ValueError(
                f"text tokens are made by '{tokens.text_encoder}', the ranker reads '{self.text_encoder}'"
            )
        values = torch.tensor(tokens.values)[None]
        data = {"dataset_tokens": values, "dataset_mask": torch.ones(values.shape[:2], dtype=torch.bool)}
        return BatchFeature(data, tensor_type=return_tensors)

    @staticmethod
    def _named(labels: Sequence[Any], class_names: Sequence[str] | None) -> list[Any]:
        if class_names is None or not len(labels) or isinstance(labels[0], str):
            return list(labels)
        indices = [int(label) for label in labels]
        if min(indices) < 0 or max(indices) >= len(class_names):
            raise ValueError(f"a label lies outside 0 to {len(class_names) - 1}, the range of class_names")
        return [class_names[index] for index in indices]


__all__ = ["CrossSightFeatureExtractor"]
