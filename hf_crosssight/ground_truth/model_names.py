"""How the published tables name their models, and the one id under which a model stands in all of them.

The same network in two tables gets the same id, so that a split by model holds across tables: torchvision's ResNet-50
is `timm/resnet50.tv_in1k` everywhere. Models that no Hub repository stands for get an id of the table that brought
them.
"""

from __future__ import annotations

import re

from .datasets import dataset_key

# torchvision name -> id. timm carries torchvision's own weights (tag tv_in1k) of the first group; the second has none.
_TORCHVISION = {
    **{name: f"timm/{name}.tv_in1k" for name in (
        "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "densenet121", "densenet169", "densenet201",
        "inception_v3", "vgg11", "vgg16")},
    **{name: f"torchvision/{name}" for name in (
        "googlenet", "mobilenet_v2", "mnasnet1_0", "alexnet", "shufflenet_v2_x1_0", "efficientnet_b0",
        "convnext_tiny")},
}  # fmt: skip

# torchvision name -> timm architecture with the same layers, `None` where timm has none.
TIMM_ARCHITECTURE: dict[str, str | None] = {
    **{name: name for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "densenet121",
                               "densenet169", "densenet201", "inception_v3", "vgg11", "vgg16", "efficientnet_b0",
                               "convnext_tiny")},
    "mobilenet_v2": "mobilenetv2_100",
    "mnasnet1_0": "mnasnet_100",
    "googlenet": None,
    "alexnet": None,
    "shufflenet_v2_x1_0": None,
}  # fmt: skip

_EMMS_VIT = {
    "deit_tiny": "timm/deit_tiny_patch16_224.fb_in1k",
    "deit_small": "timm/deit_small_patch16_224.fb_in1k",
    "deit_base": "timm/deit_base_patch16_224.fb_in1k",
    "dino_small": "timm/vit_small_patch16_224.dino",
    "dino_base": "timm/vit_base_patch16_224.dino",
    "mocov3_small": "emms/vit_small_patch16_224.mocov3",
    "pvtv2_b2": "timm/pvt_v2_b2.in1k",
    "pvtv2_b3": "timm/pvt_v2_b3.in1k",
    "pvt_tiny": "emms/pvt_tiny",
    "pvt_small": "emms/pvt_small",
    "pvt_medium": "emms/pvt_medium",
    "swin_t": "timm/swin_tiny_patch4_window7_224.ms_in1k",
    "swin_s": "timm/swin_small_patch4_window7_224.ms_in1k",
}

# The medical study names its nine networks by family alone; the torchvision variants stand in its repository.
_MEDICAL = {
    "resnet": "resnet18", "densenet": "densenet121", "efficientnet": "efficientnet_b0", "googlenet": "googlenet",
    "mnasnet": "mnasnet1_0", "mobilenet": "mobilenet_v2", "vgg": "vgg11", "convnext": "convnext_tiny",
    "shufflenet": "shufflenet_v2_x1_0",
}  # fmt: skip


def torchvision_id(name: str) -> str:
    """Id of a network that torchvision trained on ImageNet-1k."""
    return _TORCHVISION[name]


def source_slug(source: str) -> str:
    """A source dataset as part of an id: canonical, lower case."""
    return dataset_key(source).lower()


def trained_on_id(origin: str, architecture: str, source: str) -> str:
    """Id of `architecture` trained further on `source`; ImageNet means torchvision's own weights."""
    if source_slug(source) == "imagenet":
        return torchvision_id(architecture)
    return f"{origin}/{architecture}.{source_slug(source)}"


def model_spider_id(name: str) -> str:
    """`resnet50` or `FTD_resnet50_AID` of Model Spider's two zoos."""
    match = re.fullmatch(r"FTD_(.+)_([^_]+)", name)
    return trained_on_id("model_spider", match[1], match[2]) if match else torchvision_id(name)


def parc_id(architecture: str, source: str) -> str:
    """Architecture and source column of PARC's oracle."""
    return trained_on_id("parc", architecture, source)


def ssl_id(name: str) -> str:
    """A self-supervised ResNet-50 of the SFDA tables."""
    return f"ssl/resnet50.{name}"


def emms_vit_id(name: str) -> str:
    """A transformer of the EMMS tables."""
    return _EMMS_VIT[name]


def vtab_id(method: str) -> str:
    """A representation of the VTAB leaderboard."""
    return f"vtab/resnet50.{method.lower()}"


def medical_id(study: str, source: str) -> str:
    """A network of the medical study: `model` names architectures, `dataset` the data a ResNet-18 was trained on."""
    if study == "model":
        return torchvision_id(_MEDICAL[source])
    return trained_on_id("medical", "resnet18", source)


def transfergraph_id(name: str) -> str:
    """Hub ids stand as they are; two old names are followed to where their weights stand today."""
    return name if "/" in name else f"transfergraph/{name}"
