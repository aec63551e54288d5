"""What a model repository must satisfy before a network is built from it: its config is a stranger's.

A config of a few bytes can ask for a million layers, for weights that a kernel repository would compute, or for
another repository's pickles. The headers of the safetensors files say how large the network really is, and nothing
much larger is built.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CrossSightError

_LARGEST_CONFIG = 8 << 20
_COUNTS = re.compile(r"(layers|depths?|blocks?|repeats?|stages|experts)$")
_ALWAYS_ALLOWED = 1 << 24  # sizes below this cost no memory worth guarding


class UnusableModelError(Exception):
    """This model cannot be run here: the reason, in one line."""


@dataclass(frozen=True)
class Weights:
    """What the headers of a folder's safetensors files say: how many tensors, how many numbers in them."""

    tensors: int
    numel: int


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a folder.

    Raises:
        UnusableModelError: there is none, or it is no JSON object of sensible size.
    """
    path = folder / "config.json"
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise UnusableModelError(f"its config.json has {path.stat().st_size:,} bytes")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableModelError(f"its config.json cannot be read: {one_line(error)}") from error
    if not isinstance(config, dict):
        raise UnusableModelError("its config.json is no JSON object")
    return config


def read_weights(folder: Path) -> Weights:
    """The size of a folder's safetensors weights, from their checked headers.

    Raises:
        UnusableModelError: it has none, or one of them is not sound.
    """
    from ..hub.weight_files import folder_tensors

    if not any(folder.glob("*.safetensors")):
        raise UnusableModelError("it has no safetensors weights, and pickled ones are not loaded")
    try:
        found = folder_tensors(folder)
    except CrossSightError as error:
        raise UnusableModelError(error.what) from error
    except OSError as error:
        raise UnusableModelError(one_line(error)) from error
    return Weights(len(found), sum(tensor.numel for tensor in found))


def refuse_hostile(config: dict[str, Any], weights: Weights) -> None:
    """Refuse a config whose network would be far larger than its weights, or that asks for foreign code or weights.

    Raises:
        UnusableModelError: with what it asks for.
    """
    for key, value in _entries(config):
        text = key.lower()
        if "attn_implementation" in text and "/" in str(value):
            raise UnusableModelError(f"its config asks for code of a repository: {str(value)[:60]}")
        if text == "quantization_config" and value:
            raise UnusableModelError("its weights are quantised")
        if text in ("use_pretrained_backbone", "backbone_pretrained") and value is True:
            raise UnusableModelError("its config asks for the weights of another repository")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if _COUNTS.search(text) and value > max(weights.tensors, 64):
            raise UnusableModelError(f"its config asks for {key} = {value:g}, but it has {weights.tensors} tensors")
        if value > max(weights.numel, _ALWAYS_ALLOWED) and value != float("inf"):
            raise UnusableModelError(f"its config asks for {key} = {value:g}, but its weights are {weights.numel:,}")


def _entries(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its value, nested ones too; a list of numbers counts as their sum and as each of them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name), inner
            yield from _entries(inner, str(name))
    elif isinstance(value, list):
        numbers = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        yield key, sum(numbers)
        for inner in value:
            yield from _entries(inner, key)


@contextlib.contextmanager
def bounded_construction(weights: Weights) -> Iterator[None]:
    """Within, building a network of many more modules or parameters than `weights` raises `UnusableModelError`.

    Every module and parameter passes torch's registration hooks while it is built, so that a config with a million
    layers stops after the first few hundred, under whatever name it asks for them.
    """
    from torch.nn.modules import module

    left = {"modules": 40 * weights.tensors + 2_000, "parameters": 4 * weights.numel + 4_000_000}

    def spend(what: str, amount: int) -> None:
        left[what] -= amount
        if left[what] < 0:
            raise UnusableModelError(f"its config asks for a network much larger than its {weights.numel:,} weights")

    def on_module(*_: Any) -> None:
        spend("modules", 1)

    def on_parameter(_: Any, __: str, parameter: Any) -> None:
        spend("parameters", 0 if parameter is None else parameter.numel())

    hooks = [
        module.register_module_module_registration_hook(on_module),
        module.register_module_parameter_registration_hook(on_parameter),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def one_line(error: BaseException) -> str:
    """An error in one line of at most 200 characters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
