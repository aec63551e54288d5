"""One training run of an image classifier, on whatever hardware `accelerate` finds.

The same loop trains a zoo's members and fine-tunes them: AdamW, one-cycle learning rate, label smoothing, random
shifts. It is seeded throughout: on one CPU type with one thread, a run gives the same weights bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..features.extract import is_out_of_memory

if TYPE_CHECKING:
    import torch

PREDICT_BATCH = 128
_SMALLEST_BATCH = 2


class TrainingFailedError(Exception):
    """The run gave no model: the cause, in one line."""


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: passes over the images.
        learning_rate: peak of the one-cycle schedule.
        batch_size: images a step; the last, smaller batch of an epoch is used too unless it holds one image.
        weight_decay: of AdamW.
        warmup: share of the steps in which the learning rate rises.
        label_smoothing: share of the target spread over all classes.
        shift: pixels by which images are moved at most, at a side of 64.
        seed: of the order of images and the shifts.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 32
    weight_decay: float = 0.05
    warmup: float = 0.3
    label_smoothing: float = 0.05
    shift: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Normalisation:
    """Pixels become `(x / 255 - mean) / std`, per channel."""

    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class TrainingReport:
    """What a run cost: wall seconds in all and inside steps, and the batch size after any halving."""

    seconds: float
    step_seconds: float
    steps: int
    batch_size: int
    last_loss: float


def make_accelerator(mixed_precision: str | None = None) -> Any:
    """An `accelerate.Accelerator`; bf16 by default where the device computes in it, else full precision.

    Processes started by `accelerate launch` each get a device of their own and share the runs, not the batches: the
    models here are far too small to be worth splitting one.

    Raises:
        UserError: accelerate is not installed.
    """
    import torch

    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise UserError("accelerate is not installed", "Run: pip install 'hf_crosssight[train]'") from error
    if mixed_precision is None:
        mixed_precision = "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"
    return Accelerator(mixed_precision=mixed_precision)


def is_main_process() -> bool:
    """Whether this process is the only one, or the first of those that `accelerate launch` started."""
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def train(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray,
    schedule: Schedule,
    normalisation: Normalisation,
    accelerator: Any,
) -> TrainingReport:
    """Trains a classifier in place; out of memory halves the batch and starts over from the given weights.

    Args:
        model: a `transformers` image classifier.
        images: uint8 `[N, 3, side, side]`.
        labels: int64 `[N]`.

    Raises:
        TrainingFailedError: the loss is not finite, or memory does not suffice for two images.
    """
    initial = {name: value.detach().clone() for name, value in model.state_dict().items()}
    while True:
        try:
            return _run(model, images, labels, schedule, normalisation, accelerator)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if schedule.batch_size // 2 < _SMALLEST_BATCH:
                raise TrainingFailedError(f"out of memory at a batch of {schedule.batch_size}") from error
            schedule = replace(schedule, batch_size=schedule.batch_size // 2)
            model.load_state_dict(initial)


def _run(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray,
    schedule: Schedule,
    normalisation: Normalisation,
    accelerator: Any,
) -> TrainingReport:
    import torch

    started = time.perf_counter()
    model = accelerator.prepare_model(model, evaluation_mode=True)  # evaluation_mode: placed and cast, not wrapped
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rng = np.random.default_rng([schedule.seed, 11])
    per_epoch = len(list(_batches(np.arange(len(images)), schedule.batch_size)))
    total = max(2, per_epoch * schedule.epochs)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=total, pct_start=schedule.warmup
    )
    in_steps, loss, step = 0.0, float("nan"), 0
    for _ in range(schedule.epochs):
        for rows in _batches(rng.permutation(len(images)), schedule.batch_size):
            pixels = _shifted(images[rows], round(schedule.shift * images.shape[-1] / 64), rng)
            begun = time.perf_counter()
            loss = _step(model, pixels, labels[rows], schedule, normalisation, optimizer, accelerator)
            in_steps += time.perf_counter() - begun
            step += 1
            if not np.isfinite(loss):
                raise TrainingFailedError(f"the loss is {loss} after {step} of {total} steps")
            if step < total:
                cycle.step()
    return TrainingReport(time.perf_counter() - started, in_steps, step, schedule.batch_size, loss)


def _batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Parts of an epoch; a last batch of one image is dropped, since batch normalisation cannot use it."""
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        if len(rows) > 1 or len(order) == 1:
            yield rows


def _shifted(images: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """The images moved by up to `most` pixels each way; what comes in is the edge repeated."""
    if most == 0:
        return images
    side = images.shape[-1]
    padded = np.pad(images, ((0, 0), (0, 0), (most, most), (most, most)), mode="edge")
    out = np.empty_like(images)
    for row, (top, left) in enumerate(rng.integers(0, 2 * most + 1, (len(images), 2))):
        out[row] = padded[row, :, top : top + side, left : left + side]
    return out


def _step(
    model: Any,
    pixels: np.ndarray,
    labels: np.ndarray,
    schedule: Schedule,
    normalisation: Normalisation,
    optimizer: Any,
    accelerator: Any,
) -> float:
    import torch

    inputs = to_input(pixels, normalisation, accelerator.device)
    targets = torch.from_numpy(labels).to(accelerator.device)
    logits = model(pixel_values=inputs, **input_options(model)).logits.float()
    loss = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=schedule.label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    optimizer.step()
    return float(loss.detach())


def to_input(pixels: np.ndarray, normalisation: Normalisation, device: Any) -> torch.Tensor:
    """float32 `[N, 3, side, side]` normalised pixels on a device."""
    import torch

    mean = torch.tensor(normalisation.mean, device=device).mul(255).view(1, 3, 1, 1)
    std = torch.tensor(normalisation.std, device=device).mul(255).view(1, 3, 1, 1)
    return (torch.from_numpy(np.ascontiguousarray(pixels)).to(device).float() - mean) / std


def input_options(model: Any) -> dict[str, Any]:
    """Further inputs that the model needs for images of another size than its own (set by `adapt`)."""
    return dict(getattr(model, "crosssight_input_options", {}))


def predict(model: Any, images: np.ndarray, normalisation: Normalisation, accelerator: Any) -> np.ndarray:
    """Predicted classes, int64 `[N]`."""
    import torch

    model.eval()
    found = []
    with torch.no_grad():  # not inference_mode: BEiT keeps an index that it then could not train with
        for start in range(0, len(images), PREDICT_BATCH):
            inputs = to_input(images[start : start + PREDICT_BATCH], normalisation, accelerator.device)
            found.append(model(pixel_values=inputs, **input_options(model)).logits.argmax(-1).cpu())
    return torch.cat(found).numpy().astype(np.int64)
