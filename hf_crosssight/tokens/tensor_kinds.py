"""What role a weight tensor plays, and where in the network it stands: read from its shape first, its name second.

The same network is written by timm, by transformers and by raw exports under different names. So the grammar asks the
shape wherever it can (a stem reads image channels, a depthwise kernel has one input channel) and uses names only for
what shapes cannot tell (norm or bias, attention or MLP); fused query-key-value matrices count as the three they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

KINDS = (
    "stem",
    "conv",
    "conv_pointwise",
    "conv_depthwise",
    "linear_up",
    "linear_down",
    "linear_square",
    "attention_qkv",
    "attention_out",
    "norm",
    "norm_statistic",
    "bias",
    "scale",
    "position",
    "embedding",
    "head",
    "other",
)
WEIGHT_LAYERS = frozenset(KINDS[:9]) | {"head"}

_STATISTIC = re.compile(r"running_(mean|var)|moving_(mean|var)|\.(mean|variance)$", re.I)
_NORM = re.compile(r"norm|(^|[._])bn\d*([._]|$)|(^|[._])ln\d*([._]|$)", re.I)
_SCALE = re.compile(r"scale|gamma|lambda|alpha|(^|[._])ls\d", re.I)
_POSITION = re.compile(
    r"pos(ition)?_?(emb|bias|ition)|relative_position|rel_pos|rel_(h|w|height|width)|_token|"
    r"attention_bias|position_embeddings",
    re.I,
)
_EMBEDDING = re.compile(r"(token|word|text)_?embed|embed_tokens|wte", re.I)
_QKV = re.compile(
    r"qkv|query|(^|[._])(key|value|in_proj|c_attn)([._]|$)|(^|[._])(q|k|v|kv)(_proj|_lin)?([._]|$)|to_(q|k|v)", re.I
)
_ATTENTION = re.compile(r"att(n|ention)", re.I)
_ATTENTION_OUT = re.compile(r"(^|[._])(proj|out_proj|o_proj|to_out|dense|out|o)([._]\d+)?$", re.I)
_HEAD = {
    "head",
    "heads",
    "fc",
    "classifier",
    "last_linear",
    "logits",
    "classification_head",
    "head_dist",
    "cls_classifier",
    "distillation_classifier",
}
_STEM = re.compile(r"stem|embed|conv1|bn1|norm[01]|_token|pos_", re.I)
_COUNTER = re.compile(
    r"\d+|[sb]\d+|(layers?|stages?|blocks?|level|conv(2d)?|features|transition|dense(block|layer)?|mixed|group|unit|"
    r"fc|dw|pw)"
    r"[_-]?(?!\d+x\d)\d+\w*",
    re.I,
)


class Tensor(Protocol):
    """What is read of a tensor: the fields of `hf_crosssight.hub.safetensors.TensorInfo`."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class PlacedTensor:
    """A tensor with its role.

    Attributes:
        kind (`str`): one of `KINDS`.
        shape (`tuple[int, ...]`): in torch's layout (`[out, in, kh, kw]`).
        depth (`float`): 0 at the input, 1 at the output.
        integer (`bool`): whether the values are stored as integers of at most 8 bits.
        name (`str`): its key in the header; the parts of a fused tensor share one.
    """

    kind: str
    shape: tuple[int, ...]
    depth: float
    integer: bool
    name: str = ""

    @property
    def numel(self) -> int:
        total = 1
        for size in self.shape:
            total *= size
        return total


@dataclass(frozen=True)
class _Entry:
    name: str
    module: str
    leaf: str
    shape: tuple[int, ...]
    integer: bool
    key: str


def place_tensors(tensors: Iterable[Tensor], num_labels: int | None = None) -> list[PlacedTensor]:
    """The tensors that are weights or normalisation statistics, in network order (counters and index tables dropped).

    Args:
        tensors: names, safetensors dtypes and shapes, in any order.
        num_labels (`int`, *optional*): outputs of the classifier, to find a head whose name does not tell.
    """
    entries = _network_order([e for e in map(_entry, tensors) if e is not None])
    ranks = {e.module: len(e.shape) for e in entries if len(e.shape) <= 1 and e.leaf in ("weight", "gamma")}
    stem, head = _find_stem(entries), _find_head(entries, num_labels)
    placed: list[PlacedTensor] = []
    for position, entry in enumerate(entries):
        depth = position / max(len(entries) - 1, 1)
        kind = "stem" if entry is stem else "head" if entry in head else _kind(entry, entry.module in ranks)
        for shape in _unfused(entry, kind):
            placed.append(PlacedTensor(kind, shape, depth, entry.integer, entry.key))
    return placed


def _entry(tensor: Tensor) -> _Entry | None:
    """A tensor in torch's layout, or `None` for counters and index tables."""
    shape = tuple(tensor.shape)
    small_integer = tensor.dtype in ("I8", "U8") and len(shape) >= 2
    if tensor.dtype in ("I64", "I32", "I16", "U64", "U32", "U16", "BOOL") or (
        tensor.dtype in ("I8", "U8") and not small_integer
    ):
        return None
    module, _, leaf = tensor.name.replace("/", ".").rpartition(".")
    if leaf == "kernel" and len(shape) >= 2:  # Keras and Flax write [kh, kw, in, out]
        shape = (shape[-1], shape[-2], *shape[:-2])
    return _Entry(tensor.name.replace("/", "."), module, leaf, shape, small_integer, tensor.name)


def _network_order(entries: list[_Entry]) -> list[_Entry]:
    """Stem, numbered body, what follows it without a number, head; block 10 after block 9.

    A downsampling layer belongs between two stages: some write it as the start of the later, some as the end of the
    earlier one, in which case the first stage has one.
    """
    ends_stage = any("0.downsampl" in entry.name for entry in entries)
    numbered = any(_is_numbered(entry) for entry in entries)

    def key(entry: _Entry) -> tuple[int, list[tuple[int, int, str]]]:
        parts = entry.name.split(".")
        if any(part in _HEAD for part in parts[:-1]) and not _digits_before_head(parts):
            section = 3
        elif re.match(r"\D*(stem|embed)", entry.name):
            section = 0
        elif _is_numbered(entry):
            section = 1
        else:
            section = 0 if _STEM.search(entry.name) else 2 if numbered or _NORM.search(entry.name) else 1
        pieces = re.split(r"(\d+)", entry.name.lower())
        return section, [_piece_key(piece, ends_stage) for piece in pieces if piece]

    return sorted(entries, key=key)


def _is_numbered(entry: _Entry) -> bool:
    """Whether the path counts blocks or layers (`blocks.3`, `layer2`), not just a version (`mobilenet_v2`)."""
    return any(_COUNTER.fullmatch(part) for part in entry.module.split("."))


def _piece_key(piece: str, ends_stage: bool) -> tuple[int, int, str]:
    if piece.isdigit():
        return 1, int(piece), ""
    if piece.startswith(".downsampl"):
        return (3 if ends_stage else 0), 0, piece
    return 2, 0, piece


def _digits_before_head(parts: list[str]) -> bool:
    head = next(i for i, part in enumerate(parts) if part in _HEAD)
    return any(part.isdigit() for part in parts[:head])


def _find_stem(entries: list[_Entry]) -> _Entry | None:
    """The convolution that reads the image: three input channels, else (grey images) the first with one."""
    convs = [e for e in entries if len(e.shape) == 4 and not _POSITION.search(e.name)]
    colour = [e for e in convs if e.shape[1] == 3]
    grey = [e for e in convs[:1] if e.shape[1] in (1, 2, 4)]
    return next(iter(colour or grey), None)


def _find_head(entries: list[_Entry], num_labels: int | None) -> list[_Entry]:
    """The classifier's matrices: by name, else the last matrix, if its shape is its own and its outputs fit."""
    matrices = [e for e in entries if len(e.shape) == 2 or (len(e.shape) == 4 and e.shape[2:] == (1, 1))]
    named = []
    for entry in matrices:
        parts = entry.name.split(".")[:-1]
        if any(part in _HEAD for part in parts) and not _digits_before_head(parts):
            named.append(entry)
    if named:
        fitting = [e for e in named if e.shape[0] == num_labels]
        return fitting or named[-1:]
    flat = [e for e in matrices if len(e.shape) == 2]
    if flat and num_labels != 0 and sum(e.shape == flat[-1].shape for e in flat) == 1:
        last = [e for e in flat if e.shape[0] == num_labels] or (flat if num_labels is None else [])
        return last[-1:]
    return []


def _kind(entry: _Entry, normalises: bool) -> str:
    shape, name = entry.shape, entry.name
    if _STATISTIC.search(name):
        return "norm_statistic"
    if _POSITION.search(name):
        return "position"
    if len(shape) == 4:
        return _conv_kind(shape)
    if len(shape) == 2:
        return _matrix_kind(entry)
    if len(shape) > 2:
        return "position" if shape[0] == 1 else "other"
    if normalises or entry.leaf == "weight":
        return "norm" if entry.leaf != "gamma" or _NORM.search(name) else "scale"
    if _NORM.search(name):
        return "norm"
    return "bias" if "bias" in name.lower() else "scale" if _SCALE.search(name) else "other"


def _conv_kind(shape: tuple[int, ...]) -> str:
    if shape[2:] == (1, 1):
        return "conv_pointwise" if min(shape[:2]) > 1 else "scale"
    return "conv_depthwise" if shape[1] == 1 else "conv"


def _matrix_kind(entry: _Entry) -> str:
    if _EMBEDDING.search(entry.name):
        return "embedding"
    if _QKV.search(entry.name):
        return "attention_qkv"
    if _ATTENTION.search(entry.module) and _ATTENTION_OUT.search(entry.module):
        return "attention_out"
    out, inputs = entry.shape
    return "linear_up" if out > inputs else "linear_down" if out < inputs else "linear_square"


def _unfused(entry: _Entry, kind: str) -> list[tuple[int, ...]]:
    """A fused query-key-value (or key-value) matrix or bias as its equal parts."""
    name, out = entry.name.lower(), entry.shape[0] if entry.shape else 0
    fused = 3 if re.search(r"qkv|in_proj|c_attn", name) else 2 if re.search(r"(^|[._])kv([._]|$)", name) else 1
    if kind not in ("attention_qkv", "bias") or fused == 1 or out % fused:
        return [entry.shape]
    return [replace(entry, shape=(out // fused, *entry.shape[1:])).shape] * fused
