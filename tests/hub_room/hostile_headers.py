"""Safetensors files as strangers may write them: random ones for the header's reader, and what must hold of each."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

from hypothesis import strategies as st

from hf_crosssight.hub.safetensors import SafetensorsError, read_header
from hf_crosssight.hub.tensor_info import DTYPE_BITS

_NAMES = st.one_of(
    st.sampled_from(["a", "b.weight", "layers.0.weight", "", "../x", "__metadata__", "\0", "ü", "\ud800"]),
    st.text(max_size=8),
)
_SIDES = st.one_of(
    st.integers(0, 5), st.sampled_from([-1, 2**31, 2**62, 2**63, 2**64, 10**40, 1.0, True, None, "3", [1]])
)
_PLACES = st.one_of(st.integers(0, 64), st.sampled_from([-8, 2**62, 2**63 - 1, 2**64, 1.5, True, None, "8"]))
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_DTYPES = st.one_of(st.sampled_from(sorted(DTYPE_BITS)), st.sampled_from(["F33", "", "f32", None, 4, ["F32"]]))
_ENTRIES = st.one_of(
    st.fixed_dictionaries(
        {
            "dtype": _DTYPES,
            "shape": st.one_of(st.lists(_SIDES, max_size=4), st.just([1] * 40), _ANYTHING),
            "data_offsets": st.one_of(st.lists(_PLACES, min_size=2, max_size=2), st.lists(_PLACES, max_size=3)),
        }
    ),
    _ANYTHING,
)


@st.composite
def sound_files(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A sound file of up to five tensors: (content, its header)."""
    header: dict[str, Any] = {}
    end = 0
    for index in range(draw(st.integers(0, 5))):
        dtype = draw(st.sampled_from(sorted(DTYPE_BITS)))
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        bits = DTYPE_BITS[dtype]
        for side in shape:
            bits *= side
        if bits % 8:
            shape, bits = [*shape, 8], bits * 8
        header[f"t{index}"] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + bits // 8]}
        end += bits // 8
    content = json.dumps(header).encode() + b" " * draw(st.integers(0, 7))
    return struct.pack("<Q", len(content)) + content + bytes(end), header


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of any kind: sound, sound but for some bytes, a strange header, or no JSON at all."""
    kind = draw(st.sampled_from(("mutated", "bent", "bent", "bent", "entries", "twice", "noise", "deep")))
    if kind == "mutated":
        return _mutated(draw, draw(sound_files())[0])
    if kind == "noise":
        return draw(st.binary(max_size=60))
    if kind == "bent":
        return _bent(draw)
    if kind == "deep":
        opening = draw(st.sampled_from(["[", '{"a":', '{"a":{"shape":[']))
        content = (opening * draw(st.sampled_from([1, 50, 3000, 40_000]))).encode()
    elif kind == "twice":
        entry = '{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}'
        content = f'{{"a": {entry}, "{draw(st.sampled_from(["a", "b"]))}": {entry}}}'.encode()
    else:
        content = json.dumps(draw(st.dictionaries(_NAMES, _ENTRIES, max_size=4))).encode()
    length = draw(st.sampled_from([len(content)] * 20 + [0, 1, 7, 2**25, 2**31, 2**63, 2**64 - 1]))
    return struct.pack("<Q", length) + content + bytes(draw(st.sampled_from([0, 0, 8, 16, 64])))


def _bent(draw: st.DrawFn) -> bytes:
    """A sound file whose header says something else in one or two places."""
    content, header = draw(sound_files())
    data = len(content) - 8 - struct.unpack("<Q", content[:8])[0]
    for name in draw(st.lists(st.sampled_from(sorted(header)), min_size=1, max_size=2, unique=True)) if header else []:
        field = draw(st.sampled_from(("dtype", "shape", "data_offsets", "one side", "one place", "name", "entry")))
        entry = header.pop(name, None) if field == "name" else header.get(name)
        if not isinstance(entry, dict):
            continue
        if field == "name":
            header[draw(_NAMES)] = entry
        elif field == "entry":
            header[name] = draw(_ANYTHING)
        elif field == "one side" and entry["shape"]:
            entry["shape"] = [draw(_SIDES), *entry["shape"][1:]]
        elif field == "one place":
            entry["data_offsets"] = [entry["data_offsets"][0], draw(_PLACES)]
        elif field in entry:
            strange = {"dtype": _DTYPES, "shape": st.lists(_SIDES, max_size=4)}.get(
                field, st.lists(_PLACES, max_size=3)
            )
            entry[field] = draw(strange)
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + bytes(max(0, data + draw(st.sampled_from([0, 0, 0, 0, -1, 1]))))


def _mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes overwritten, taken out or put in."""
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        taken, put = (
            draw(st.integers(0, 4)),
            draw(st.one_of(st.binary(max_size=4), st.sampled_from([b"9", b"-", b'"']))),
        )
        content = content[:place] + put + content[place + taken :]
    return content


def check(content: bytes) -> str | None:
    """Read a file's header; the reason where it is refused.

    Raises:
        AssertionError: what was accepted is not sound.
        Exception: anything but a `SafetensorsError`, which would be a crash.
    """
    try:
        tensors = read_header(io.BytesIO(content), "x.safetensors")
    except SafetensorsError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.reason
        assert str(refused).encode()
        return refused.reason
    end = 8 + struct.unpack("<Q", content[:8])[0]
    for tensor in sorted(tensors, key=lambda one: (one.start, one.stop)):
        assert tensor.start == end <= tensor.stop <= len(content)
        assert tensor.nbytes * 8 == tensor.numel * DTYPE_BITS[tensor.dtype]
        tensor.name.encode()  # no lone surrogates
        end = tensor.stop
    assert end == len(content)
    assert len({tensor.name for tensor in tensors}) == len(tensors)
    return None
