"""Runs of a tensor's elements: `TensorBlock` is one that is asked for, `TensorSlice` one that has been read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tensor_info import DTYPE_BITS, TensorInfo

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class TensorBlock:
    """The elements `[start, stop)` of a tensor in row-major order, which are contiguous bytes of its file.

    Elements of less than a byte (4 and 6 bits) begin and end at whole bytes.
    """

    tensor: TensorInfo
    start: int
    stop: int

    @property
    def span(self) -> tuple[int, int]:
        """Its bytes in the tensor's file, half-open.

        Raises:
            ValueError: the block is no part of the tensor, or does not lie at whole bytes.
        """
        bits = DTYPE_BITS[self.tensor.dtype]
        inside = 0 <= self.start <= self.stop <= self.tensor.numel
        if not inside or self.start * bits % 8 or self.stop * bits % 8:
            raise ValueError(f"elements {self.start} to {self.stop} of {self.tensor} are no block of whole bytes")
        return self.tensor.start + self.start * bits // 8, self.tensor.start + self.stop * bits // 8

    @property
    def nbytes(self) -> int:
        """How many bytes it is."""
        return (self.stop - self.start) * DTYPE_BITS[self.tensor.dtype] // 8

    def pieces(self, most: int) -> Iterator[TensorBlock]:
        """The same elements as blocks of at most `most` bytes, each from a whole byte to a whole byte."""
        bits = DTYPE_BITS[self.tensor.dtype]
        grain = 8 // math.gcd(bits, 8)
        step = most * 8 // bits // grain * grain
        if self.stop - self.start <= step:
            yield self
            return
        for start in range(self.start, self.stop, step):
            yield TensorBlock(self.tensor, start, min(start + step, self.stop))


@dataclass(frozen=True)
class TensorSlice:
    """A block and its bytes.

    Attributes:
        block (`TensorBlock`): which elements.
        data (`bytes` or `memoryview`): their bytes, little-endian. It may be a view of a larger buffer, so keep
            `values()` rather than the slice where many are kept.
    """

    block: TensorBlock
    data: bytes | memoryview

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.block.tensor.name

    @property
    def dtype(self) -> str:
        """The tensor's dtype, as the format names it."""
        return self.block.tensor.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The whole tensor's shape."""
        return self.block.tensor.shape

    def values(self) -> np.ndarray:
        """The elements as float32 `[stop - start]`; NaN and infinity stay what they are. See `tensor_values`."""
        from .tensor_values import decode

        return decode(self.data, self.dtype)
