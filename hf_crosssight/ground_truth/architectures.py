"""Small image classifiers of the `transformers` families that a zoo is made of.

A family is one function from (width step, depth step, image side) to a configuration of at most `MAX_PARAMS`
parameters. Steps are small integers, not channels, so that a plan can cross width and depth with every family alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_PARAMS = 400_000
BATCH_NORM_MOMENTUM = 0.1


@dataclass(frozen=True)
class Design:
    """One architecture: a family and its three sizes.

    Attributes:
        family: key of `FAMILIES`.
        width: step 0, 1 or 2 from narrow to wide.
        depth: step 0 or 1.
        image_size: side of the images it is trained on, pixels.
    """

    family: str
    width: int
    depth: int
    image_size: int


def _patch(image_size: int) -> int:
    """Patches of an eighth of the side: 64 tokens at any image size."""
    return image_size // 8


def _resnet(d: Design) -> dict[str, Any]:
    w = (12, 14, 17)[d.width] if d.depth == 0 else (9, 11, 13)[d.width]
    blocks = [1, 1, 1, 1] if d.depth == 0 else [1, 2, 2, 1]
    return {"embedding_size": w, "hidden_sizes": [w, 2 * w, 4 * w, 8 * w], "depths": blocks, "layer_type": "basic"}


def _bit(d: Design) -> dict[str, Any]:
    w = (8, 12, 16)[d.width]  # bottlenecks; group normalisation in groups of 4 channels' width
    blocks = [1, 1, 2, 1] if d.depth == 0 else [2, 2, 2, 1]
    return {"embedding_size": 2 * w, "hidden_sizes": [2 * w, 4 * w, 8 * w, 12 * w], "depths": blocks,
            "layer_type": "preactivation", "num_groups": 4}  # fmt: skip


def _regnet(d: Design) -> dict[str, Any]:
    w = (16, 20, 24)[d.width]
    blocks = [1, 1, 2, 1] if d.depth == 0 else [1, 2, 3, 1]
    sizes = [w, 2 * w, 3 * w, 5 * w]
    return {"embedding_size": w, "hidden_sizes": sizes, "depths": blocks, "groups_width": w // 2, "layer_type": "y"}


def _convnext(d: Design) -> dict[str, Any]:
    w = (16, 20, 24)[d.width]
    blocks = [1, 1, 2, 1] if d.depth == 0 else [1, 2, 3, 1]
    return {"hidden_sizes": [w, 2 * w, 3 * w, 5 * w], "depths": blocks, "patch_size": 2 if d.image_size < 48 else 4}


def _mobilenet_v1(d: Design) -> dict[str, Any]:
    width = (0.15, 0.2, 0.25)[d.width] if d.depth == 0 else (0.18, 0.22, 0.27)[d.width]
    return {"depth_multiplier": width, "image_size": d.image_size, "min_depth": 8 if d.depth == 0 else 16,
            "classifier_dropout_prob": 0.0}  # fmt: skip


def _mobilenet_v2(d: Design) -> dict[str, Any]:
    width = (0.15, 0.2, 0.25)[d.width]
    return {"depth_multiplier": width, "image_size": d.image_size, "expand_ratio": 4 if d.depth == 0 else 3,
            "finegrained_output": False, "depth_divisible_by": 4, "min_depth": 8 if d.depth == 0 else 12,
            "output_stride": 32 if d.image_size > 32 else 16, "classifier_dropout_prob": 0.0}  # fmt: skip


def _efficientnet(d: Design) -> dict[str, Any]:
    width = (0.24, 0.32, 0.4)[d.width]  # five of the seven stages: the others cost most and add least at 64 px
    return {"image_size": d.image_size, "width_coefficient": width, "depth_coefficient": 1.0,
            "hidden_dim": _efficientnet_head(width), "kernel_sizes": [3] * 5, "in_channels": [32, 16, 24, 40, 112],
            "out_channels": [16, 24, 40, 112, 192], "depthwise_padding": [], "strides": [1, 2, 2, 2, 1],
            "num_block_repeats": [1, 1, 1, 1, 1] if d.depth == 0 else [1, 1, 2, 2, 1],
            "expand_ratios": [1, 3, 3, 3, 3], "dropout_rate": 0.0, "drop_connect_rate": 0.0}  # fmt: skip


def _efficientnet_head(width: float) -> int:
    """1280 channels scaled and rounded to a multiple of eight, as the last convolution does it."""
    scaled = 1280 * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _poolformer(d: Design) -> dict[str, Any]:
    w = (16, 20, 24)[d.width]
    return {"hidden_sizes": [w, 2 * w, 3 * w, 5 * w], "depths": [1, 1, 2, 1] if d.depth == 0 else [1, 2, 3, 1],
            "mlp_ratio": 3.0, "drop_path_rate": 0.0}  # fmt: skip


def _plain_transformer(d: Design) -> dict[str, Any]:
    width = (64, 80, 96)[d.width]
    layers = 4 if d.depth == 0 else 6
    mlp = 2 * width if d.depth == 1 or d.width == 2 else 3 * width
    if d.depth == 1:
        width = (48, 64, 72)[d.width]
        mlp = 2 * width
    return {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 4, "intermediate_size": mlp,
            "image_size": d.image_size, "patch_size": _patch(d.image_size),
            "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip


def _beit(d: Design) -> dict[str, Any]:
    return {**_plain_transformer(d), "use_relative_position_bias": True, "use_absolute_position_embeddings": False,
            "layer_scale_init_value": 1.0, "drop_path_rate": 0.0, "use_mean_pooling": True}  # fmt: skip


def _swin(d: Design) -> dict[str, Any]:
    width = (24, 28, 32)[d.width]
    blocks = [1, 2, 1] if d.depth == 0 else [1, 4, 1]
    return {"image_size": d.image_size, "patch_size": d.image_size // 16, "embed_dim": width, "depths": blocks,
            "num_heads": [2, 4, 4], "window_size": 4, "mlp_ratio": 2.0, "drop_path_rate": 0.0}  # fmt: skip


def _pvt_v2(d: Design) -> dict[str, Any]:
    w = (12, 16, 20)[d.width]
    sizes = [w, 2 * w, 4 * w, 6 * w]
    return {"image_size": d.image_size, "hidden_sizes": sizes, "depths": [1] * 4 if d.depth == 0 else [1, 2, 1, 1],
            "num_attention_heads": [1, 2, 4, 4], "mlp_ratios": [3, 3, 2, 2], "sr_ratios": [4, 2, 1, 1],
            "patch_sizes": [7 if d.image_size > 32 else 3, 3, 3, 3],
            "strides": [4 if d.image_size > 32 else 2, 2, 2, 2], "drop_path_rate": 0.0}  # fmt: skip


FAMILIES: dict[str, tuple[str, Callable[[Design], dict[str, Any]]]] = {
    "resnet": ("ResNet", _resnet),
    "vit": ("ViT", _plain_transformer),
    "convnext": ("ConvNext", _convnext),
    "mobilenet_v1": ("MobileNetV1", _mobilenet_v1),
    "swin": ("Swin", _swin),
    "regnet": ("RegNet", _regnet),
    "beit": ("Beit", _beit),
    "efficientnet": ("EfficientNet", _efficientnet),
    "poolformer": ("PoolFormer", _poolformer),
    "bit": ("Bit", _bit),
    "pvt_v2": ("PvtV2", _pvt_v2),
    "mobilenet_v2": ("MobileNetV2", _mobilenet_v2),
}
"""Family -> (prefix of the `transformers` classes, sizes to configuration)."""


def build(design: Design, class_names: tuple[str, ...]) -> Any:
    """A randomly initialised `...ForImageClassification`; seed torch before the call.

    Raises:
        ValueError: the design has more than `MAX_PARAMS` parameters.
    """
    import transformers

    prefix, settings = FAMILIES[design.family]
    config = getattr(transformers, f"{prefix}Config")(**settings(design))
    config.id2label = dict(enumerate(class_names))
    config.label2id = {name: index for index, name in enumerate(class_names)}
    model = getattr(transformers, f"{prefix}ForImageClassification")(config)
    params = sum(p.numel() for p in model.parameters())
    if params > MAX_PARAMS:
        raise ValueError(f"{design} has {params} parameters, more than {MAX_PARAMS}")
    _initialise(model)
    make_trainable(model)
    return model


def _initialise(model: Any) -> None:
    """He and Xavier initialisation: the library's normal(0, 0.02) is made for layers ten times as wide.

    With it, small EfficientNets stay at chance for epochs, and small vision transformers start as slowly.
    """
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight)


def make_trainable(model: Any) -> None:
    """Batch normalisation gets momentum 0.1, and all dropout is switched off, in place.

    `transformers` gives MobileNetV1, MobileNetV2 and EfficientNet the TensorFlow decays 0.9997, 0.997 and 0.99 as
    PyTorch momenta: running statistics would be those of the last batch alone, and evaluation near chance. Likewise
    the share *kept* (0.999 and 0.8) stands for the share dropped before the classifier of both MobileNets.
    """
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = BATCH_NORM_MOMENTUM
        elif isinstance(module, torch.nn.Dropout):
            module.p = 0.0
