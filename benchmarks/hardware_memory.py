"""Predicted peak memory against what a process of this machine really takes, over many image classifiers.

python benchmarks/hardware_memory.py --batch 8

Networks of `transformers` from their configs at several sizes, random weights, and, with --models, the loadable ones
of a folder. Each runs in a process of its own: measured is the highest resident memory of a pass less what the process
held before the network was built, imports and passes of three tiny networks being done. Predicted are the weights, the
live bytes, once counted on the meta device and once from the structure alone, and what allocators and kernels take
beside them: its three constants, and what modules of `transformers` keep beside timm's, were read off the networks
from ViT to Swin (`seen`), the others are the test.
Prints JSON lines.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from hf_crosssight.features.load import UnusableModelError, read_network
from hf_crosssight.features.untrusted import read_config
from hf_crosssight.hardware.forward_counts import on_meta
from hf_crosssight.hardware.memory import memory_of
from hf_crosssight.hardware.model_shape import model_shapes
from hf_crosssight.hardware.peak_memory import reset_peak, resident_mb
from hf_crosssight.hub.tensor_info import TensorInfo

_VITS = ((3, 12, 224), (6, 12, 224), (12, 12, 224), (12, 12, 384), (16, 24, 224))
_SIZES: tuple[tuple[str, str, tuple[dict[str, Any], ...]], ...] = (
    ("vit", "ViTConfig", tuple({"hidden_size": 64 * heads, "num_attention_heads": heads,
                                "intermediate_size": 256 * heads, "num_hidden_layers": layers, "image_size": side}
                               for heads, layers, side in _VITS)),
    ("resnet", "ResNetConfig", ({"depths": [2, 2, 2, 2], "layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]},
                                {}, {"depths": [3, 4, 23, 3]}, {"depths": [3, 8, 36, 3]})),
    ("convnext", "ConvNextConfig", ({"depths": [2, 2, 6, 2], "hidden_sizes": [40, 80, 160, 320]}, {},
                                    {"depths": [3, 3, 27, 3], "hidden_sizes": [128, 256, 512, 1024]})),
    ("convnextv2", "ConvNextV2Config", ({}, {"depths": [2, 2, 6, 2], "hidden_sizes": [64, 128, 256, 512]})),
    ("swin", "SwinConfig", ({}, {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]})),
    ("deit", "DeiTConfig", ({}, {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768})),
    ("beit", "BeitConfig", ({}, {"num_hidden_layers": 6})),
    ("regnet", "RegNetConfig", ({}, {"depths": [2, 7, 17, 1], "hidden_sizes": [232, 696, 1392, 3712],
                                     "groups_width": 232})),
    ("mobilenet_v1", "MobileNetV1Config", ({}, {"depth_multiplier": 0.5})),
    ("mobilenet_v2", "MobileNetV2Config", ({}, {"depth_multiplier": 1.4})),
    ("efficientnet", "EfficientNetConfig", ({"image_size": 224, "width_coefficient": 1.0, "depth_coefficient": 1.0,
                                             "hidden_dim": 1280},
                                            {"image_size": 300, "width_coefficient": 1.2, "depth_coefficient": 1.4,
                                             "hidden_dim": 1536})),
    ("segformer", "SegformerConfig", ({}, {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 6, 3]})),
    ("pvt", "PvtConfig", ({},)),
    ("poolformer", "PoolFormerConfig", ({},)),
    ("mobilevit", "MobileViTConfig", ({},)),
    ("dinov2", "Dinov2Config", ({"image_size": 224},
                                {"hidden_size": 384, "num_attention_heads": 6, "image_size": 224})),
    ("focalnet", "FocalNetConfig", ({},)),
    ("levit", "LevitConfig", ({},)),
    ("bit", "BitConfig", ({},)),
)  # fmt: skip
_SIDE = 224
_WAYS = ("counted", "structure alone")
_SEEN = ("vit", "resnet", "convnext", "convnextv2", "swin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--models", type=Path, help="Folder of model repositories, those that load are added.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    _warm_up()
    context = multiprocessing.get_context("fork")
    errors: dict[str, list[float]] = {f"{way}, {part}": [] for way in _WAYS for part in ("seen", "unseen")}
    inside, count = 0, 0
    for name, config in [*_configs(), *_folders(arguments.models)]:
        queue = context.SimpleQueue()
        child = context.Process(target=_one, args=(queue, config, arguments.batch))
        child.start()
        child.join()
        if child.exitcode or queue.empty():
            print(json.dumps({"model": name, "failed": child.exitcode}), flush=True)
            continue
        measured, predicted, low, high = queue.get()
        line = {"model": name, "measured_mb": round(measured, 1)}
        for way, value in predicted.items():
            errors[f"{way}, {'seen' if name.split('-')[0] in _SEEN else 'unseen'}"].append(value / measured - 1)
            line[way] = round(value, 1)
        inside += low <= measured <= high
        count += 1
        print(json.dumps(line), flush=True)
    for way, found in errors.items():
        if not found:
            continue
        sizes = np.abs(found)
        said = {"median error": np.median(sizes), "within 15 %": (sizes <= 0.15).mean(), "bias": np.median(found)}
        rounded = {name: round(float(value), 4) for name, value in said.items()}
        print(json.dumps({"way": way, "models": len(sizes)} | rounded))
    print(json.dumps({"coverage of the 90 % interval from structure alone": round(inside / max(1, count), 3)}))


def _warm_up() -> None:
    """Small networks of two kinds, so that what libraries load and keep on first use is not laid to a model."""
    for config in (
        transformers.ViTConfig(hidden_size=48, num_attention_heads=3, intermediate_size=96, num_hidden_layers=1),
        transformers.ResNetConfig(hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 1, 1]),
        transformers.MobileNetV2Config(depth_multiplier=0.35),
    ):
        network = transformers.AutoModelForImageClassification.from_config(config).eval()
        with torch.no_grad():
            network(pixel_values=torch.rand(2, 3, _SIDE, _SIDE))


def _configs() -> Iterator[tuple[str, Any]]:
    for name, kind, sizes in _SIZES:
        for number, size in enumerate(sizes):
            named = kind.replace("Config", "ForImageClassification")
            yield f"{name}-{number}", getattr(transformers, kind)(**size, architectures=[named])


def _folders(root: Path | None) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.glob("**/config.json")) if root else ():
        try:
            if "model_type" in read_config(path.parent):
                yield f"{path.parent.parent.name}/{path.parent.name}", path.parent
        except UnusableModelError:
            continue


def _one(queue: Any, config: Any, batch: int) -> None:
    """Builds, runs and predicts one network in this process."""
    before = resident_mb()
    torch.manual_seed(0)
    if isinstance(config, Path):
        network = read_network(config).module
    else:
        network = transformers.AutoModelForImageClassification.from_config(config).eval()
    side = getattr(network.config, "image_size", None) or _SIDE
    side = side[0] if isinstance(side, list | tuple) else side
    channels = getattr(network.config, "num_channels", 3)
    pixels = torch.rand(batch, channels, side, side)
    reset_peak()
    with torch.no_grad():
        network(pixel_values=pixels)
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    assert before is not None
    predicted, low, high = _predicted(network, (1, channels, side, side), batch)
    queue.put((peak - before, predicted, low, high))


def _predicted(network: Any, shape: tuple[int, ...], batch: int) -> tuple[dict[str, float], float, float]:
    tensors = [TensorInfo(name, "F32", tuple(value.shape)) for name, value in network.state_dict().items()]
    counts = on_meta(network, lambda images: network(pixel_values=images), shape)
    costs = {"params": counts.params, "gmacs": counts.gmacs, "macts": counts.macts, "input_size": shape[-1]}
    shapes = model_shapes(tensors, **costs, transformers=True)
    counted = dataclasses.replace(shapes, live_bytes=np.array([float(counts.live_bytes)]))
    alone, exact = (memory_of(known, batch, "infer", "cpu") for known in (shapes, counted))
    ways = {"counted": float(exact.value[0]), "structure alone": float(alone.value[0])}
    return ways, float(alone.low[0]), float(alone.high[0])


if __name__ == "__main__":
    main()
