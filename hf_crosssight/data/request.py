"""`SampleRequest`: which part of a dataset to sample, and how; checked once, carried everywhere."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UserError

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class SampleRequest:
    """What `load_sample` was asked for, the dataset itself aside.

    Raises:
        `UserError`: a count that no sample can have, or what is no whole number.
    """

    config: str | None = None
    split: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    images_per_class: int = 10
    max_classes: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("images_per_class", "max_classes", "seed"):
            self._make_whole(name)
        if self.images_per_class < 1:
            raise UserError(f"images_per_class is {self.images_per_class}", "Take at least 1 image of each class.")
        if self.max_classes < 2:
            raise UserError(f"max_classes is {self.max_classes}", "Take at least 2 classes.")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}", "Take a seed of 0 or more.")

    def _make_whole(self, name: str) -> None:
        """Makes a plain int of a NumPy one, since requests are kept as JSON; refuses all else."""
        value = getattr(self, name)
        try:
            whole = None if isinstance(value, bool) else operator.index(value)
        except TypeError:
            whole = None
        if whole is None:
            raise UserError(f"{name} is {value!r}", "Give a whole number.")
        object.__setattr__(self, name, whole)
