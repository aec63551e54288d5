"""`TensorInfo`: one tensor of a safetensors header, and how many bits an element of each dtype takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

DTYPE_BITS = (
    {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
    | dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8)
    | dict.fromkeys(("I16", "U16", "F16", "BF16"), 16)
    | dict.fromkeys(("I32", "U32", "F32"), 32)
    | dict.fromkeys(("I64", "U64", "F64", "C64"), 64)
)
"""Bits of one element, by the format's dtype names."""


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

    @property
    def nbytes(self) -> int:
        """Bytes of all its elements."""
        return self.stop - self.start
