"""Hidden units of real networks in another order: the same function, written differently.

A chain is a layer that makes hidden units, what acts on each unit alone (bias, normalisation, depthwise kernels), and
the layer that reads them. Permuting all three alike changes no output. Chains are found in networks named as
`transformers` names them (MLPs of transformer, ConvNeXt and PoolFormer blocks, ResNet basic and bottleneck layers,
inverted residuals and separable convolutions) and in plain stacks of matrices.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np

State = dict[str, np.ndarray]

_PAIRS = (
    (r"(.*)intermediate\.dense\.weight", r"\1output.dense.weight", ()),
    (r"(.*)pwconv1\.weight", r"\1pwconv2.weight", ()),
    (r"(.*)output\.conv1\.weight", r"\1output.conv2.weight", ()),
    (r"(.*)layer\.0\.convolution\.weight", r"\1layer.1.convolution.weight", (r"\1layer.0.normalization",)),
    (r"(.*)layer\.1\.convolution\.weight", r"\1layer.2.convolution.weight", (r"\1layer.1.normalization",)),
    (
        r"(.*)expand_1x1\.convolution\.weight",
        r"\1reduce_1x1.convolution.weight",
        (r"\1expand_1x1.normalization", r"\1conv_3x3.convolution", r"\1conv_3x3.normalization"),
    ),
)


@dataclass(frozen=True)
class Chain:
    """Tensors whose first axis are the hidden units, and the one whose second axis they are."""

    makers: tuple[str, ...]
    reader: str


def chains(state: State) -> list[Chain]:
    """The chains of a network, none sharing a permuted axis with another."""
    found = [*_named_pairs(state), *_separable(state), *_plain_stack(state)]
    return [chain for chain in found if _fits(chain, state)]


def permuted(state: State, seed: int) -> tuple[State, int]:
    """The network with the hidden units of every chain in another order, and how many chains it has."""
    rng = np.random.default_rng(seed)
    changed = dict(state)
    all_chains = chains(state)
    for chain in all_chains:
        order = rng.permutation(state[chain.makers[0]].shape[0])
        for name in chain.makers:
            changed[name] = np.ascontiguousarray(changed[name][order])
        changed[chain.reader] = np.ascontiguousarray(changed[chain.reader][:, order])
    return changed, len(all_chains)


def _of_modules(state: State, modules: tuple[str, ...]) -> list[str]:
    leaves = ("weight", "bias", "running_mean", "running_var")
    return [f"{module}.{leaf}" for module in modules for leaf in leaves if f"{module}.{leaf}" in state]


def _is_grouped(maker: str, state: State) -> bool:
    """Whether a convolution's outputs each read a group of inputs only, so that they have a fixed order."""
    before = maker.replace("layer.1.", "layer.0.")
    return before != maker and before in state and state[maker].shape[1] != state[before].shape[0]


def _named_pairs(state: State) -> list[Chain]:
    found = []
    for maker in (name for name in state if not name.startswith("mobilenet_v1.")):
        for pattern, reader, between in _PAIRS:
            match = re.fullmatch(pattern, maker)
            if match and match.expand(reader) in state and not _is_grouped(maker, state):
                modules = (maker.removesuffix(".weight"), *(match.expand(module) for module in between))
                found.append(Chain(tuple(_of_modules(state, modules)), match.expand(reader)))
    return found


def _separable(state: State) -> list[Chain]:
    """MobileNet v1: a pointwise (or the first) convolution, then `layer.2i` depthwise and `layer.2i+1` pointwise."""
    found = []
    for name in state:
        match = re.fullmatch(r"(mobilenet_v1)\.layer\.(\d+)\.convolution\.weight", name)
        if match and int(match[2]) % 2 == 0 and state[name].shape[1] == 1:
            at = int(match[2])
            before = f"{match[1]}.layer.{at - 1}" if at else f"{match[1]}.conv_stem"
            own = [before, f"{match[1]}.layer.{at}"]
            modules = tuple(f"{module}.{part}" for module in own for part in ("convolution", "normalization"))
            found.append(Chain(tuple(_of_modules(state, modules)), f"{match[1]}.layer.{at + 1}.convolution.weight"))
    return found


def _plain_stack(state: State) -> list[Chain]:
    """A network of matrices alone, numbered: each reads what the one before makes."""
    weights = [name for name in state if name.endswith("weight")]
    if not all(re.fullmatch(r"\D*\d+\.weight", name) and state[name].ndim == 2 for name in weights):
        return []
    ordered = sorted(weights, key=lambda name: int(re.findall(r"\d+", name)[0]))
    pairs = itertools.pairwise(ordered)
    return [Chain(tuple(_of_modules(state, (maker.removesuffix(".weight"),))), reader) for maker, reader in pairs]


def _fits(chain: Chain, state: State) -> bool:
    if chain.reader not in state or not chain.makers or state[chain.reader].ndim < 2:
        return False
    units = {state[name].shape[0] for name in chain.makers}
    return units == {state[chain.reader].shape[1]}
