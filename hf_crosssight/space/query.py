"""`Query`: all that a user chose on the page, and the link that brings it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from hf_crosssight.errors import UserError

SOURCES = ("example", "hub", "archive", "pictures")
TOPS = (10, 25, 50, 100)
_NUMBERS = ("max_latency_ms", "max_memory_mb", "weigh_latency", "weigh_memory", "weigh_energy")


@dataclass(frozen=True)
class Query:
    """A dataset and what its models must satisfy; empty is "not chosen".

    Attributes:
        source: where the dataset is: one of `SOURCES`.
        dataset: key of an example, or Hub id.
        config, split, image_column, label_column: what of a Hub dataset.
        task, library: Hub tags.
        license: Hub licence identifiers, any of which may hold.
        min_params, max_params: sizes such as `30M`.
        device: name of a device of the catalogue.
        max_latency_ms, max_memory_mb: limits on it; 0 is none, since that is what an emptied field may hold.
        weigh_latency, weigh_memory, weigh_energy: how much a cost counts beside accuracy, from 0 to 1.
        top: how many models to show.
    """

    source: str = "example"
    dataset: str = "digits"
    config: str = ""
    split: str = ""
    image_column: str = ""
    label_column: str = ""
    task: str = ""
    library: str = ""
    license: tuple[str, ...] = ()
    min_params: str = ""
    max_params: str = ""
    device: str = ""
    max_latency_ms: float | None = None
    max_memory_mb: float | None = None
    weigh_latency: float = 0.0
    weigh_memory: float = 0.0
    weigh_energy: float = 0.0
    top: int = 25

    def __post_init__(self) -> None:
        for name in ("max_latency_ms", "max_memory_mb"):
            object.__setattr__(self, name, getattr(self, name) or None)

    @property
    def of_dataset(self) -> tuple[str, ...]:
        """What names the dataset: equal for two queries of the same one."""
        return (self.source, self.dataset, self.config, self.split, self.image_column, self.label_column)

    @property
    def is_linkable(self) -> bool:
        """Whether a link can bring it back; an upload cannot be linked to."""
        return self.source in ("example", "hub")

    def constraints(self) -> dict[str, Any]:
        """The arguments of `rank` that say which models may be ranked."""
        return {
            "filter": [tag for tag in (self.task, self.library) if tag],
            "license": list(self.license),
            "min_params": self.min_params or None,
            "max_params": self.max_params or None,
        }

    def hardware(self) -> dict[str, Any]:
        """The arguments of `rank` that say where models shall run and what they may cost there."""
        weights = {"latency_ms": self.weigh_latency, "memory_mb": self.weigh_memory, "energy_j": self.weigh_energy}
        return {
            "device": self.device or None,
            "max_latency_ms": self.max_latency_ms,
            "max_memory_mb": self.max_memory_mb,
            "prefer": [f"{metric}={weight:g}" for metric, weight in weights.items() if weight] or None,
        }

    def link(self) -> str:
        """The query as the part of an address from `?` on; what is as always is left out."""
        usual = Query()
        chosen = {
            name: getattr(self, name)
            for name in (field.name for field in fields(self))
            if name in ("source", "dataset") or getattr(self, name) != getattr(usual, name)
        }
        return "?" + urlencode(chosen, doseq=True)

    @classmethod
    def from_link(cls, parameters: Mapping[str, list[str]]) -> Query | None:
        """The query of a link's parameters; None if they name no dataset. Parameters of others are left alone.

        Raises:
            UserError: a value that no control of the page can have.
        """
        if not any(parameters.get("dataset", ())):
            return None
        given: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            values = [str(value)[:200] for value in parameters.get(name, ())]
            if values:
                given[name] = tuple(values[:20]) if name == "license" else values[0]
        if given.setdefault("source", "hub") not in ("example", "hub"):
            raise UserError(f"the link names the source {given['source']!r}", "Choose a dataset below.")
        given["top"] = _shown(given.get("top", cls.top))
        for name in _NUMBERS:
            if name in given:
                given[name] = _number(given[name])
        return cls(**given)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise UserError(f"the link holds {text!r} where a number belongs", "Set it on the page.")
    return value


def _shown(text: str | int) -> int:
    try:
        top = int(text)
    except ValueError:
        top = 0
    if top not in TOPS:
        raise UserError(f"{text!r} models cannot be shown", f"Show {', '.join(map(str, TOPS))}.")
    return top
