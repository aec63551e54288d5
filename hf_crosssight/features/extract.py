"""One forward pass over images: what goes into a model's last linear layer, and what its own head says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .load import ImageModel, UnusableModelError

BATCH = 64
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Features:
    """What a model makes of N images.

    Attributes:
        pooled: float32 `[N, D]`: the input of its last linear layer, else its pooled output, else the mean of its
            last hidden state over places.
        probs: float32 `[N, Cs]`, the softmax of its own trained head; `None` if it has none.
    """

    pooled: np.ndarray
    probs: np.ndarray | None


def extract(
    model: ImageModel, images: Sequence[Any], *, batch: int = BATCH, progress: Progress | None = None
) -> Features:
    """Features and source probabilities of images; the same for the same images, model and machine.

    Args:
        model: from `load_image_model`.
        images: PIL images, or uint8 arrays `[H, W]` or `[H, W, 3]`, of any sizes.
        batch: images a forward pass; halved as long as memory does not suffice.
        progress: called with ("computing image features", images done, N).

    Raises:
        UnusableModelError: its features are not finite numbers, or it gives none.
        ValueError: there are no images.
    """
    if len(images) == 0:
        raise ValueError("no images are given")
    network = model.network
    pooled, logits = pooled_outputs(
        network.module,
        network.head,
        lambda start, stop: _stacks(model, images[start:stop]),
        len(images),
        batch,
        model.options,
        trained_pooler=network.trained_pooler,
        progress=progress,
    )
    if not np.isfinite(pooled).all():
        broken = int((~np.isfinite(pooled)).any(axis=1).sum())
        raise UnusableModelError(f"its features of {broken} of {len(images)} images are not finite")
    if not network.classifies or logits is None or logits.ndim != 2 or not np.isfinite(logits).all():
        return Features(pooled, None)
    return Features(pooled, _softmax(logits))


def pooled_outputs(
    module: Any,
    head: Any | None,
    inputs: Callable[[int, int], Iterator[Any]],
    count: int,
    batch: int,
    options: dict[str, Any],
    *,
    trained_pooler: bool = True,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 pooled features `[N, D]` and logits `[N, Cs]` (`None` without a head) of `count` images.

    Args:
        module: the network, in evaluation mode.
        head: the layer whose input is wanted, or `None`.
        inputs: gives the input tensors of the images from start to stop, in order, each of one shape.
        batch: images asked for at once; halved when memory does not suffice, down to one.
        options: further inputs of the forward pass.

    Raises:
        UnusableModelError: the network gives nothing that can be pooled.
    """
    pooled: list[np.ndarray] = []
    logits: list[np.ndarray] = []
    start = 0
    while start < count:
        stop = min(start + batch, count)
        try:
            found = [_forward(module, head, pixels, options, trained_pooler) for pixels in inputs(start, stop)]
        except (RuntimeError, MemoryError) as error:
            if batch == 1 or not is_out_of_memory(error):
                raise
            batch //= 2
            continue
        pooled += [features for features, _ in found]
        logits += [scores for _, scores in found if scores is not None]
        start = stop
        if progress is not None:
            progress("computing image features", stop, count)
    return np.concatenate(pooled), np.concatenate(logits) if logits else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch says that memory did not suffice."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _stacks(model: ImageModel, images: Sequence[Any]) -> Iterator[Any]:
    """Input tensors of images: one for all of them, or one each where the preprocessing leaves them unlike."""
    import torch

    pixels = model.preprocessing([_as_image(image) for image in images])
    together = [pixels] if len({one.shape for one in pixels}) == 1 else [[one] for one in pixels]
    for group in together:
        yield torch.from_numpy(np.stack(group)).to(memory_format=torch.channels_last)


def _as_image(image: Any) -> Image.Image:
    return image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))


def _forward(
    module: Any, head: Any | None, pixels: Any, options: dict[str, Any], trained_pooler: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    import torch

    caught: list[Any] = []
    hook = head.register_forward_pre_hook(lambda _, given: caught.append(given[0])) if head is not None else None
    try:
        with torch.no_grad():  # not inference_mode: BEiT keeps an index that it then could not train with
            output = module(pixel_values=pixels, **options)
    finally:
        if hook is not None:
            hook.remove()
    features = caught[-1] if caught else _pooled_output(output, trained_pooler)
    if features.shape[0] != len(pixels):
        raise UnusableModelError(f"it gives {features.shape[0]} features for {len(pixels)} images")
    places = tuple(range(1, features.ndim - 1))
    features = features.float().mean(places) if places else features.float()
    scores = getattr(output, "logits", None) if head is not None else None
    return features.cpu().numpy(), None if scores is None else scores.float().cpu().numpy()


def _pooled_output(output: Any, trained_pooler: bool) -> Any:
    """`[N, D]` of a backbone: its pooled output, else the mean of its last hidden state over places."""
    pooled = getattr(output, "pooler_output", None) if trained_pooler else None
    if pooled is not None:
        return pooled.flatten(1)
    hidden = getattr(output, "last_hidden_state", None)
    if hidden is None or hidden.ndim not in (2, 3, 4):
        raise UnusableModelError("it outputs no features")
    return hidden.flatten(2).mean(2) if hidden.ndim == 4 else hidden


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
