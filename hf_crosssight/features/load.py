"""Image models of a folder, ready to be run: any image model of `transformers`, and timm models where timm is there.

Nothing of a repository is trusted: weights are safetensors, no code of it runs, and a network much larger than its
weights is not built. Everything is float32 on the CPU, in evaluation mode. Whatever cannot be used is refused with
`UnusableModelError` and its reason, never with another error.

`transformers` gives MobileNetV1 and V2 the TensorFlow decay as PyTorch momentum; that spoils their batch statistics in
training alone. In evaluation mode the stored statistics are used as they are, so released weights are fine.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .preprocess import Preprocessing, plain_preprocessing, read_preprocessing
from .untrusted import (
    UnusableModelError,
    bounded_construction,
    one_line,
    read_config,
    read_weights,
    refuse_hostile,
)

__all__ = ["ImageModel", "Network", "UnusableModelError", "last_linear", "load_image_model", "read_network"]

_FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True)
class Network:
    """A network as `transformers` or timm loads it.

    Attributes:
        module: the network, float32, evaluation mode.
        head: its last linear layer, if it has one that gives its classes.
        classifies: whether that head was trained, so that its softmax means something.
        trained_pooler: whether a backbone's `pooler_output` comes from trained weights.
        params: its parameters.
    """

    module: Any
    head: Any | None
    classifies: bool
    trained_pooler: bool
    params: int


@dataclass(frozen=True)
class ImageModel:
    """A network with its preprocessing, that takes images.

    Attributes:
        revision: commit of the Hub, or a hash of a folder's files.
        architecture: `model_type` of transformers or name of timm.
        network: the network itself.
        preprocessing: how images become its input.
        options: further inputs of its forward pass.
        dim: width of its pooled features.
        classes: width of its source probabilities, 0 if it has none.
    """

    revision: str
    architecture: str
    network: Network
    preprocessing: Preprocessing
    options: dict[str, Any]
    dim: int = 0
    classes: int = 0


def load_image_model(folder: Path | str, *, revision: str | None = None) -> ImageModel:
    """The image model of a folder, checked by running it on two images.

    Args:
        folder: `config.json`, safetensors and, usually, `preprocessor_config.json`.
        revision: what its files are called in caches; by default a hash of their content.

    Raises:
        UnusableModelError: with the reason.
    """
    folder = Path(folder)
    config = read_config(folder)
    candidates: list[tuple[Preprocessing, dict[str, Any]]]
    if "architecture" in config and "model_type" not in config:
        from .timm_models import read_timm_model

        network, preprocessing = read_timm_model(folder, config)
        candidates = [(preprocessing, {})]
        name = str(config["architecture"])
    else:
        network = read_network(folder)
        candidates = list(_inputs(folder, network))
        name = str(network.module.config.model_type)
    return _first_that_runs(candidates, network, revision or folder_revision(folder), name)


def _inputs(folder: Path, network: Network) -> Iterator[tuple[Preprocessing, dict[str, Any]]]:
    """The ways to feed a network, the repository's own first; then at its config's size, whatever the file says."""
    config = network.module.config
    channels = getattr(config, "num_channels", 3)
    if channels not in (1, 3):
        raise UnusableModelError(f"it takes images of {channels} channels")
    size = getattr(config, "image_size", None)
    size = size[0] if isinstance(size, list | tuple) and size else size
    own_side = size if isinstance(size, int) and size > 0 else None
    stated = read_preprocessing(folder, channels, own_side, network.params)
    yield stated, {}
    yield stated, {"interpolate_pos_encoding": True}
    if own_side is not None:
        yield plain_preprocessing(own_side, channels), {}


def _first_that_runs(
    candidates: list[tuple[Preprocessing, dict[str, Any]]], network: Network, revision: str, name: str
) -> ImageModel:
    from .extract import extract

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images = [Image.new("RGB", (64, 64), (127, 127, 127)), Image.fromarray(noise)]
    failure: Exception | None = None
    for preprocessing, options in candidates:
        model = ImageModel(revision, name, network, preprocessing, options)
        try:
            found = extract(model, images)
        except UnusableModelError:
            raise
        except Exception as error:  # models raise whatever comes to hand
            failure = failure or error
            continue
        return replace(model, dim=found.pooled.shape[1], classes=0 if found.probs is None else found.probs.shape[1])
    assert failure is not None
    raise UnusableModelError(f"it does not run on images: {one_line(failure)}") from failure


def read_network(folder: Path) -> Network:
    """The image network of a folder as `transformers` loads it: a classifier where there is one, else a backbone.

    Raises:
        UnusableModelError: its files are unsound or hostile, or `transformers` has no image model for it.
    """
    import torch
    import transformers

    config, weights = read_config(folder), read_weights(folder)
    refuse_hostile(config, weights)
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    with _quiet(), bounded_construction(weights), torch.random.fork_rng(devices=[]), _as_unusable():
        settings = transformers.AutoConfig.from_pretrained(folder, **local)
        if hasattr(settings, "mask_ratio"):
            settings.mask_ratio = 0.0  # masked autoencoders would drop patches at random
        classifiers = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
        factory: Any = transformers.AutoModelForImageClassification
        if type(settings) not in classifiers:
            factory = transformers.AutoModel
        module, loading = factory.from_pretrained(
            folder, config=settings, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **local
        )
        if getattr(module, "main_input_name", "") != "pixel_values":
            raise UnusableModelError(f"{settings.model_type} takes no images")
    return _checked(module.float().eval(), sorted(loading["missing_keys"]), factory is transformers.AutoModel)


def _checked(module: Any, missing: list[str], is_backbone: bool) -> Network:
    name, head = ("", None) if is_backbone else last_linear(module)
    in_head = [key for key in missing if name and key.startswith(f"{name}.")]
    in_pooler = [key for key in missing if "pooler" in key]
    # A bare backbone read as a classifier lacks all that stands behind the backbone, not its last layer alone.
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    behind = [key for key in missing if not is_backbone and not key.startswith(prefix)] if in_head else []
    lacking = sorted(set(missing) - set(in_head) - set(in_pooler) - set(behind))
    if lacking:
        raise UnusableModelError(f"its weights lack {', '.join(lacking[:3])}")
    params = sum(parameter.numel() for parameter in module.parameters())
    return Network(module, head, head is not None and not in_head, not in_pooler, params)


def last_linear(module: Any) -> tuple[str, Any | None]:
    """Name and module of the last linear layer that gives a classifier's classes; `("", None)` if it has none."""
    import torch

    count = getattr(module.config, "num_labels", None)
    heads = [
        (name, layer)
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer.out_features == count
    ]
    return heads[-1] if heads else ("", None)


def folder_revision(folder: Path) -> str:
    """`files-<hash>` of the content of all files that the features depend on."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        digest.update(f"{path.name}|{path.stat().st_size}|".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"files-{digest.hexdigest()[:16]}"


@contextlib.contextmanager
def _as_unusable() -> Iterator[None]:
    """Whatever a stranger's files raise becomes `UnusableModelError`."""
    try:
        yield
    except (UnusableModelError, MemoryError):
        raise
    except Exception as error:
        raise UnusableModelError(f"transformers cannot load it: {one_line(error)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and warning of heads that are left out."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
