"""Which models are kin: lineage groups, so that a blind model has no relative among the known ones.

Models are of one lineage if they share the root model, or the architecture and the data of their first training. A
torchvision ResNet-50 and one trained further on aerial photographs are one lineage; ResNet-50 by BYOL is another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hf_crosssight.zoo.record import ModelRecord

# Parts of a timm tag or a Hub name that say on what resolution or labels a model was tuned, not where it comes from.
_SIZE_MARKS = re.compile(r"([_-](patch\d+|window\d+|\d{3}|\d{3}to\d{3}|8x\d+|clip))+(?=$|[_.-])")

# What a checkpoint of unstated origin was fine-tuned from: the weights under which its architecture is known.
_USUAL_ROOT = {"vit": "imagenet-22k", "swin": "imagenet-1k", "convnext": "imagenet-1k", "beit": "imagenet-22k",
               "deit": "imagenet-1k", "resnet": "imagenet-1k"}  # fmt: skip


def root_of(record: ModelRecord, layers_of: str | None = None) -> str:
    """Name of the lineage: architecture (without image side) and the data of the first training.

    `layers_of`: Hub id whose architecture stands for the record's, for checkpoints named by their own repository.
    """
    if layers_of and layers_of.startswith("timm/"):
        architecture = layers_of.removeprefix("timm/").split(".")[0]
    elif record.model_id.startswith("timm/"):
        architecture = record.model_id.removeprefix("timm/").split(".")[0]
    else:
        architecture = (record.architecture or record.model_id).lower()
    architecture = _SIZE_MARKS.sub("", architecture.replace("_distilled", ""))
    if record.model_id.startswith(("ssl/", "vtab/")):
        return f"{architecture}|{record.model_id.split('.', 1)[1]}"
    first = _data_name(record.pretrain_data[0]) if record.pretrain_data else "none"
    if layers_of and not record.model_id.startswith("timm/") and "imagenet" not in first:
        first = next((data for name, data in _USUAL_ROOT.items() if architecture.startswith(name)), first)
    return f"{architecture}|{first}"


def _data_name(name: str) -> str:
    return re.sub(r"(?<=net)-?2[12]k(-p|p)?$", "-22k", name.lower())


def lineages(roots: Mapping[str, str], bases: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Lineage of each model id: those with one root, or joined by `base_model`, fall into one group."""
    parent = {model: model for model in roots}

    def find(model: str) -> str:
        while parent[model] != model:
            parent[model] = parent[parent[model]]
            model = parent[model]
        return model

    first: dict[str, str] = {}
    for model, root in roots.items():
        parent[find(model)] = find(first.setdefault(root, model))
    for model, base in (bases or {}).items():
        if base in parent and model in parent:
            parent[find(model)] = find(base)
    return {model: roots[find(model)] for model in roots}


def lineage_folds(lineage: Mapping[str, str], models: Iterable[str], folds: int, seed: int) -> dict[str, int]:
    """Fold of each model: whole lineages, the largest first into the fold that holds fewest models so far."""
    import numpy as np

    members: dict[str, list[str]] = {}
    for model in models:
        members.setdefault(lineage[model], []).append(model)
    rng = np.random.default_rng(seed)
    order = sorted(members, key=lambda group: (-len(members[group]), rng.random()))
    filled, fold_of = [0] * folds, {}
    for group in order:
        fold = int(np.argmin(filled))
        filled[fold] += len(members[group])
        fold_of.update(dict.fromkeys(members[group], fold))
    return fold_of
