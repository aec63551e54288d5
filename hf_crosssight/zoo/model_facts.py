"""From what is published of models (config, card, tensor headers) to records with views: one way in for every source.

A folder, the Hub and the starter zoo's tables all end here, so the same model has the same record and views whichever
way it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hf_crosssight.tokens.card import card_view, own_name, pretrain_data_of, timm_tag
from hf_crosssight.tokens.card_reading import CardFacts, dataset_name
from hf_crosssight.tokens.card_vocabulary import GENERAL_DATA, data_in, family_of, stages_in, stated_in, view_words
from hf_crosssight.tokens.structure import num_outputs, parameter_count, structure_view
from hf_crosssight.tokens.tensor_kinds import Tensor, place_tensors
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.known_costs import known_cost
from hf_crosssight.zoo.record import ModelRecord


@dataclass(frozen=True)
class ModelFacts:
    """One model as it was read, before its views.

    Attributes:
        record (`ModelRecord`): its facts.
        description (`str`): words of its card (`CardFacts.description`).
        tensors (`tuple[Tensor, ...]`, *optional*): names, dtypes and shapes of its weights.
        config (mapping): what the structure view needs of config.json (number of outputs).
        hardware (*optional*): measured figures, see `ZooIndex.table`.
        data_words (`tuple[str, ...]`, *optional*): the card view's words for the training data, which reads the words
            of a Hub id as well; `None` where the record states all.
    """

    record: ModelRecord
    description: str = ""
    tensors: tuple[Tensor, ...] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    hardware: list[dict[str, Any]] | None = None
    data_words: tuple[str, ...] | None = None


def facts_from_repo(
    model_id: str,
    config: Mapping[str, Any],
    card: CardFacts,
    tensors: Sequence[Tensor],
    *,
    revision: str | None = None,
    image_processor: Mapping[str, Any] | None = None,
    source: str,
    params: int | None = None,
) -> ModelFacts:
    """A model repository's facts.

    Args:
        model_id (`str`): id, or path in the folder.
        config (mapping): the parsed config.json, of timm or of transformers.
        card (`CardFacts`): what its README says.
        tensors: headers of its safetensors files.
        revision (`str`, *optional*): commit.
        image_processor (mapping, *optional*): the parsed preprocessor_config.json.
        source (`str`): where it was read, for `ModelRecord.sources`.
        params (`int`, *optional*): parameters, where not all headers were read; by default those of `tensors`.
    """
    architecture = _architecture(config, model_id)
    implied = "timm" if "pretrained_cfg" in config else "transformers" if "model_type" in config else None
    size = _input_size(config, image_processor or {})
    gmacs, macts = known_cost(tensors, size, num_outputs(config))
    record = ModelRecord(
        model_id=model_id,
        revision=revision,
        task=card.task or _task(config),
        library=card.library or implied,
        license=card.license,
        tags=card.tags,
        architecture=architecture,
        family=family_of(architecture, config.get("model_type"), own_name(model_id) and model_id),
        base_model=card.base_model,
        params=params or parameter_count(place_tensors(tensors)) or None,
        gmacs=gmacs,
        macts=macts,
        input_size=size,
        sources=(source,),
    )
    stated, words = _pretrain_data(record, card, config)
    record = replace(record, pretrain_data=stated)
    return ModelFacts(record, card.description, tuple(tensors), config, data_words=words)


def index_of(models: Sequence[ModelFacts], *, id: str, **kept: Any) -> ZooIndex:
    """An index of models: their views are computed here, the cards' in one batch."""
    cards = card_view([m.record for m in models], [m.description for m in models], [m.data_words for m in models])
    entries = [(m.record, {"structure": structure_of(m), "card": c}) for m, c in zip(models, cards, strict=True)]
    return ZooIndex.from_entries(
        entries, id=id, hardware=[m.hardware for m in models], views=("structure", "card"), **kept
    )


def structure_of(model: ModelFacts) -> np.ndarray:
    """The structure view of one model, float32."""
    record = model.record
    return structure_view(
        model.tensors,
        params=record.params,
        gmacs=record.gmacs,
        macts=record.macts,
        input_size=record.input_size,
        config=model.config,
    )


def card_of(model: ModelFacts) -> np.ndarray:
    """The card view of one model, float32."""
    return card_view([model.record], [model.description], [model.data_words])[0]


def _architecture(config: Mapping[str, Any], model_id: str) -> str | None:
    """timm's architecture, with its tag where the id does not carry it, or the class that transformers names."""
    stated = config.get("architecture")
    if isinstance(stated, str) and stated:
        tag = _mapping(config.get("pretrained_cfg")).get("tag")
        own = own_name(model_id)
        return f"{stated}.{tag}" if isinstance(tag, str) and tag and "." not in own and "." not in stated else stated
    classes = config.get("architectures")
    if isinstance(classes, list) and classes and isinstance(classes[0], str):
        return classes[0]
    model_type = config.get("model_type")
    return model_type if isinstance(model_type, str) else None


def _task(config: Mapping[str, Any]) -> str | None:
    """The task that a config implies where the card names none."""
    classes = config.get("architectures")
    named = classes[0] if isinstance(classes, list) and classes else ""
    if "ForImageClassification" in str(named):
        return "image-classification"
    if "pretrained_cfg" in config:
        return "image-classification" if num_outputs(config) else "image-feature-extraction"
    return None


def _pretrain_data(
    record: ModelRecord, card: CardFacts, config: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(data as it is stated, the view's words for it) in order of training.

    A timm tag tells both. Otherwise base model, card and config do, the general data first, since a card's list has no
    order of its own. The model's own name states nothing; the view reads its words as well.
    """
    tag, architecture = timm_tag(record), record.architecture or ""
    if tag:
        return stages_in(tag, architecture.partition(".")[0]), pretrain_data_of(f"{architecture} {tag}")
    source = config.get("source_dataset")
    source = source if isinstance(source, str) else ""
    base = stated_in(record.base_model or "")
    stated = (*base, *card.pretrain_data, *([dataset_name(source)] if data_in(source) else []))
    words = (
        *pretrain_data_of(record.base_model, own_name(record.model_id)),
        *(word for name in card.pretrain_data for word in view_words(name)[:1]),
        *data_in(source),
    )
    return _general_first(stated), _general_first(words)


def _general_first(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each name once, those of the large general data sets before the others."""
    return tuple(sorted(dict.fromkeys(names), key=lambda name: view_words(name)[0] not in GENERAL_DATA))


def _input_size(config: Mapping[str, Any], image_processor: Mapping[str, Any]) -> int | None:
    """Side of the input image: timm's `input_size`, transformers' `image_size`, else what the processor crops to."""
    candidates = (
        _mapping(config.get("pretrained_cfg")).get("input_size"),
        config.get("input_size"),
        config.get("image_size"),
        image_processor.get("crop_size"),
        image_processor.get("size"),
    )
    for value in candidates:
        if isinstance(value, Mapping):
            value = value.get("height", value.get("shortest_edge"))
        if isinstance(value, list | tuple) and value:
            value = value[-1]
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000:
            return value
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
