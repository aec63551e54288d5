"""`TensorInfo`: one tensor of a safetensors header."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a header.

    Attributes:
        name (`str`): its key.
        dtype (`str`): the format's name, e.g. `F32`, `BF16`.
        shape (`tuple[int, ...]`): `()` for a scalar.
        file (`str`): file of the repository that holds it.
        start, stop (`int`): its bytes in that file, half-open, counted from the file's beginning.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str = ""
    start: int = 0
    stop: int = 0

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)
