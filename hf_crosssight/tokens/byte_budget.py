"""Which bytes of a model are read when only some may be: the same ones for the same model and revision, every time.

Vectors (gains, offsets, running statistics) say much in few bytes and are read whole as far as an eighth of the budget
goes. The rest is shared out over strata of tensor kind and depth by the square root of their parameters, and read as
runs of whole rows (rows are output units: the unit that the statistics of a tensor are taken over) at places that
depend on the revision and the tensor's name alone. A mixture of experts is represented by eight experts a layer.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hf_crosssight.errors import UserError
from hf_crosssight.hub.safetensors import DTYPE_BITS
from hf_crosssight.hub.tensor_blocks import TensorBlock
from hf_crosssight.hub.tensor_info import TensorInfo
from hf_crosssight.hub.tensor_values import meaningless

from .tensor_kinds import PlacedTensor, place_tensors
from .weight_modules import is_turned

BUDGETS = {"1MiB": 1 << 20, "8MiB": 8 << 20, "64MiB": 64 << 20}
DEFAULT_BUDGET = BUDGETS["8MiB"]
EXPERTS_A_LAYER = 8
MAX_RANGES = 128
DEPTH_BINS = 8

_VECTOR_BYTES = 64 << 10
_SMALL_TENSOR = 4 << 10
_VECTOR_RANGES = 40
_ROW_PIECE = 64 << 10
_SMALLEST_BLOCK = 4 << 10
_USUAL_BLOCK = 16 << 10
_EXPERT = re.compile(r"(^|[._/])experts?[._/](\d+)(?=[._/])")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}


@dataclass(frozen=True)
class BytePlan:
    """What to read of a model's tensors; headers are not part of it.

    Attributes:
        blocks (`tuple[TensorBlock, ...]`): disjoint runs of elements, by file and place.
        bytes (`int`): how many bytes they are.
        skipped (`tuple[tuple[str, str], ...]`): (tensor, reason) of those that are not represented at all.
    """

    blocks: tuple[TensorBlock, ...]
    bytes: int
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Grain:
    """A tensor as a run of `units` equal pieces of `elements` (whole rows where a row is small enough)."""

    tensor: TensorInfo
    elements: int
    units: int
    unit_bytes: float
    seed: int
    turn: int

    @property
    def bytes(self) -> float:
        return self.tensor.numel * bits_of(self.tensor) / 8

    def block(self, first: int, last: int) -> TensorBlock:
        return TensorBlock(self.tensor, first * self.elements, min(last * self.elements, self.tensor.numel))


def plan_blocks(
    tensors: Iterable[TensorInfo], *, key: str, budget: int = DEFAULT_BUDGET, part: tuple[int, int] = (0, 1)
) -> BytePlan:
    """The blocks that represent a model within a budget.

    Args:
        tensors: those of the headers, in any order.
        key (`str`): the model's revision; the same key always gives the same blocks.
        budget (`int`, defaults to 8 MiB): bytes of weights to read; all of a smaller model is taken.
        part (`tuple[int, int]`, defaults to `(0, 1)`): `(i, k)` takes the i-th of k samples that share no byte.

    Raises:
        ValueError: the budget is not positive, or there is no such part.
    """
    if budget <= 0 or not 0 <= part[0] < part[1]:
        raise ValueError(f"no sample {part} of {budget} bytes")
    named = sorted(tensors, key=lambda tensor: tensor.name)
    usable, skipped = _usable(named)
    usable, unread = _sample_experts(usable, key)
    grains = {tensor.name: _grain(tensor, key, part[1]) for tensor in usable}
    if sum(grain.bytes for grain in grains.values()) <= budget * part[1]:
        blocks = [block for grain in grains.values() for block in _part_of(grain, part)]
    else:
        blocks = _sample(grains, usable, budget, part)
    touched = {block.tensor.name for block in blocks}
    skipped += unread + [(name, "outside the byte budget") for name in grains if name not in touched]
    ordered = sorted(blocks, key=lambda block: (block.tensor.file, block.tensor.start, block.start))
    return BytePlan(tuple(ordered), sum(map(block_bytes, ordered)), tuple(skipped))


def parse_bytes(text: str | int) -> int:
    """Bytes of `1048576`, `"32MB"` (10^6), `"8MiB"` or `"8M"` (2^20).

    Raises:
        UserError: it is not a positive size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)(i?b?)\s*", str(text).lower())
    if match and match[3] != "i":
        power = _UNITS[match[2]]
        scale = 10 ** (power // 10 * 3) if match[3] == "b" else 1 << power
        if int(float(match[1]) * scale) > 0:
            return int(float(match[1]) * scale)
    raise UserError(f"{text!r} is no size in bytes.", "Write for example 1MiB, 8MiB or 32MB.")


def bits_of(tensor: TensorInfo) -> int:
    """Bits of one element."""
    return DTYPE_BITS[tensor.dtype]


def block_bytes(block: TensorBlock) -> int:
    """Bytes of a block."""
    return (block.stop - block.start) * bits_of(block.tensor) // 8


def _usable(named: Sequence[TensorInfo]) -> tuple[list[TensorInfo], list[tuple[str, str]]]:
    usable, skipped = [], []
    names = frozenset(tensor.name for tensor in named)
    for tensor in named:
        reason = meaningless(tensor, names)
        if reason is None:
            usable.append(tensor)
        else:
            skipped.append((tensor.name, reason))
    return usable, skipped


def _sample_experts(usable: list[TensorInfo], key: str) -> tuple[list[TensorInfo], list[tuple[str, str]]]:
    """All tensors but those of experts beyond eight a layer, which depend on the key and the layer."""
    experts: dict[str, set[str]] = defaultdict(set)
    for tensor in usable:
        if match := _EXPERT.search(tensor.name):
            experts[tensor.name[: match.start()]].add(match[2])
    kept = {
        layer: set(sorted(ids, key=lambda one: _hash(key, layer, one))[:EXPERTS_A_LAYER])
        for layer, ids in experts.items()
    }
    taken, skipped = [], []
    for tensor in usable:
        match = _EXPERT.search(tensor.name)
        if match and match[2] not in kept[tensor.name[: match.start()]]:
            skipped.append((tensor.name, "an expert outside the sample"))
        else:
            taken.append(tensor)
    return taken, skipped


def _grain(tensor: TensorInfo, key: str, parts: int) -> _Grain:
    """The tensor in rows; in pieces of a row where rows are long or too few for the parts."""
    bits = bits_of(tensor)
    whole = 8 // math.gcd(bits, 8)  # so many elements fill whole bytes
    row = tensor.numel // max(row_count(tensor), 1)
    if row * bits // 8 > _ROW_PIECE or row % whole:
        row = _ROW_PIECE * 8 // bits if row * bits // 8 > _ROW_PIECE else whole
    if len(tensor.shape) <= 1 or tensor.numel // row < 2 * parts:
        row = whole
    module = tensor.name.rpartition(".")[0]  # parts of one layer take turns alike, so that their rows belong together
    units = math.ceil(tensor.numel / row)
    return _Grain(tensor, row, units, row * bits / 8, _hash(key, tensor.name), _hash(key, module))


def row_count(tensor: TensorInfo) -> int:
    """Rows of a tensor as it is stored: its first axis, that of a stack of experts' matrices and of a Keras kernel
    all but the last."""
    sizes = [size for i, size in enumerate(tensor.shape) if size > 1 or i] or [1]
    while len(sizes) == 3 and sizes[0] == 1:
        del sizes[0]
    stacked = len(sizes) == 3 and "expert" in tensor.name.lower()
    return math.prod(sizes[:-1]) if is_turned(tensor) or stacked else sizes[0]


def _part_of(grain: _Grain, part: tuple[int, int]) -> list[TensorBlock]:
    """The i-th of k shares of a whole tensor: every k-th of up to 4 k equal runs."""
    index, parts = part
    runs = parts * max(min(4, grain.units // parts), 1) if parts > 1 else 1
    edges = [grain.units * run // runs for run in range(runs + 1)]
    chosen = [run for run in range(runs) if (run + grain.turn) % parts == index]
    return [grain.block(edges[run], edges[run + 1]) for run in chosen if edges[run] < edges[run + 1]]


def _sample(
    grains: dict[str, _Grain], usable: list[TensorInfo], budget: int, part: tuple[int, int]
) -> list[TensorBlock]:
    """Vectors first, then strata of the rest, so scaled that the whole comes to the budget."""
    placed = {one.name: one for one in place_tensors(usable)}
    small = [g for g in grains.values() if _is_small(g)]
    large = [g for g in grains.values() if not _is_small(g) and g.tensor.name in placed]
    vectors, ranges = _choose_vectors(small, budget // 8 if large else budget, part[1])
    strata = _strata(large, placed)
    first = (0, part[1])  # all parts are cut at the same places: those that suit the first one
    left = budget - sum(block_bytes(block) for grain in vectors for block in _part_of(grain, first))
    sizes = [(left * 1.0, left)]
    for _ in range(6):
        target = sizes[-1][0]
        total = sum(map(block_bytes, _sample_strata(strata, target, MAX_RANGES - ranges, first)))
        sizes[-1] = (target, abs(total - left))
        if not total or abs(total - left) <= 0.01 * budget:
            break
        sizes.append((target * left / total, left))
    target = min(sizes, key=lambda size: size[1])[0]
    blocks = _sample_strata(strata, target, MAX_RANGES - ranges, part)
    return blocks + [block for grain in vectors for block in _part_of(grain, part)]


def _is_small(grain: _Grain) -> bool:
    vector = len(grain.tensor.shape) <= 1 and grain.bytes <= _VECTOR_BYTES
    return vector or grain.bytes <= _SMALL_TENSOR


def _choose_vectors(small: list[_Grain], cap: int, parts: int) -> tuple[list[_Grain], int]:
    """Whole modules' vectors, by chance of their hash, while bytes and ranges last; and how many ranges they take."""
    modules: dict[tuple[str, str], list[_Grain]] = defaultdict(list)
    for grain in small:
        modules[grain.tensor.file, grain.tensor.name.rpartition(".")[0]].append(grain)
    chosen: list[_Grain] = []
    ends: set[tuple[str, int]] = set()
    starts: set[tuple[str, int]] = set()
    spent = 0.0
    for _, members in sorted(modules.items(), key=lambda item: min(grain.seed for grain in item[1])):
        cost = sum(grain.bytes for grain in members) / parts
        new_starts = starts | {(g.tensor.file, g.tensor.start) for g in members}
        new_ends = ends | {(g.tensor.file, g.tensor.stop) for g in members}
        if spent + cost > cap or len(new_starts - new_ends) > _VECTOR_RANGES:
            continue
        chosen, starts, ends, spent = chosen + members, new_starts, new_ends, spent + cost
    return chosen, len(starts - ends)


def _strata(large: list[_Grain], placed: dict[str, PlacedTensor]) -> list[list[_Grain]]:
    strata: dict[tuple[str, int], list[_Grain]] = defaultdict(list)
    for grain in large:
        place = placed[grain.tensor.name]
        strata[place.kind, min(int(place.depth * DEPTH_BINS), DEPTH_BINS - 1)].append(grain)
    return [sorted(strata[key], key=lambda grain: grain.seed) for key in sorted(strata)]


def _sample_strata(strata: list[list[_Grain]], target: float, ranges: int, part: tuple[int, int]) -> list[TensorBlock]:
    """About `target` bytes in about as many runs as there may be ranges."""
    if not strata or target <= 0:
        return []
    shares = _share_out(target, [sum(g.bytes for g in stratum) / part[1] for stratum in strata], strata)
    size = max(target / max(ranges - len(strata) // 2, 1), _USUAL_BLOCK)
    blocks: list[TensorBlock] = []
    owed = 0.0
    for stratum, share in zip(strata, shares, strict=True):
        count = max(round(share / size), 1)
        counts = _turns(stratum, count, share / count, part[1])
        for grain, runs in zip(stratum, counts, strict=True):
            found, owed = _runs(grain, runs, share / max(sum(counts), 1), owed, part)
            blocks += found
    return blocks


def _share_out(target: float, capacity: list[float], strata: list[list[_Grain]]) -> list[float]:
    """Bytes of each stratum: by the square root of its parameters, at least 4 KiB, never more than it has."""
    weights = [math.sqrt(sum(grain.tensor.numel for grain in stratum)) for stratum in strata]
    shares = [0.0] * len(strata)
    open_strata = set(range(len(strata)))
    left = target
    while open_strata:
        total = sum(weights[i] for i in open_strata)
        full = {i for i in open_strata if capacity[i] <= left * weights[i] / total}
        for i in full or open_strata:
            shares[i] = capacity[i] if full else left * weights[i] / total
        if not full:
            break
        left -= sum(capacity[i] for i in full)
        open_strata -= full
    return [max(share, min(_SMALLEST_BLOCK, room)) for share, room in zip(shares, capacity, strict=True)]


def _turns(stratum: list[_Grain], count: int, size: float, parts: int) -> list[int]:
    """How many of `count` runs of `size` bytes each tensor gives, in turns, none more than it holds."""
    room = [max(int(grain.bytes / parts / size), 1) for grain in stratum]
    counts = [0] * len(stratum)
    while count and any(given < most for given, most in zip(counts, room, strict=True)):
        for i in range(len(stratum)):
            if count and counts[i] < room[i]:
                counts[i] += 1
                count -= 1
    return counts


def _runs(
    grain: _Grain, runs: int, size: float, owed: float, part: tuple[int, int]
) -> tuple[list[TensorBlock], float]:
    """`runs` blocks of about `size` bytes, one in each of as many equal zones of the tensor.

    Blocks are whole rows. What one is too short or too long, `owed`, the next one makes up for: rows of 16 KiB, all
    rounded alike, would miss the budget by a tenth.
    """
    index, parts = part
    blocks = []
    for run in range(runs):
        zone = (run * parts + (index + grain.turn) % parts, runs * parts)
        first, last = (grain.units * edge // zone[1] for edge in (zone[0], zone[0] + 1))
        length = min(max(round((size + owed) / grain.unit_bytes), 1), last - first)
        owed += size - length * grain.unit_bytes
        owed = min(max(owed, -grain.unit_bytes), grain.unit_bytes)
        if length > 0:
            offset = first + (grain.seed >> 16) * (run + 1) % (last - first - length + 1)
            blocks.append(grain.block(offset, offset + length))
    return blocks, owed


def _hash(*words: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big")
