"""Small real networks, written the three ways that the Hub knows: timm's names, transformers' names, raw exports."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn


@dataclass(frozen=True)
class Shape:
    """A tensor as a header tells it."""

    name: str
    dtype: str
    shape: tuple[int, ...]


DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}


def shapes(network: nn.Module) -> list[Shape]:
    """The network's state in the order in which safetensors writes it: by name."""
    state = sorted(network.state_dict().items())
    return [Shape(name, DTYPES[tensor.dtype], tuple(tensor.shape)) for name, tensor in state]


class _TimmBlock(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width))


class TimmResNet(nn.Module):
    """The tensors of timm's ResNet of basic blocks, two a stage."""

    def __init__(self, widths: tuple[int, ...] = (8, 16, 32, 64), classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for stage, width in enumerate(widths, start=1):
            setattr(self, f"layer{stage}", nn.Sequential(_TimmBlock(inputs, width), _TimmBlock(width, width)))
            inputs = width
        self.fc = nn.Linear(inputs, classes)


def transformers_resnet(widths: tuple[int, ...] = (8, 16, 32, 64), classes: int = 10) -> nn.Module:
    """The same network as transformers builds it."""
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        depths=[2] * len(widths),
        layer_type="basic",
        hidden_sizes=list(widths),
        embedding_size=widths[0],
        num_labels=classes,
    )
    return ResNetForImageClassification(config)


class _TimmViTBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = nn.Module()
        self.attn.qkv = nn.Linear(width, 3 * width)
        self.attn.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Module()
        self.mlp.fc1 = nn.Linear(width, 4 * width)
        self.mlp.fc2 = nn.Linear(4 * width, width)


class TimmViT(nn.Module):
    """The tensors of timm's vision transformer, at 32 px in patches of 8."""

    def __init__(self, width: int = 64, layers: int = 12, classes: int = 10) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, 8, 8)
        self.blocks = nn.Sequential(*(_TimmViTBlock(width) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)


def transformers_vit(width: int = 64, layers: int = 12, classes: int = 10) -> nn.Module:
    """The same network as transformers builds it."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=4 * width,
        image_size=32,
        patch_size=8,
        num_labels=classes,
    )
    return ViTForImageClassification(config)


def raw_cnn(classes: int = 10) -> nn.Module:
    """A network as old exports write it: numbers for names."""
    layers = [nn.Conv2d(1, 16, 5), nn.ReLU(), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.Flatten(), nn.Linear(512, classes)]
    return nn.Sequential(OrderedDict((str(number), layer) for number, layer in enumerate(layers)))


def write_repo(folder: Path, network: nn.Module, config: dict[str, Any] | None = None, readme: str = "") -> Path:
    """A model repository on disk."""
    folder.mkdir(parents=True)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config or {"architecture": "cnn", "num_classes": 10}))
    if readme:
        (folder / "README.md").write_text(readme)
    return folder
