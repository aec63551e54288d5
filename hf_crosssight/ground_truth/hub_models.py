"""Facts of TransferGraph's Hub models, for those that the zoo at hand does not hold.

`transfergraph_models.csv` states architecture, parameters, pre-training data and labels. A fine-tuned checkpoint keeps
the layers of what it was fine-tuned from, so its structure view is that of the timm model with the same layers.
"""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

from hf_crosssight.zoo.record import ModelRecord

from .published_models import PublishedModel

# (family, parameters up to this many million, what the id must contain, timm id with the same layers)
_LAYERS = (
    ("convnext", 40, "", "timm/convnext_tiny.fb_in1k"),
    ("convnext", 60, "", "timm/convnext_small.fb_in1k"),
    ("convnext", 120, "", "timm/convnext_base.fb_in1k"),
    ("convnext", 240, "", "timm/convnext_large.fb_in1k"),
    ("convnext", 500, "", "timm/convnext_xlarge.fb_in22k_ft_in1k"),
    ("swin", 40, "", "timm/swin_tiny_patch4_window7_224.ms_in1k"),
    ("swin", 60, "", "timm/swin_small_patch4_window7_224.ms_in1k"),
    ("swin", 120, "384", "timm/swin_base_patch4_window12_384.ms_in1k"),
    ("swin", 120, "", "timm/swin_base_patch4_window7_224.ms_in1k"),
    ("swin", 240, "384", "timm/swin_large_patch4_window12_384.ms_in22k_ft_in1k"),
    ("swin", 240, "", "timm/swin_large_patch4_window7_224.ms_in22k_ft_in1k"),
    ("deit", 10, "", "timm/deit_tiny_distilled_patch16_224.fb_in1k"),
    ("deit", 40, "", "timm/deit_small_distilled_patch16_224.fb_in1k"),
    ("deit", 100, "384", "timm/deit_base_distilled_patch16_384.fb_in1k"),
    ("deit", 100, "", "timm/deit_base_distilled_patch16_224.fb_in1k"),
    ("beit", 130, "384", "timm/beit_base_patch16_384.in22k_ft_in22k_in1k"),
    ("beit", 130, "", "timm/beit_base_patch16_224.in22k_ft_in22k_in1k"),
    ("beit", 400, "384", "timm/beit_large_patch16_384.in22k_ft_in22k_in1k"),
    ("beit", 400, "", "timm/beit_large_patch16_224.in22k_ft_in22k_in1k"),
    ("data2vec", 130, "", "timm/beit_base_patch16_224.in22k_ft_in22k_in1k"),
    ("data2vec", 400, "", "timm/beit_large_patch16_224.in22k_ft_in22k_in1k"),
    ("resnet", 40, "", "timm/resnet50.tv_in1k"),
    ("vit", 10, "", "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"),
    ("vit", 40, "", "timm/vit_small_patch16_224.augreg_in21k_ft_in1k"),
    ("vit", 130, "patch32-384", "timm/vit_base_patch32_384.augreg_in21k_ft_in1k"),
    ("vit", 130, "384", "timm/vit_base_patch16_384.orig_in21k_ft_in1k"),
    ("vit", 130, "", "timm/vit_base_patch16_224.orig_in21k_ft_in1k"),
    ("vit", 400, "", "timm/vit_large_patch16_224.augreg_in21k_ft_in1k"),
)

_SIZES = {"tiny": 6, "small": 22, "base": 86, "large": 304, "xlarge": 350}
_SWIN_LIKE = {"tiny": 28, "small": 50, "base": 88, "large": 197, "xlarge": 350}
_DATA = {"imagenet": ("imagenet-1k",), "imagenet-21k": ("imagenet-22k",)}


def transfergraph_facts(folder: Path | str) -> dict[str, dict[str, str]]:
    """Rows of `transfergraph_models.csv` for image models, by id; empty if the folder has no such file."""
    path = Path(folder) / "transfergraph_models.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file) if row["modality"] == "image"}


def hub_model(model_id: str, row: dict[str, str]) -> PublishedModel:
    """Facts of a Hub model of TransferGraph from its row of the model table."""
    family = _family(model_id, row)
    params = int(float(row["params"])) if row.get("params") else None
    layers = _layers(model_id, family, params)
    data, sentence = _training(model_id, row)
    record = ModelRecord(
        model_id, task="image-classification", library="transformers", architecture=row.get("architecture") or None,
        family=family, pretrain_data=data, params=params,
        input_size=int(float(row["input_size"])) if row.get("input_size") else None,
        sources=("transfergraph_models.csv",),
    )  # fmt: skip
    return PublishedModel(record, f"{family or 'image classifier'} {sentence}", layers)


def _family(model_id: str, row: dict[str, str]) -> str | None:
    stated = (row.get("model_type") or row.get("architecture") or model_id.split("/")[-1]).lower()
    for family in ("convnext", "swin", "deit", "data2vec", "beit", "dit", "convit", "van", "resnet", "mit", "vit"):
        if stated.startswith(family) or family in re.split(r"[-_/]", stated):
            return family
    return None


def _layers(model_id: str, family: str | None, params: int | None) -> str | None:
    if family == "convit":
        return f"timm/{model_id.split('/')[-1]}.fb_in1k"
    sizes = _SWIN_LIKE if family in {"swin", "convnext"} else _SIZES
    named = next((value for name, value in sizes.items() if name in re.split(r"[-_/]", model_id.lower())), None)
    usual = 28 if family in {"swin", "convnext"} else 86
    millions = params / 1e6 if params else (named or usual)
    if millions < 1:
        return None
    for of_family, up_to, mark, layers in _LAYERS:
        if of_family == family and millions <= up_to and mark in model_id:
            return layers
    return None


def _training(model_id: str, row: dict[str, str]) -> tuple[tuple[str, ...], str]:
    """Pre-training data in order and a sentence; labels of fine-tuned checkpoints tell what they were tuned on."""
    stated = row.get("pretrain_dataset") or ""
    name = model_id.split("/")[-1]
    if "random" in name or name == "test_model_a":
        return (), "with random weights, not pre-trained"
    if stated in _DATA:
        data = ("imagenet-22k", "imagenet-1k") if re.search(r"22k-1k|^vit-(base|large)-patch", name) else _DATA[stated]
        return data, "pre-trained on " + " then ".join(data)
    labels = _labels(row.get("labels", ""))
    on = stated if stated and stated != "hfpics" else "web photographs"
    if stated == "hfpics" and labels:
        on += f" of {', '.join(labels)}"
    if not stated:
        on = re.sub(r"[-_]+", " ", name)
    return ("imagenet-22k", stated or "other"), f"pre-trained on imagenet-22k, fine-tuned on {on}"


def _labels(text: str) -> list[str]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return []
    return [str(label) for label in found][:10] if isinstance(found, list) else []
