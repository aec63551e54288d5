"""Which files hold a model's weights: one, or shards with an index; and which shards' headers stand for all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from hf_crosssight.errors import UserError

from .ids import check_path
from .safetensors import SafetensorsError, parse_json
from .tensor_info import TensorInfo

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
LARGEST_INDEX = 100 << 20


def choose_weights(names: Iterable[str], where: str) -> str:
    """The file to begin with: `model.safetensors`, its index, else the only other safetensors file at the top.

    Raises:
        UserError: there is none, or there are several.
    """
    files = list(names)
    for usual in (SINGLE, INDEX):
        if usual in files:
            return usual
    others = [name for name in files if name.endswith(".safetensors") and "/" not in name]
    if len(others) == 1:
        return others[0]
    if others:
        raise UserError(f"{where} has several safetensors files and no {SINGLE}: {', '.join(others[:4])}.", "")
    raise UserError(f"{where} has no {SINGLE}.", "Models need safetensors weights; pickles are never loaded.")


def parse_index(content: bytes, names: Iterable[str]) -> dict[str, str]:
    """Tensor name → shard of a sharded model's index; a shard must be a plain file name among `names`.

    Raises:
        SafetensorsError: the index is broken or names a file that is elsewhere or missing.
    """
    if len(content) > LARGEST_INDEX:
        raise index_too_large()
    weight_map = parse_json(content, INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SafetensorsError(INDEX, "it has no weight_map")
    there = set(names)
    for shard in set(map(str, weight_map.values())):
        try:
            check_path(shard)
        except UserError as error:
            raise SafetensorsError(INDEX, f"it names a shard outside the repository, {shard[:80]!r}") from error
        if not shard.endswith(".safetensors") or shard not in there:
            raise SafetensorsError(INDEX, f"it names a shard that is not there, {shard[:80]!r}")
    return {name: str(shard) for name, shard in weight_map.items()}


def index_too_large() -> SafetensorsError:
    """The error of an index that nobody should read."""
    return SafetensorsError(INDEX, f"it is larger than {LARGEST_INDEX >> 20} MB")


def sample_shards(shards: Iterable[str], most: int, key: str) -> list[str]:
    """At most `most` shards: the first, the last, and one of each equal part of those between them.

    Shards follow the depth of a network, so that parts of their order are parts of its depth. The same key always
    gives the same shards.

    Args:
        most (`int`): at least 2.
        key (`str`): revision of the model.
    """
    ordered = sorted(shards)
    if len(ordered) <= most:
        return ordered
    between, parts = ordered[1:-1], most - 2
    picked = []
    for part in range(parts):
        first, last = part * len(between) // parts, (part + 1) * len(between) // parts
        draw = int.from_bytes(hashlib.sha256(f"{key} {part}".encode()).digest()[:8], "big")
        picked.append(between[first + draw % (last - first)])
    return [ordered[0], *picked, ordered[-1]]


def join_shards(headers: Mapping[str, list[TensorInfo]], shards: Mapping[str, str]) -> list[TensorInfo]:
    """The tensors of the shards that were read in one list, if they are exactly those that the index promises.

    Args:
        headers (`dict`): shard → its tensors, of all shards or some.
        shards (`dict`): tensor name → shard, as `parse_index` gives it.

    Raises:
        SafetensorsError: a shard lacks a tensor, or two hold the same.
    """
    tensors = [tensor for header in headers.values() for tensor in header]
    held = {tensor.name: tensor.file for tensor in tensors}
    if len(held) < len(tensors):
        raise SafetensorsError(INDEX, "a tensor stands in two shards")
    wrong = next((name for name, shard in shards.items() if shard in headers and held.get(name) != shard), None)
    if wrong is not None:
        raise SafetensorsError(INDEX, f"shard {shards[wrong]} does not hold {wrong[:80]!r}")
    return tensors
