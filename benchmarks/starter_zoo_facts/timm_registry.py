"""What timm's own registry says of its pre-trained models: ids, licences, input sizes, tensor names and shapes, GMACs.

timm imports torchvision, which is not always there and is not needed for any of these facts, so `import_timm`
replaces it by stub modules first. Networks are built on the meta device: no weight is downloaded or allocated.
Source: the `timm` package (Apache-2.0).
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator
from typing import Any

_COUNTED = ("convolution", "addmm", "mm", "bmm", "baddbmm")


class _AnythingMeta(type):
    """A class whose every attribute exists, for names such as `InterpolationMode.NEAREST`."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


class _StubModule(types.ModuleType):
    """A module whose every attribute is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _AnythingMeta(name, (), {"__init__": lambda self, *a, **k: None})


class _TorchvisionStubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers every import of torchvision with a stub module."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.split(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _StubModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


def import_timm() -> Any:
    """timm with torchvision stubbed out; attention unfused, so that its matrix products are counted."""
    sys.meta_path.insert(0, _TorchvisionStubs())
    import timm
    import timm.layers

    timm.layers.set_fused_attn(False)
    return timm


def pretrained_models(timm: Any) -> Iterator[dict[str, Any]]:
    """Every pre-trained entry whose `hf_hub_id` names a repository: id, architecture, tag, licence, sizes.

    `hf_hub_id` `timm/` stands for `timm/<architecture>.<tag>`, as timm itself reads it; entries without one have no
    repository of their own and are left out.
    """
    for name in timm.list_pretrained():
        cfg = timm.get_pretrained_cfg(name)
        if cfg is None or not cfg.hf_hub_id:
            continue
        architecture, _, tag = name.partition(".")
        yield {
            "model_id": cfg.hf_hub_id + name if cfg.hf_hub_id.endswith("/") else cfg.hf_hub_id,
            "architecture": architecture,
            "tag": tag,
            "license": cfg.license,
            "input_size": cfg.input_size[-1],
            "in_chans": cfg.input_size[0],
            "num_classes": cfg.num_classes,
        }


def architecture_facts(timm: Any, architecture: str, num_classes: int, input_size: int) -> dict[str, Any]:
    """Tensors (name, shape), parameters and, where one forward pass works on the meta device, GMACs and MActs."""
    import torch

    kwargs: dict[str, Any] = {"num_classes": num_classes, "pretrained": False}
    with torch.device("meta"):
        try:
            model = timm.create_model(architecture, img_size=input_size, **kwargs)
        except TypeError:
            model = timm.create_model(architecture, **kwargs)
    model.eval()
    trained = {name for name, _ in model.named_parameters()}
    tensors = [[n, list(t.shape), str(t.dtype).removeprefix("torch.")] for n, t in model.state_dict().items()]
    facts = {"tensors": tensors, "params": sum(p.numel() for p in model.parameters()), "trained": len(trained)}
    try:
        facts["gmacs"], facts["macts"] = _forward_cost(model, input_size)
    except Exception as error:  # a network that the meta device cannot run still has its tensors
        facts["cost_error"] = f"{type(error).__name__}: {error}"[:200]
    return facts


def _forward_cost(model: Any, input_size: int) -> tuple[float, float]:
    """(GMACs, millions of activations) of one image: matrix products and convolutions, as timm's tables count them."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    activations = 0

    class CountOutputs(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal activations
            out = func(*args, **(kwargs or {}))
            if func._overloadpacket.__name__ in _COUNTED:
                activations += out.numel()
            return out

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, CountOutputs():
        model(torch.empty(1, 3, input_size, input_size, device="meta"))
    return counter.get_total_flops() / 2e9, activations / 1e6
