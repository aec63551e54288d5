"""The shapes of models that a user names: from the starter zoo, a folder or the Hub, and counted where not known.

A network whose cost is in no table is built from its config on the meta device, without weights, and a pass of it
counted there; nothing of a repository runs but the code of `transformers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.forward_counts import ForwardCounts, on_meta
from hf_crosssight.hardware.model_shape import ModelShapes, zoo_shapes

if TYPE_CHECKING:
    from hf_crosssight.hub import HubClient

_USUAL_SIDE = 224


@dataclasses.dataclass(frozen=True)
class KnownModels:
    """Models that a user named, M of them.

    Attributes:
        ids: how they are called.
        shapes: their shapes.
        unknown: by id of a model whose costs are not known, why.
    """

    ids: tuple[str, ...]
    shapes: ModelShapes
    unknown: dict[str, str]


def known_models(names: Sequence[str], *, client: HubClient | None = None) -> KnownModels:
    """The shapes of models, each a folder, an id of the starter zoo or a Hub id (`ID@REVISION`), in order.

    Raises:
        UserError: a name is no model.
        HubError: the Hub or the network is at fault.
    """
    from hf_crosssight.zoo.open import open_zoo

    ids, parts, unknown = [], [], {}
    for name in names:
        folder = Path(name).expanduser()
        zoo = _folder_zoo(folder) if folder.is_dir() else open_zoo("starter", client=client, models=[name])
        model_id, shapes = zoo.model_ids[0], zoo_shapes(zoo)
        if folder.is_dir() or not shapes.known.all():
            shapes, reason = _counted(folder if folder.is_dir() else _fetched(name, client), shapes)
            if reason and not shapes.known.all():
                unknown[model_id] = reason
        ids.append(model_id)
        parts.append(shapes)
    return KnownModels(tuple(ids), _joined(parts), unknown)


def _folder_zoo(folder: Path) -> Any:
    from hf_crosssight.hub.weight_files import folder_tensors
    from hf_crosssight.zoo.folder import folder_facts
    from hf_crosssight.zoo.model_facts import index_of
    from hf_crosssight.zoo.repo_files import UnreadableRepoError

    path = folder.resolve()
    try:
        facts = folder_facts(f"{path.parent.name}/{path.name}", path, folder_tensors(path))
    except (UnreadableRepoError, OSError) as error:
        raise UserError(f"{folder} is no model: {error}", "Name a folder with config.json and safetensors.") from error
    return index_of([facts], id=str(folder))


def _fetched(name: str, client: HubClient | None) -> Path:
    from hf_crosssight.hub import HubClient

    client = client or HubClient()
    return client.snapshot(client.resolve(name, "model"), ["config.json", "preprocessor_config.json"])


def _counted(folder: Path, shapes: ModelShapes) -> tuple[ModelShapes, str | None]:
    """The shapes with costs counted from the config, or as they are and why they could not be counted."""
    from hf_crosssight.features.untrusted import UnusableModelError, Weights, one_line

    numel = int(np.nan_to_num(shapes.params[0]))
    try:
        side, counts = counts_from_config(folder, Weights(int(8 * shapes.layers[0]) + 64, numel), shapes.input_size[0])
    except UnusableModelError as error:
        return shapes, str(error)
    except Exception as error:  # networks raise whatever comes to hand
        return shapes, f"a pass of it cannot be counted: {one_line(error)}"
    found = {"gmacs": counts.gmacs, "macts": counts.macts, "input_size": float(side), "live_bytes": counts.live_bytes}
    if not numel:
        found["params"] = float(counts.params)
    return dataclasses.replace(shapes, **{name: np.array([float(value)]) for name, value in found.items()}), None


def counts_from_config(folder: Path, weights: Any, side: float, batch: int = 1) -> tuple[int, ForwardCounts]:
    """(pixels a side, costs of a pass) of the network that a folder's config.json describes, on the meta device.

    Args:
        folder: has config.json.
        weights (`features.untrusted.Weights`): what the network's size is bounded by.
        side: pixels a side of the input; the config's own, else 224, where it is not known.
        batch: images.

    Raises:
        UnusableModelError: the config is hostile, or `transformers` has no image model for it.
    """
    import torch
    import transformers

    from hf_crosssight.features.untrusted import (
        UnusableModelError,
        bounded_construction,
        read_config,
        refuse_hostile,
    )

    refuse_hostile(read_config(folder), weights)
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    settings = transformers.AutoConfig.from_pretrained(folder, **local)
    classifiers = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
    factory: Any = (
        transformers.AutoModelForImageClassification if type(settings) in classifiers else transformers.AutoModel
    )
    with bounded_construction(weights), torch.device("meta"):
        module = factory.from_config(settings, trust_remote_code=False).eval()
        module.float()  # whatever its weights are kept in
    if getattr(module, "main_input_name", "") != "pixel_values":
        raise UnusableModelError(f"{settings.model_type} takes no images")
    own = getattr(settings, "image_size", None)
    own = own[0] if isinstance(own, list | tuple) and own else own
    pixels = int(side) if np.isfinite(side) and side > 0 else own if isinstance(own, int) else _USUAL_SIDE
    shape = (batch, getattr(settings, "num_channels", 3), pixels, pixels)
    return pixels, on_meta(module, lambda images: module(pixel_values=images), shape)


def _joined(parts: Sequence[ModelShapes]) -> ModelShapes:
    """Single models one after the other; bytes that were not counted are NaN."""
    unknown = {"live_bytes": np.array([np.nan]), "transformers": np.array([False])}
    filled = [
        dataclasses.replace(part, **{name: value for name, value in unknown.items() if getattr(part, name) is None})
        for part in parts
    ]
    names = [field.name for field in dataclasses.fields(ModelShapes)]
    return ModelShapes(**{name: np.concatenate([getattr(part, name) for part in filled]) for name in names})
