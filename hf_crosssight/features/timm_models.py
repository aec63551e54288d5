"""Repositories in timm's layout: `config.json` with an architecture of timm and its `pretrained_cfg`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .load import Network
from .preprocess import Preprocessing, plain_preprocessing
from .untrusted import UnusableModelError, bounded_construction, one_line, read_weights, refuse_hostile

_RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
_WEIGHTS = "model.safetensors"


def read_timm_model(folder: Path, config: dict[str, Any]) -> tuple[Network, Preprocessing]:
    """The network and the preprocessing of a folder in timm's layout.

    Raises:
        UnusableModelError: timm cannot be imported, does not know it, or the files do not fit.
    """
    weights = read_weights(folder)
    refuse_hostile(config, weights)
    try:
        import timm
    except Exception as error:  # timm needs torchvision, and a broken one raises RuntimeError
        what = f"its config.json names no model of transformers, and timm cannot be imported: {one_line(error)}"
        raise UnusableModelError(what) from error
    import torch
    from safetensors.torch import load_file

    classes = config.get("num_classes")
    settings = dict(config.get("model_args") or {}) | ({} if classes is None else {"num_classes": classes})
    try:
        with bounded_construction(weights), torch.random.fork_rng(devices=[]):
            module: Any = timm.create_model(str(config["architecture"]), pretrained=False, **settings)
            module.load_state_dict(load_file(folder / _WEIGHTS), strict=True)
        head = module.get_classifier()
    except UnusableModelError:
        raise
    except Exception as error:
        raise UnusableModelError(f"timm cannot load it: {one_line(error)}") from error
    head = head if isinstance(head, torch.nn.Linear) else None
    params = sum(parameter.numel() for parameter in module.parameters())
    network = Network(_as_transformers(module.float().eval()), head, head is not None, True, params)
    return network, _preprocessing(config.get("pretrained_cfg"))


def _preprocessing(stated: Any) -> Preprocessing:
    """As timm evaluates: the shorter side resized to side / crop_pct, then the centre."""
    stated = stated if isinstance(stated, dict) else {}
    try:
        channels, side = int(stated.get("input_size", (3, 224, 224))[0]), int(stated["input_size"][-1])
        share = float(stated.get("crop_pct") or 0.875)
        resample = _RESAMPLE[str(stated.get("interpolation", "bicubic"))]
        mean, std = stated.get("mean", (0.485, 0.456, 0.406)), stated.get("std", (0.229, 0.224, 0.225))
        return plain_preprocessing(side, channels, mean, std, resized=int(side / share), resample=resample)
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise UnusableModelError(f"its pretrained_cfg cannot be followed: {one_line(error)}") from error


def _as_transformers(module: Any) -> Any:
    """The network under the signature of `transformers`: `pixel_values` in, logits and pooled features out."""
    import torch

    class Output:
        def __init__(self, logits: Any, pooled: Any) -> None:
            self.logits, self.pooler_output = logits, pooled

    class AsTransformers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, pixel_values: Any) -> Any:
            features = self.network.forward_features(pixel_values)
            pooled = self.network.forward_head(features, pre_logits=True)
            return Output(self.network.forward_head(features), pooled)

    return AsTransformers().eval()
