"""From models that have been read to an index on the disk: shards in order, derived views, index.json last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hf_crosssight.tokens.lineage import Names, lineage_views
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo.held_models import HeldModels
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.index_files import (
    DERIVED,
    Description,
    open_shards,
    sweep,
    write_content,
    write_description,
    write_shard,
    write_skipped,
)
from hf_crosssight.zoo.stages import MadeModel, Stages
from hf_crosssight.zoo.view_files import view_bytes

MODELS_A_SHARD = 1024
SOURCES = {
    "hub": {
        "name": "Hugging Face Hub",
        "license": "each model's own, column `license`",
        "url": "https://huggingface.co/models",
        "what": "configs, cards without results, tensor headers, statistics and samples of weights",
    },
    "folder": {
        "name": "a folder of models",
        "license": "each model's own, column `license`",
        "url": "",
        "what": "configs, cards without results, tensor headers, statistics and samples of weights",
    },
}


class WeightEncoder(Protocol):
    """A network that turns weights views into codes, with the id that an index records."""

    @property
    def id(self) -> str:
        """What it is called."""

    def codes(self, views: np.ndarray) -> np.ndarray:
        """Weights views `[M, n, Dv]` to codes `[M, *VIEWS["arch2vec"].shape]`, float32."""


@dataclass(frozen=True)
class IndexContent:
    """What an index shall hold.

    Attributes:
        keys (`list[str]`): models by the keys of their stages, in order.
        views (`tuple[str, ...]`): all its views.
        byte_budget (`int`): that was used.
        skipped (`dict[str, str]`): models left out, with reasons.
        encoder (`WeightEncoder`, *optional*): of the arch2vec view.
        before (`Description`, *optional*): shards to stand before the new ones.
        reasons (`dict`): model → view → why it lacks it, of those shards.
    """

    keys: list[str]
    views: tuple[str, ...]
    byte_budget: int
    skipped: dict[str, str]
    encoder: WeightEncoder | None = None
    before: Description | None = None
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Assembled:
    """What was written: models, those that lack a view with the reason, and how many have each."""

    num_models: int
    missing_views: dict[str, dict[str, str]]
    views: dict[str, int]


def assemble(root: Path, content: IndexContent, stages: Stages, held: HeldModels) -> Assembled:
    """Writes the shards of the models and replaces the index."""
    shards: list[dict[str, Any]] = list(content.before.shards) if content.before else []
    reasons = dict(content.reasons)
    sources = list(content.before.sources) if content.before else []
    for start in range(0, len(content.keys), MODELS_A_SHARD):
        models = [_staged(key, stages, held) for key in content.keys[start : start + MODELS_A_SHARD]]
        shards.append(_write_models(root, models, content))
        for model in models:
            reasons.pop(model.record.model_id, None)
            if model.reasons:
                reasons[model.record.model_id] = model.reasons
            sources += [s for name in model.record.sources if (s := SOURCES.get(name)) and s not in sources]
    encoders = dict(content.before.encoders) if content.before else {}
    if content.encoder is not None:
        encoders["arch2vec"] = content.encoder.id
    description = Description(
        num_models=0,
        specs={name: VIEWS[name].spec for name in content.views},
        shards=tuple(shards),
        encoders=encoders,
        byte_budget=content.byte_budget if "weights" in content.views else None,
        sources=tuple(sources),
    )
    return finish(root, description, content.skipped, reasons)


def finish(
    root: Path, description: Description, skipped: dict[str, str], reasons: dict[str, dict[str, str]]
) -> Assembled:
    """Makes the derived views of all shards together, replaces index.json and removes what it no longer names."""
    opened = open_shards(root, replace(description, derived={}), counted=False)
    zoo = ZooIndex(str(root), opened.table, opened.views, opened.masks)
    derived = {name: _write_derived(root, zoo, name) for name in description.specs if name in DERIVED}
    description = replace(description, num_models=len(zoo), derived=derived)
    kept = {name: own for name, own in reasons.items() if name in set(zoo.model_ids)}
    write_skipped(root, skipped, kept)
    write_description(root, description)
    sweep(root, description.files())
    counts = {name: int(mask.sum()) for name, mask in ZooIndex.open(root).view_mask.items()}
    return Assembled(len(zoo), kept, counts)


def _staged(key: str, stages: Stages, held: HeldModels) -> MadeModel:
    found = held.get(key) or stages.get(key)
    if found is None:
        raise RuntimeError(f"the stage {key} is gone: something removed it while the index was built")
    return found


def _write_models(root: Path, models: Sequence[MadeModel], content: IndexContent) -> dict[str, Any]:
    own = [name for name in content.views if name not in DERIVED]
    entries = [(m.record, {name: view for name, view in m.views.items() if name in own}) for m in models]
    part = ZooIndex.from_entries(entries)
    views, masks = dict(part.views), dict(part.view_mask)
    if content.encoder is not None and "weights" in views:
        views["arch2vec"], masks["arch2vec"] = encoded(content.encoder, views["weights"], masks["weights"])
    return write_shard(root, part.table, views, masks)


def encoded(encoder: WeightEncoder, weights: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes float16 of the weights views of a shard, and their mask; one batch in one order, so always the same."""
    codes = np.zeros((len(weights), *VIEWS["arch2vec"].shape), np.float16)
    if mask.any():
        codes[mask] = encoder.codes(np.asarray(weights[mask], np.float32))
    return codes, mask


def _write_derived(root: Path, zoo: ZooIndex, name: str) -> str:
    names = Names(*(zoo.column(c).to_pylist() for c in ("model_id", "base_model", "family", "architecture")))
    views = lineage_views(names, zoo.views, zoo.view_mask)
    return write_content(root, name, "safetensors", view_bytes(views, np.ones(len(zoo), bool)))
