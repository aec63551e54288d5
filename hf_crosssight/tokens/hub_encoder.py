"""Any vision backbone of `transformers`, from the Hub or a folder, in the place of the default image encoder.

Its weights must be safetensors, and no code of a repository is run. The id carries the commit (`org/name@sha`) or, for
a folder, the sha256 of its weights, so that cached tokens and a ranker's config name the very weights.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import UserError
from .image_encoder import ImageEncoder, Progress, encode_batches
from .pinned_files import sha256_of

_BATCH = 8
_PATTERNS = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")


class HubEncoder:
    """A `transformers` backbone and its image processor; see `hub_encoder`."""

    def __init__(self, encoder_id: str, model: Any, processor: Any, has_pooler: bool = True) -> None:
        self.id = encoder_id
        self._model = model
        self._processor = processor
        self._has_pooler = has_pooler
        self.dim = int(self._forward([Image.new("RGB", (64, 64), (127, 127, 127))]).shape[1])

    def encode(self, images: Sequence[Image.Image], progress: Progress | None = None) -> np.ndarray:
        """Pooled features of N images: float32 `[N, dim]`."""
        return encode_batches(images, self._forward, self.dim, _BATCH, progress)

    def _forward(self, images: Sequence[Image.Image]) -> np.ndarray:
        import torch

        pixels = self._processor(images=[image.convert("RGB") for image in images], return_tensors="pt")
        with torch.inference_mode():
            output = self._model(pixel_values=pixels["pixel_values"].float())
        return _pooled(output, self._has_pooler).float().numpy()


def hub_encoder(repo_or_folder: str | Path, client: Any = None) -> ImageEncoder:
    """A vision backbone as image encoder.

    Args:
        repo_or_folder (`str` or `Path`): a folder with `config.json`, `preprocessor_config.json` and safetensors
            weights, or a Hub model id, also `org/name@REVISION`.
        client (`HubClient`, *optional*): how to reach the Hub.

    Raises:
        UserError: no such repository, or it is none that `transformers` loads as a vision backbone from safetensors.
        HubError: the Hub cannot be reached.
    """
    folder = Path(repo_or_folder).expanduser()
    if folder.is_dir():
        encoder_id = f"{folder.resolve().name}@{_folder_digest(folder)}"
    else:
        from ..hub.client import HubClient

        client = client or HubClient()
        repo = client.resolve(str(repo_or_folder))
        folder = Path(client.snapshot(repo, list(_PATTERNS)))
        encoder_id = f"{repo.id}@{repo.sha}"
    return _load(folder, encoder_id)


@functools.lru_cache(maxsize=2)
def _load(folder: Path, encoder_id: str) -> ImageEncoder:
    import torch
    from transformers import AutoImageProcessor, AutoModel
    from transformers.utils import logging

    _check(folder, encoder_id)
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # a classifier's head is left out on purpose: no report of unexpected keys
    try:
        with torch.random.fork_rng(devices=[]):
            model, loading = AutoModel.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **local)
        missing = sorted(loading["missing_keys"])
        if any("pooler" not in name for name in missing):
            raise ValueError(f"its weights lack {', '.join(missing[:3])}")
        processor = AutoImageProcessor.from_pretrained(folder, backend="pil", **local)
        # A classifier often comes without the pooler of its backbone, which would then be random.
        return HubEncoder(encoder_id, model.eval().requires_grad_(False), processor, has_pooler=not missing)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError) as error:
        raise UserError(
            f"{encoder_id} cannot be used as an image encoder: {error}",
            "It must be a vision model that transformers loads by itself, with its preprocessor_config.json.",
        ) from error
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _check(folder: Path, encoder_id: str) -> None:
    """Refuse what would fail later with a worse message."""
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{encoder_id} has no safetensors weights.", "Name another backbone; pickled weights are not loaded."
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{encoder_id} has no readable config.json: {error}", "Name another backbone.") from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise UserError(
            f"The config.json of {encoder_id} names no model_type.",
            "Name a backbone of transformers; timm repositories need timm and are not read here.",
        )


def _folder_digest(folder: Path) -> str:
    """First digits of a digest of all that the features depend on: weights, config and preprocessing."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _PATTERNS for path in folder.glob(pattern)}):
        digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()[:12]


def _pooled(output: Any, has_pooler: bool) -> Any:
    """`[B, dim]` of a backbone's output: its pooled output, else the mean of its last hidden state over places."""
    pooled = getattr(output, "pooler_output", None) if has_pooler else None
    if pooled is None:
        hidden = output.last_hidden_state
        pooled = hidden.flatten(2).mean(2) if hidden.ndim == 4 else hidden.mean(1)
    return pooled.flatten(1)
