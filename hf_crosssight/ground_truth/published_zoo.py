"""The models of the published tables as one zoo index: views for each, and the lineage it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hf_crosssight.tokens.card import card_view, pretrain_data_of
from hf_crosssight.tokens.structure import structure_view
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.record import ModelRecord

from .hub_models import hub_model, transfergraph_facts
from .lineage import lineages, root_of
from .published_models import PublishedModel, published_model


@dataclass(frozen=True)
class PublishedZoo:
    """Views of every model of the tables.

    Attributes:
        zoo (`ZooIndex`): M models; ids are those of the tables.
        lineage (`dict[str, str]`): lineage group of each id.
        unknown (`tuple[str, ...]`): ids of the tables that nothing is known of; they are not in `zoo`.
    """

    zoo: ZooIndex
    lineage: dict[str, str]
    unknown: tuple[str, ...]


def published_zoo(
    ids: Iterable[str], folder: Path | str, starter: ZooIndex, own: ZooIndex | None = None
) -> PublishedZoo:
    """Looks every id up: in `own` (a folder of model repositories), in `starter`, else in the tables' own facts.

    Args:
        ids: model ids of the tables.
        folder: the folder of tables (`transfergraph_models.csv` is read from it where it lies there).
        starter (`ZooIndex`): gives Hub models and the tensors of described ones.
        own (`ZooIndex`, *optional*): a zoo of the user's folder; its ids go first.
    """
    zoos = [zoo for zoo in (own, starter) if zoo is not None]
    places = {model_id: (zoo, row) for zoo in reversed(zoos) for row, model_id in enumerate(zoo.model_ids)}
    facts = transfergraph_facts(folder)
    entries, described, roots, unknown = [], [], {}, []
    for model_id in sorted(set(ids)):
        layers = hub_model(model_id, facts[model_id]).layers_of if model_id in facts else None
        if model_id in places:
            zoo, row = places[model_id]
            record = zoo.record(row)
            entries.append((record, zoo.views_of(row)))
        else:
            model = published_model(model_id) or (hub_model(model_id, facts[model_id]) if model_id in facts else None)
            if model is None:
                unknown.append(model_id)
                continue
            record, layers = model.record, layers or model.layers_of
            described.append((len(entries), _completed(model, places)))
            entries.append((record, {}))
        roots[model_id] = root_of(record, layers)
    _fill(entries, described, places)
    return PublishedZoo(ZooIndex.from_entries(entries, id="published"), lineages(roots), tuple(unknown))


Places = dict[str, tuple[ZooIndex, int]]


def _completed(model: PublishedModel, places: Places) -> PublishedModel:
    """Costs and input side of the Hub model with the same layers, and data in the vocabulary of the card view."""
    record = model.record
    data = tuple(word for name in record.pretrain_data for word in pretrain_data_of(name) or (name,))
    record = replace(record, pretrain_data=data)
    if model.layers_of in places:
        zoo, row = places[model.layers_of]
        twin = zoo.record(row)
        same = twin.input_size is None or record.input_size in (None, twin.input_size)
        record = replace(
            record, params=record.params or twin.params, family=twin.family or record.family,
            input_size=record.input_size or twin.input_size,
            gmacs=twin.gmacs if same else record.gmacs, macts=twin.macts if same else record.macts,
        )  # fmt: skip
    return replace(model, record=record)


def _fill(
    entries: list[tuple[ModelRecord, dict[str, np.ndarray]]],
    described: list[tuple[int, PublishedModel]],
    places: Places,
) -> None:
    """Views of the described models: the twin's tensors beside their own facts, their own words."""
    cards = card_view([m.record for _, m in described], [m.description for _, m in described])
    for (position, model), card in zip(described, cards, strict=True):
        record = model.record
        structure = structure_view(
            None, params=record.params, gmacs=record.gmacs, macts=record.macts, input_size=record.input_size
        )
        if model.layers_of in places:
            zoo, row = places[model.layers_of]
            if zoo.view_mask["structure"][row]:
                twin = np.asarray(zoo.views["structure"][row], np.float32)
                structure[1:], structure[0, 9:] = twin[1:], twin[0, 9:]
        entries[position] = (record, {"structure": structure, "card": card})
