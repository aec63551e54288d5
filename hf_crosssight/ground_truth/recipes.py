"""The three ways in which a model is tried on a dataset, fixed, because the protocol decides the ranking.

`full`: all weights are trained from the released ones under a new head. `head`: logistic regression on pooled
features. `knn`: the five nearest training images by cosine decide. The sizes of `full` are those of the first small
zoo's table, with a grid of three learning rates tried on seed 0, and the best on validation used by all seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UserError
from .splits import SplitSizes

LEARNING_RATES = (1e-3, 3e-4, 3e-3)
REGULARISATIONS = (0.01, 0.1, 1.0)
NEIGHBOURS = 5
NEEDS_FEATURES = ("knn", "head")
NAMES = ("knn", "head", "full")


@dataclass(frozen=True)
class Recipe:
    """A recipe and its settings.

    Attributes:
        name: `full`, `head` or `knn`.
        sizes: images of a run.
        epochs, batch_size, learning_rates: of `full`; the grid is tried in this order, the first of equals wins.
    """

    name: str
    sizes: SplitSizes = field(default_factory=SplitSizes)
    epochs: int = 4
    batch_size: int = 32
    learning_rates: tuple[float, ...] = LEARNING_RATES

    @property
    def protocol(self) -> str:
        """What else a number depends on, in words that differ whenever a setting does."""
        sizes = self.sizes
        images = f"{sizes.train}+{sizes.validation} images, {sizes.max_classes} classes"
        if self.name == "full":
            rates = " ".join(f"{rate:g}" for rate in self.learning_rates)
            return f"{images}, {self.epochs} epochs of batches of {self.batch_size}, one-cycle AdamW {rates}"
        if self.name == "head":
            return f"{images}, logistic regression C {' '.join(f'{c:g}' for c in REGULARISATIONS)}"
        return f"{images}, {NEIGHBOURS} neighbours by cosine"


def make_recipe(
    name: str,
    *,
    max_train: int | None = None,
    epochs: int | None = None,
    learning_rates: tuple[float, ...] | None = None,
) -> Recipe:
    """A recipe with some of its settings changed.

    Raises:
        UserError: an unknown name, or a setting that makes no sense.
    """
    if name not in NAMES:
        raise UserError(f"there is no recipe {name!r}", f"Take one of: {', '.join(NAMES)}.")
    if max_train is not None and max_train < 2:
        raise UserError(f"--max-train is {max_train}", "Take at least 2 training images.")
    if epochs is not None and epochs < 1:
        raise UserError(f"--epochs is {epochs}", "Take at least 1.")
    if learning_rates is not None and (not learning_rates or min(learning_rates) <= 0):
        raise UserError(f"--lr is {learning_rates}", "Take positive learning rates.")
    plain = Recipe(name)
    return Recipe(
        name,
        SplitSizes(train=max_train) if max_train else plain.sizes,
        epochs or plain.epochs,
        learning_rates=tuple(dict.fromkeys(learning_rates)) if learning_rates else plain.learning_rates,
    )
