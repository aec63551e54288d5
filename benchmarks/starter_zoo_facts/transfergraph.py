"""Models of `transformers` from TransferGraph's model table: facts alone, no measured value.

Structure is taken from a default transformers configuration on the meta device, and only where its parameter count
agrees exactly with the table's; the licence is not in the table and stays unknown.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

from hf_crosssight.tokens.card import pretrain_data_of
from hf_crosssight.tokens.card_reading import dataset_name, strip_results
from hf_crosssight.tokens.card_vocabulary import family_of, view_words
from hf_crosssight.zoo.model_facts import ModelFacts
from hf_crosssight.zoo.record import ModelRecord
from starter_zoo_facts.named_shape import NamedShape

_UNNAMED = {"hfpics", "imagefolder", "nan", ""}


def models(path: Path) -> list[ModelFacts]:
    """The table's image models, by id."""
    import pandas as pd

    table = pd.read_csv(path)
    table = table[table.modality == "image"].sort_values("model")
    table = table[table.model.str.contains("/") & ~table.architecture.isna()].drop_duplicates("model")
    return [_model(row._asdict()) for row in table.itertuples(index=False)]


def _model(row: dict[str, Any]) -> ModelFacts:
    params = int(row["params"]) if row["params"] > 0 else None
    model_type = row["model_type"] if isinstance(row["model_type"], str) else ""
    labels, size = _labels(row["labels"]), _integer(row["input_size"])
    outputs = _integer(row["n_labels"])
    named = pretrain_data_of(row["model"].rpartition("/")[2])
    source = str(row["pretrain_dataset"])
    stated = () if source.lower() in _UNNAMED else (dataset_name(source),)
    words = tuple(dict.fromkeys((*named, *(word for name in stated for word in view_words(name)[:1]))))
    tensors = _structure(model_type, row["architecture"], outputs, size or 224, params)
    record = ModelRecord(
        model_id=row["model"],
        task="image-classification",
        library="transformers",
        architecture=row["architecture"],
        family=family_of(model_type, row["architecture"]),
        pretrain_data=stated,
        params=params,
        input_size=size,
        sources=("TransferGraph model table", "transformers") if tensors else ("TransferGraph model table",),
    )
    description = strip_results("Labels: " + ", ".join(labels)) if labels else ""
    return ModelFacts(record, description, tensors, {"num_labels": outputs} if outputs else {}, data_words=words)


def _labels(text: Any) -> list[str]:
    """Class names of a list that the table may have cut off."""
    if not isinstance(text, str) or not text.startswith("["):
        return []
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        names = [part.strip(" '\"[") for part in text.split(",")[:-1]]
    return [str(name) for name in names if any(c.isalpha() for c in str(name))][:12]


def _integer(value: Any) -> int | None:
    return int(value) if value == value and value else None


def _structure(
    model_type: str, architecture: str, outputs: int | None, size: int, params: int | None
) -> tuple[NamedShape, ...] | None:
    """Tensors of the first known size of an architecture that has exactly this many parameters."""
    for overrides in _SIZES.get(model_type, ()):
        found = _built(model_type, architecture, outputs or 1000, size, tuple(sorted(overrides.items())))
        if found and found[1] == params:
            return found[0]
    return None


@cache
def _built(
    model_type: str, architecture: str, outputs: int, size: int, overrides: tuple[tuple[str, Any], ...]
) -> tuple[tuple[NamedShape, ...], int] | None:
    """(tensors, parameters) of a transformers network on the meta device."""
    import torch
    import transformers

    try:
        settings = {key: list(v) if isinstance(v, tuple) else v for key, v in overrides}
        config = transformers.AutoConfig.for_model(model_type, image_size=size, num_labels=outputs, **settings)
        with torch.device("meta"):
            model = getattr(transformers, architecture)(config)
    except (AttributeError, KeyError, ValueError, TypeError):
        return None
    floating = [(name, tensor) for name, tensor in model.state_dict().items() if tensor.is_floating_point()]
    tensors = tuple(NamedShape(name, "F32", tuple(tensor.shape)) for name, tensor in floating)
    return tensors, sum(p.numel() for p in model.parameters())


def _vit(width: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    return {**sizes, "intermediate_size": 4 * width, **more}


_VIT_SIZES = [
    _vit(*size, patch_size=patch)
    for size in ((192, 12, 3), (384, 12, 6), (768, 12, 12), (1024, 24, 16))
    for patch in (16, 32, 14, 8)
]
_BEIT_SIZES = [
    _vit(*size, use_relative_position_bias=True, use_shared_relative_position_bias=False, use_mean_pooling=True)
    for size in ((768, 12, 12), (1024, 24, 16))
]
_SWIN_SIZES = [
    {"embed_dim": width, "depths": depths, "num_heads": heads, "window_size": window}
    for width, depths, heads in (
        (96, (2, 2, 6, 2), (3, 6, 12, 24)),
        (96, (2, 2, 18, 2), (3, 6, 12, 24)),
        (128, (2, 2, 18, 2), (4, 8, 16, 32)),
        (192, (2, 2, 18, 2), (6, 12, 24, 48)),
    )
    for window in (7, 12, 8, 16)
]
_CONVNEXT_SIZES = [
    {"depths": depths, "hidden_sizes": widths}
    for depths, widths in (
        ((3, 3, 9, 3), (96, 192, 384, 768)),
        ((3, 3, 27, 3), (96, 192, 384, 768)),
        ((3, 3, 27, 3), (128, 256, 512, 1024)),
        ((3, 3, 27, 3), (192, 384, 768, 1536)),
        ((3, 3, 27, 3), (256, 512, 1024, 2048)),
    )
]
_RESNET_SIZES = [
    {"depths": depths, "layer_type": layer, "hidden_sizes": widths}
    for depths, layer, widths in (
        ((2, 2, 2, 2), "basic", (64, 128, 256, 512)),
        ((3, 4, 6, 3), "basic", (64, 128, 256, 512)),
        ((3, 4, 6, 3), "bottleneck", (256, 512, 1024, 2048)),
        ((3, 4, 23, 3), "bottleneck", (256, 512, 1024, 2048)),
        ((3, 8, 36, 3), "bottleneck", (256, 512, 1024, 2048)),
    )
]
_SIZES: dict[str, list[dict[str, Any]]] = {
    "vit": _VIT_SIZES,
    "deit": _VIT_SIZES,
    "beit": _BEIT_SIZES,
    "data2vec-vision": _BEIT_SIZES,
    "swin": _SWIN_SIZES,
    "swinv2": _SWIN_SIZES,
    "convnext": _CONVNEXT_SIZES,
    "resnet": _RESNET_SIZES,
}
