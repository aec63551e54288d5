"""`NamedShape`: a tensor of a network that was built without weights; reads like a safetensors header's entry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedShape:
    """Name, safetensors dtype and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]
