"""Image models run over images: pooled features and source probabilities, safely loaded, computed once."""

from .cache import FeatureStore, images_fingerprint
from .extract import Features, extract
from .load import ImageModel, UnusableModelError, load_image_model

__all__ = [
    "FeatureStore",
    "Features",
    "ImageModel",
    "UnusableModelError",
    "extract",
    "images_fingerprint",
    "load_image_model",
]
