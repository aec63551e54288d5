"""Bytes of any safetensors dtype as float32, and which tensors hold no numbers to speak of.

Small floats are read by a table of all their codes. Sources: FP8 E4M3 and E5M2, Micikevicius et al. (2022), FP8
Formats for Deep Learning; FNUZ, Noune et al. (2022), 8-bit Numerical Formats for Deep Neural Networks; E8M0, FP6 and
FP4, OCP Microscaling Formats (MX) Specification 1.0 (2023), sections 5.3 and 5.4.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache

import numpy as np

from .tensor_info import TensorInfo

_PLAIN = {
    "BOOL": "|u1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
# dtype: exponent bits, mantissa bits, exponent bias.
_SMALL = {
    "F4": (2, 1, 1),
    "F6_E2M3": (2, 3, 1),
    "F6_E3M2": (3, 2, 3),
    "F8_E4M3": (4, 3, 7),
    "F8_E5M2": (5, 2, 15),
    "F8_E4M3FNUZ": (4, 3, 8),
    "F8_E5M2FNUZ": (5, 2, 16),
}
_PACKED_BY = {
    ".qweight": ((".scales",), "packed integers of GPTQ or AWQ"),
    ".qzeros": ((".scales",), "packed zero points of GPTQ or AWQ"),
    ".g_idx": ((".scales", ".qweight"), "an index table of GPTQ"),
    ".weight_packed": ((".weight_scale", ".weight_global_scale"), "packed integers of compressed-tensors"),
    ".W_q": ((".scale", ".zero", ".meta"), "packed integers of HQQ"),
    "_blocks": (("_scales",), "packed MXFP4 blocks"),
    "_scales": (("_blocks",), "exponents of MXFP4 blocks"),
}
"""Ending of a tensor's name → endings beside it that prove the packing, and what it is then."""

_BITSANDBYTES_STATE = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
_INTEGERS = frozenset(("U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"))
_INDEX_INTEGERS = _INTEGERS - {"U8", "I8"}


def decode(data: bytes | memoryview, dtype: str) -> np.ndarray:
    """The numbers that `data` holds.

    Integers and booleans become the number that they are; of complex numbers the real part is taken; FP4 holds two
    elements a byte, the first in the low half, and FP6 four in three bytes, likewise from the lowest bit on. Numbers
    beyond float32 become infinite.

    Args:
        data (`bytes`): whole elements, little-endian.
        dtype (`str`): the format's name, one of `tensor_info.DTYPE_BITS`.

    Returns:
        `numpy.ndarray`: float32 `[elements]`; of F32 a read-only view of `data`.
    """
    if dtype == "F32":
        return np.frombuffer(data, "<f4")
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype == "C64":
        return np.frombuffer(data, "<f4")[::2].copy()
    if dtype in _PLAIN:
        with np.errstate(over="ignore"):
            return np.frombuffer(data, _PLAIN[dtype]).astype(np.float32)
    codes = np.frombuffer(data, np.uint8)
    if dtype == "F4":
        codes = np.stack((codes & 0x0F, codes >> 4), axis=1).ravel()
    elif dtype.startswith("F6"):
        codes = _six_bits(codes)
    return _table(dtype)[codes]


def meaningless(tensor: TensorInfo, names: Container[str]) -> str | None:
    """Why the numbers of a tensor say nothing about what a network has learnt, or `None` if they do.

    Args:
        tensor (`TensorInfo`): the tensor.
        names: names of all tensors of the model; scales beside an integer tensor tell how it is packed.
    """
    if tensor.numel == 0:
        return "it is empty"
    if tensor.dtype == "BOOL":
        return "a mask of booleans"
    if _is_bitsandbytes_state(tensor.name, names):
        return "quantisation state of bitsandbytes"
    if tensor.dtype not in _INTEGERS:
        return None
    if tensor.dtype in ("U8", "I8") and _has_beside(tensor.name, names, (".absmax", ".quant_map")):
        return "packed 4-bit numbers of bitsandbytes"
    for ending, (proofs, reason) in _PACKED_BY.items():
        stem = tensor.name.removesuffix(ending)
        if stem != tensor.name and _has_beside(stem, names, proofs):
            return reason
    return "a table of indices or a counter" if tensor.dtype in _INDEX_INTEGERS else None


def _has_beside(stem: str, names: Container[str], endings: tuple[str, ...]) -> bool:
    return any(stem + ending in names for ending in endings)


def _is_bitsandbytes_state(name: str, names: Container[str]) -> bool:
    """Whether a tensor is `X.absmax`, `X.quant_map`, `X.quant_state.*`, ... of a packed tensor `X`."""
    if ".quant_state." in name:
        return name.partition(".quant_state.")[0] in names
    return any(name.endswith(ending) and name.removesuffix(ending) in names for ending in _BITSANDBYTES_STATE)


def _six_bits(data: np.ndarray) -> np.ndarray:
    """Codes of four elements in every three bytes."""
    triple = data.reshape(-1, 3).astype(np.uint32)
    whole = triple[:, 0] | triple[:, 1] << 8 | triple[:, 2] << 16
    return (whole[:, None] >> np.arange(0, 24, 6, dtype=np.uint32) & 0x3F).ravel()


@cache
def _table(dtype: str) -> np.ndarray:
    """The value of every code of a small float: float32 `[2^bits]`."""
    if dtype == "F8_E8M0":
        return np.append(np.ldexp(1.0, np.arange(255) - 127), np.nan).astype(np.float32)
    exponent_bits, mantissa_bits, bias = _SMALL[dtype]
    codes = np.arange(1 << (1 + exponent_bits + mantissa_bits))
    mantissa = codes & ((1 << mantissa_bits) - 1)
    exponent = codes >> mantissa_bits & ((1 << exponent_bits) - 1)
    significand = np.where(exponent > 0, mantissa + (1 << mantissa_bits), mantissa)
    values = np.ldexp(significand.astype(np.float64), np.maximum(exponent, 1) - bias - mantissa_bits)
    values = np.where(codes >> (exponent_bits + mantissa_bits), -values, values)
    if dtype.endswith("FNUZ"):
        values[0x80] = np.nan
    elif dtype == "F8_E4M3":
        values[[0x7F, 0xFF]] = np.nan
    elif dtype == "F8_E5M2":
        values[[0x7C, 0xFC]] = np.inf, -np.inf
        values[[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]] = np.nan
    return values.astype(np.float32)
