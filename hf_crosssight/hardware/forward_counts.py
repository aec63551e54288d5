"""What one forward pass of a network costs, counted and not measured: multiply-accumulates, activations, live bytes.

The network runs on torch's meta device, or for real; either way the operators that it calls tell. Activations are the
outputs of convolutions and matrix products, as timm and fvcore count them. Live bytes are the most that tensors made
during the pass hold at one time: the memory that a pass needs beside the weights.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PRODUCTS = ("convolution", "_convolution", "addmm", "mm", "bmm", "baddbmm", "linear")


@dataclass(frozen=True)
class ForwardCounts:
    """Costs of one pass.

    Attributes:
        params: parameters of the network.
        weight_bytes: its parameters and buffers.
        gmacs: 1e9 multiply-accumulates of the whole batch.
        macts: 1e6 activations of the whole batch.
        live_bytes: the most bytes that tensors made in the pass hold at one time, the input not counted.
    """

    params: int
    weight_bytes: int
    gmacs: float
    macts: float
    live_bytes: int


def count_forward(module: Any, run: Callable[[], Any]) -> ForwardCounts:
    """Counts what `run` does with the network.

    Args:
        module: the network.
        run: one forward pass of it; without gradients unless they are to be counted.
    """
    from torch.utils.flop_counter import FlopCounterMode

    tensors = [*module.parameters(), *module.buffers()]
    live = _live_bytes_mode()
    attention = _fused_attention_mode()
    flops = FlopCounterMode(display=False)
    with attention, flops, live:
        result = run()
    del result
    return ForwardCounts(
        params=sum(parameter.numel() for parameter in module.parameters()),
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        gmacs=(flops.get_total_flops() / 2 + attention.macs) / 1e9,
        macts=(live.activations + attention.activations) / 1e6,
        live_bytes=live.peak,
    )


def on_meta(module: Any, inputs_of: Callable[[Any], Any], shape: tuple[int, ...]) -> ForwardCounts:
    """Counts a pass of a network that is moved to the meta device: no memory is taken and nothing is computed.

    Args:
        module: the network; it is left on the meta device.
        inputs_of: the pass, given an input of `shape` on the meta device.
        shape: `[batch, channels, height, width]`.
    """
    import torch

    module.to("meta")
    pixels = torch.empty(shape, device="meta")
    with torch.no_grad():
        return count_forward(module, lambda: inputs_of(pixels))


def _fused_attention_mode() -> Any:
    """Fused attention on the meta device as CPUs and GPUs run it: its products counted, its matrix never held."""
    import torch
    from torch.overrides import TorchFunctionMode

    class FusedAttention(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.macs = self.activations = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is not torch.nn.functional.scaled_dot_product_attention:
                return func(*args, **(kwargs or {}))
            query, key, value = (args + tuple((kwargs or {}).get(n) for n in ("query", "key", "value")[len(args) :]))[
                :3
            ]
            pairs = query.numel() // query.shape[-1] * key.shape[-2]
            out_numel = query.numel() // query.shape[-1] * value.shape[-1]
            self.macs += pairs * (query.shape[-1] + value.shape[-1])
            self.activations += pairs + out_numel
            if query.device.type != "meta":
                with torch.utils.flop_counter.FlopCounterMode(display=False):  # what it counts is thrown away
                    return func(*args, **(kwargs or {}))
            return query.new_empty(*query.shape[:-1], value.shape[-1])

    return FusedAttention()


def _live_bytes_mode() -> Any:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class LiveBytes(TorchDispatchMode):
        """Adds each new storage while it lives, and the outputs of products."""

        def __init__(self) -> None:
            super().__init__()
            self.peak = self.now = self.activations = 0
            self.seen: Any = weakref.WeakValueDictionary()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            before = {id(t.untyped_storage()) for t in _tensors(args) if isinstance(t, torch.Tensor)}
            out = func(*args, **(kwargs or {}))
            made = [tensor for tensor in _tensors(out) if isinstance(tensor, torch.Tensor)]
            if func.__name__.split(".")[0] in _PRODUCTS:
                self.activations += sum(tensor.numel() for tensor in made[:1])
            for tensor in made:
                storage = tensor.untyped_storage()
                if id(storage) not in before and id(storage) not in self.seen:
                    self._add(storage)
            return out

        def _add(self, storage: Any) -> None:
            size = storage.nbytes()
            self.seen[id(storage)] = storage
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, size)

        def _drop(self, size: int) -> None:
            self.now -= size

    return LiveBytes()


def _tensors(value: Any) -> list[Any]:
    """The tensors of an operator's arguments or results, one level of lists deep."""
    found: list[Any] = []
    for item in value if isinstance(value, list | tuple) else [value]:
        found.extend(item if isinstance(item, list | tuple) else [item])
    return [item for item in found if hasattr(item, "untyped_storage")]
