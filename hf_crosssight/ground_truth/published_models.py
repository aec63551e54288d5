"""Facts of the models that the published tables name: a `ModelRecord`, a sentence, and the lineage they belong to.

A Hub model's facts come from a zoo where that holds the id. The others (torchvision's own, networks trained further on
one of the tables' datasets, self-supervised ones) are described here from what their tables say of them; `layers_of`
names the Hub model whose tensors theirs equal, so that their structure view is that model's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hf_crosssight.tokens.card_vocabulary import family_of
from hf_crosssight.zoo.record import ModelRecord

from .datasets import dataset_key, published_datasets
from .model_names import TIMM_ARCHITECTURE

# Parameters, 1e9 multiply-accumulates, 1e6 activations and image side of networks that timm does not carry; from
# torchvision's documentation of its weights and the table of the PVT paper (Wang et al. 2021).
_FACTS: dict[str, tuple[int, float, float | None, int]] = {
    "googlenet": (6_624_904, 1.50, None, 224),
    "alexnet": (61_100_840, 0.71, None, 224),
    "shufflenet_v2_x1_0": (2_278_604, 0.14, None, 224),
    "pvt_tiny": (13_230_000, 1.9, None, 224),
    "pvt_small": (24_490_000, 3.8, None, 224),
    "pvt_medium": (44_210_000, 6.7, None, 224),
}

# timm id with the same layers as a torchvision architecture (whose own weights it may or may not carry).
_SAME_LAYERS = {
    "mobilenetv2_100": "timm/mobilenetv2_100.ra_in1k",
    "mnasnet_100": "timm/mnasnet_100.rmsp_in1k",
    "efficientnet_b0": "timm/efficientnet_b0.ra_in1k",
    "convnext_tiny": "timm/convnext_tiny.fb_in1k",
}

_SSL = "pre-trained without labels on ImageNet by"
_RECIPES = {
    "ssl/resnet50.byol": f"{_SSL} self-distillation (BYOL)",
    "ssl/resnet50.deepcluster-v2": f"{_SSL} clustering (DeepCluster)",
    "ssl/resnet50.infomin": f"{_SSL} contrastive learning with chosen views (InfoMin)",
    "ssl/resnet50.insdis": f"{_SSL} instance discrimination (InsDis)",
    "ssl/resnet50.moco-v1": f"{_SSL} momentum contrast (MoCo)",
    "ssl/resnet50.moco-v2": f"{_SSL} momentum contrast with strong augmentation (MoCo v2)",
    "ssl/resnet50.pcl-v1": f"{_SSL} prototypical contrast (PCL)",
    "ssl/resnet50.pcl-v2": f"{_SSL} prototypical contrast with strong augmentation (PCL v2)",
    "ssl/resnet50.sela-v2": f"{_SSL} self-labelling (SeLa)",
    "ssl/resnet50.simclr-v1": f"{_SSL} contrastive learning (SimCLR)",
    "ssl/resnet50.simclr-v2": f"{_SSL} contrastive learning, longer (SimCLR v2)",
    "ssl/resnet50.swav": f"{_SSL} swapped cluster assignments (SwAV)",
    "vtab/resnet50.cond-biggan": "discriminator of a class-conditional generative adversarial network on ImageNet",
    "vtab/resnet50.uncond-biggan": "discriminator of an unconditional generative adversarial network on ImageNet",
    "vtab/resnet50.exemplar": f"{_SSL} exemplar discrimination",
    "vtab/resnet50.from-scratch": "random weights, not pre-trained",
    "vtab/resnet50.jigsaw": f"{_SSL} solving jigsaw puzzles",
    "vtab/resnet50.rel.pat.loc": f"{_SSL} relative patch location",
    "vtab/resnet50.rotation": f"{_SSL} rotation prediction",
    "vtab/resnet50.semi-exemplar-10%": "pre-trained on ImageNet with a tenth of labels and exemplar discrimination",
    "vtab/resnet50.semi-rotation-10%": "pre-trained on ImageNet with a tenth of the labels and rotation prediction",
    "vtab/resnet50.sup-100%": "pre-trained on ImageNet with labels",
    "vtab/resnet50.sup-exemplar-100%": "pre-trained on ImageNet with labels and exemplar discrimination",
    "vtab/resnet50.sup-rotation-100%": "pre-trained on ImageNet with labels and rotation prediction",
    "vtab/resnet50.vae": "encoder of a variational autoencoder on ImageNet",
    "vtab/resnet50.wae-gan": "encoder of a Wasserstein autoencoder with adversarial loss on ImageNet",
    "vtab/resnet50.wae-mmd": "encoder of a Wasserstein autoencoder with kernel loss on ImageNet",
    "vtab/resnet50.wae-ukl": "encoder of a Wasserstein autoencoder with Kullback-Leibler loss on ImageNet",
}

_PARC_BANK = (
    (r"(panoptic|mask|faster|keypoint)-rcnn_.*|retinanet_.*", None),
    (r"semisup_yfcc100m", "pre-trained with few labels on YFCC100M photographs, then ImageNet"),
    (r"semisup_instagram", "pre-trained on Instagram photographs by hashtags, then ImageNet"),
    (r"supervised_places205", "pre-trained with labels on scenes (Places205)"),
    (r"jigsaw_imagenet22k", "pre-trained without labels on ImageNet-22k by solving jigsaw puzzles"),
    (r"rotnet_imagenet22k", "pre-trained without labels on ImageNet-22k by rotation prediction"),
    (r"pirl_imagenet", f"{_SSL} invariance to jigsaw puzzles (PIRL)"),
    (r"clusterfit_imagenet", f"{_SSL} fitting clusters (ClusterFit)"),
)

# What the sources of the bank were trained on, in order; detectors start from an ImageNet backbone.
_BANK_DATA = {
    "rcnn": ("imagenet-1k", "coco"),
    "retinanet": ("imagenet-1k", "coco"),
    "imagenet22k": ("imagenet-22k",),
    "places": ("places205",),
    "yfcc": ("yfcc100m",),
    "instagram": ("instagram-1b",),
}

_MEDICAL_SOURCES = {
    "radimagenet": "radiology images: CT, MRI and ultrasound (RadImageNet)",
    "medmnist": "twelve small medical image sets together (MedMNIST)",
}


@dataclass(frozen=True)
class PublishedModel:
    """One model of the tables: facts, a sentence on how it was trained, the Hub id that has the same layers."""

    record: ModelRecord
    description: str
    layers_of: str | None


def _with_layers(architecture: str) -> str | None:
    timm_name = TIMM_ARCHITECTURE.get(architecture, architecture)
    return _SAME_LAYERS.get(timm_name, f"timm/{timm_name}.tv_in1k") if timm_name else None


def _record(model_id: str, architecture: str, data: tuple[str, ...], base: str | None = None) -> ModelRecord:
    params, gmacs, macts, side = _FACTS.get(architecture, (None, None, None, None))
    return ModelRecord(
        model_id, task="image-classification", library=model_id.split("/")[0], architecture=architecture,
        family=family_of(architecture),
        pretrain_data=data, base_model=base, params=params, gmacs=gmacs, macts=macts, input_size=side,
        sources=("published table",),
    )  # fmt: skip


def _words_for(source: str) -> str:
    """What a source dataset shows, without its number of images or results."""
    if source in _MEDICAL_SOURCES:
        return _MEDICAL_SOURCES[source]
    found = published_datasets().get(dataset_key(source))
    return f"{source}: {found.description}" if found and found.description else source


def _further_trained(model_id: str, architecture: str, source: str) -> PublishedModel:
    data = ("imagenet-1k", source)
    record = _record(model_id, architecture, data, _with_layers(architecture))
    return PublishedModel(record, f"{architecture} pre-trained on ImageNet, then on {_words_for(source)}",
                          _with_layers(architecture))  # fmt: skip


def _from_bank(model_id: str, architecture: str, source: str) -> PublishedModel | None:
    """A network of PARC's crowd-sourced bank, `None` if `source` is one of the controlled datasets."""
    for pattern, sentence in _PARC_BANK:
        if not re.fullmatch(pattern, source):
            continue
        if sentence is None:
            kind = source.split("_")[0]
            scenes = "COCO and " + next((s for s in ("cityscapes", "lvis", "voc") if s in source), "ImageNet")
            sentence = f"backbone of a {kind} detector trained on everyday scenes ({scenes})"
        data = next((data for mark, data in _BANK_DATA.items() if mark in source), ("imagenet-1k",))
        record = _record(model_id, architecture, data)
        return PublishedModel(record, f"{architecture} {sentence}", _with_layers(architecture))
    return None


def published_model(model_id: str) -> PublishedModel | None:
    """Facts of a model that a table names and no Hub repository stands for; `None` for Hub ids.

    Example: `model_spider/resnet50.aid` is a ResNet-50 of ImageNet trained further on aerial photographs.
    """
    origin, _, name = model_id.partition("/")
    if origin == "torchvision":
        sentence = f"{name} pre-trained on ImageNet with labels (torchvision)"
        return PublishedModel(_record(model_id, name, ("imagenet-1k",)), sentence, _with_layers(name))
    if origin in {"ssl", "vtab"}:
        data = () if name.endswith("from-scratch") else ("imagenet-1k",)
        record = _record(model_id, "resnet50", data)
        return PublishedModel(record, f"resnet50 {_RECIPES[model_id]}", _with_layers("resnet50"))
    if model_id == "emms/vit_small_patch16_224.mocov3":
        record = _record(model_id, "vit_small_patch16_224", ("imagenet-1k",))
        return PublishedModel(
            record, f"vit small {_SSL} momentum contrast (MoCo v3)", "timm/vit_small_patch16_224.dino"
        )
    if origin == "emms":
        sentence = f"pyramid vision transformer ({name}) pre-trained on ImageNet with labels"
        return PublishedModel(_record(model_id, name, ("imagenet-1k",)), sentence, None)
    if origin in {"parc", "model_spider", "medical"}:
        architecture, _, source = name.partition(".")
        return _from_bank(model_id, architecture, source) or _further_trained(model_id, architecture, source)
    return None
