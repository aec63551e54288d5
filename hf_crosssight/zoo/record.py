"""`ModelRecord`: what is known of one model of a zoo, each fact `None` where it is unknown, never invented."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelRecord:
    """One model of a zoo.

    Attributes:
        model_id (`str`): Hub id, or `org/name` / `name` of the folder it was read from.
        revision (`str`, *optional*): commit that the facts were read at.
        task (`str`, *optional*): Hub pipeline tag, e.g. `image-classification`.
        library (`str`, *optional*): Hub library name, e.g. `timm`, `transformers`.
        license (`str`, *optional*): Hub licence identifier, lower case, e.g. `apache-2.0`.
        tags (`tuple[str, ...]`): further Hub tags.
        architecture (`str`, *optional*): e.g. `resnet50`, `ViTForImageClassification`.
        family (`str`, *optional*): architecture family, lower case, e.g. `resnet`, `vit`, `convnext`.
        pretrain_data (`tuple[str, ...]`): data the weights were trained on, in order, e.g.
            `("merged-30m", "imagenet-22k", "imagenet-1k")`; from a timm tag, card, config or base model, never from
            the words of another model's name; `satellite images` where the card names no data set.
        base_model (`str`, *optional*): id of the model it was fine-tuned from.
        params (`int`, *optional*): number of parameters.
        gmacs (`float`, *optional*): multiply-accumulates of one forward pass at `input_size`, in 1e9.
        macts (`float`, *optional*): activations of one forward pass, in 1e6.
        input_size (`int`, *optional*): side of the input image, pixels.
        sources (`tuple[str, ...]`): where the facts come from.
    """

    model_id: str
    revision: str | None = None
    task: str | None = None
    library: str | None = None
    license: str | None = None
    tags: tuple[str, ...] = ()
    architecture: str | None = None
    family: str | None = None
    pretrain_data: tuple[str, ...] = ()
    base_model: str | None = None
    params: int | None = None
    gmacs: float | None = None
    macts: float | None = None
    input_size: int | None = None
    sources: tuple[str, ...] = field(default=())
