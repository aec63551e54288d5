"""The models that are fine-tuned: found in folders or on the Hub, and loaded with a new head for a task.

Everything is loaded in float32, whatever the file holds. A model whose input size is fixed is fed that size or has its
position embeddings interpolated where `transformers` can; one that cannot be used is left out with its reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..features.load import last_linear, read_network
from ..features.untrusted import UnusableModelError, one_line
from .architectures import make_trainable
from .training_loop import Normalisation

SIDE = 64
_PATTERNS = ["config.json", "preprocessor_config.json", "README.md", "*.safetensors", "*.safetensors.index.json"]


@dataclass(frozen=True)
class ModelSource:
    """A model repository on this machine.

    Attributes:
        id: `org/name` or `name`, as tables name it.
        revision: commit on the Hub, `weights-<hash>` of a folder.
        folder: where its files are.
    """

    id: str
    revision: str
    folder: Path


def find_models(named: Sequence[str], *, offline: bool = False) -> tuple[list[ModelSource], dict[str, str]]:
    """The models that were named, by id, and the reason for each that cannot be used.

    Args:
        named: folders of model repositories (`name/` or `org/name/`), single repositories, or Hub ids (`ID@REVISION`).

    Raises:
        UserError: no model is left.
        HubError: the Hub or the network fails.
    """
    found: dict[str, ModelSource] = {}
    reasons: dict[str, str] = {}
    for name in named:
        path = Path(name).expanduser()
        for model_id, folder, commit in _folders(path) if path.is_dir() else [_download(name, offline)]:
            reason = _reason_against(folder)
            if reason:
                reasons[model_id] = reason
            else:
                found[model_id] = ModelSource(model_id, commit or _weights_hash(folder), folder)
    if not found:
        first = "; ".join(f"{model}: {reason}" for model, reason in list(reasons.items())[:3])
        raise UserError(f"no model can be fine-tuned{': ' + first if first else ''}", "See --zoo.")
    return [found[model] for model in sorted(found)], reasons


def _folders(path: Path) -> list[tuple[str, Path, str | None]]:
    if (path / "config.json").is_file():
        return [(f"{path.resolve().parent.name}/{path.resolve().name}", path, None)]
    inside: list[tuple[str, Path, str | None]] = []
    for child in sorted(path.iterdir()):
        if child.name.startswith(".") or not child.is_dir():
            continue
        if (child / "config.json").is_file():
            inside.append((child.name, child, None))
        else:
            inside += [(f"{child.name}/{p.parent.name}", p.parent, None) for p in sorted(child.glob("*/config.json"))]
    return inside


def _download(name: str, offline: bool) -> tuple[str, Path, str]:
    from ..hub import HubClient

    client = HubClient(offline=offline)
    repo = client.resolve(name, "model")
    return repo.id, client.snapshot(repo, _PATTERNS), repo.sha


def _reason_against(folder: Path) -> str | None:
    """Why a repository cannot be used, as far as its files tell."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architectures = config.get("architectures") or []
    except (OSError, ValueError, AttributeError) as error:
        return f"config.json cannot be read: {error}"
    if not any(str(name).endswith("ForImageClassification") for name in architectures):
        return "it is no image classifier of transformers"
    if not any(folder.glob("*.safetensors")):
        return "it has no safetensors file"
    return None


def _weights_hash(folder: Path) -> str:
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return f"weights-{digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class Classifier:
    """A loaded model with a new head.

    Attributes:
        model: in float32, on the CPU.
        head: its last linear layer; what goes into it are the pooled features.
        side: pixels of the images it is fed.
        normalisation: how pixels are scaled.
    """

    model: Any
    head: Any
    side: int
    normalisation: Normalisation


def load_classifier(source: ModelSource, classes: int, seed: int) -> Classifier:
    """The model with its released weights and a new, randomly initialised linear head.

    Raises:
        UnusableModelError: `transformers` cannot load it, it has no linear head, or it takes no 64-pixel images.
    """
    import torch

    model = read_network(source.folder).module
    if getattr(model.config, "num_channels", 3) != 3:
        raise UnusableModelError(f"it takes images of {model.config.num_channels} channels")
    name, old = last_linear(model)
    if old is None:
        raise UnusableModelError("it has no linear layer that gives its classes")
    torch.manual_seed(seed)
    head = torch.nn.Linear(old.in_features, classes)
    model.set_submodule(name, head)
    model.config.num_labels = classes
    if hasattr(model, "num_labels"):
        model.num_labels = classes
    make_trainable(model)
    model.to(memory_format=torch.channels_last)  # convolutions on a CPU are a third faster so
    side = _fitting_side(model, source.folder)
    return Classifier(model, head, side, _normalisation(source.folder))


def _fitting_side(model: Any, folder: Path) -> int:
    """64 pixels, or the model's own size where that is smaller or the only one it takes."""
    own = _own_side(model, folder)
    side = min(SIDE, own or SIDE)
    failure: Exception | None = None
    for tried, options in ((side, {}), (side, {"interpolate_pos_encoding": True}), (own or side, {})):
        try:
            _check_input(model, tried, options)
        except Exception as error:
            failure = failure or error
            continue
        model.crosssight_input_options = options
        return tried
    assert failure is not None
    raise UnusableModelError(f"it does not take images of {side} px: {one_line(failure)}") from failure


def _check_input(model: Any, side: int, options: dict[str, Any]) -> None:
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(pixel_values=torch.zeros(2, 3, side, side), **options).logits
    finally:
        model.train(was_training)
    if logits.shape != (2, model.config.num_labels):
        raise ValueError(f"it gives {tuple(logits.shape)} for two images of {model.config.num_labels} classes")


def _own_side(model: Any, folder: Path) -> int | None:
    size = _processor(folder).get("size") or getattr(model.config, "image_size", None)
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    if isinstance(size, list | tuple):
        size = size[0] if size else None
    return size if isinstance(size, int) and size > 0 else None


def _processor(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _normalisation(folder: Path) -> Normalisation:
    """As the image processor says; a model without one is taken to see (x / 255 - 0.45) / 0.25."""
    processor = _processor(folder)
    plain = Normalisation()
    if processor.get("do_normalize") is False:
        return Normalisation((0.0,) * 3, (1.0,) * 3)
    mean, std = (_three(processor.get(key)) for key in ("image_mean", "image_std"))
    return replace(plain, mean=mean or plain.mean, std=std or plain.std)


def _three(values: Any) -> tuple[float, float, float] | None:
    if isinstance(values, int | float):
        values = [values]
    if not isinstance(values, list) or len(values) not in (1, 3):
        return None
    first, second, third = (float(value) for value in (values if len(values) == 3 else values * 3))
    return first, second, third
