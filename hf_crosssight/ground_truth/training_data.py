"""What models were trained on, along their lineage, as their cards state it: which results are self-transfer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StatedOrigin:
    """What a model's card states.

    Attributes:
        datasets: that it was trained on, as the card names them.
        base_models: ids of the models that it was made from.
    """

    datasets: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()


def stated_origin(folder: Path) -> StatedOrigin:
    """`datasets` and `base_model` of the card in a model's folder; a card that cannot be read states nothing."""
    import yaml

    try:
        parts = (folder / "README.md").read_text(encoding="utf-8").split("---", 2)
        data = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        data = {}
    data = data if isinstance(data, dict) else {}
    return StatedOrigin(_names(data.get("datasets")), _names(data.get("base_model")))


def _names(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value] if value else []
    return tuple(sorted(map(str, values)))


def trained_on(origins: Mapping[str, StatedOrigin]) -> dict[str, frozenset[str]]:
    """Datasets that each model, or a model it descends from, was trained on."""

    def datasets_of(model: str, seen: frozenset[str]) -> frozenset[str]:
        origin = origins.get(model, StatedOrigin())
        own = frozenset(origin.datasets)
        for base in frozenset(origin.base_models) - seen:
            own |= datasets_of(base, seen | {model})
        return own

    return {model: datasets_of(model, frozenset()) for model in origins}


def is_among(dataset: str, stated: Iterable[str]) -> bool:
    """Whether a dataset is one of those that cards state; a name without an owner (`mnist`) means any owner's."""
    return any(_same(dataset, name) for name in stated)


def _same(one: str, other: str) -> bool:
    (owner, name), (other_owner, other_name) = _parts(one), _parts(other)
    return name == other_name and (owner == other_owner or not owner or not other_owner)


def _parts(dataset: str) -> tuple[str, str]:
    """Owner and name, spelled so that `fashion_mnist` and `zoo-bench/fashion-mnist` have one name."""
    owner, _, name = dataset.lower().rpartition("/")
    return owner, re.sub(r"[^a-z0-9]", "", name)
