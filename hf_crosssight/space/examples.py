"""The built-in examples: handwritten digits with their images, and public datasets of which only tokens are bundled.

Tokens are means of features, counts and an embedding of words: numbers from which no image comes back. Each example
states its source and licence; `benchmarks/encode_examples.py` makes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.encoding import EncodedDataset

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
DIGITS = "digits"


@dataclass(frozen=True)
class Example:
    """One dataset to try the page with.

    Attributes:
        key: its name in links.
        title: its name for people.
        source: address of the dataset.
        license: Hub licence identifier of the dataset.
        note: what its tokens were made of.
        file: its tokens below `EXAMPLES`; none where the images themselves are at hand.
        split, num_classes, num_images_used: as in a ranking's JSON.
    """

    key: str
    title: str
    source: str
    license: str
    note: str
    file: str | None = None
    split: str = "train"
    num_classes: int | None = None
    num_images_used: int = 0

    def encoded(self) -> EncodedDataset:
        """The dataset as it was encoded when the example was made."""
        from hf_crosssight.encoding import EncodedDataset
        from hf_crosssight.tokens.dataset import DatasetTokens

        assert self.file is not None
        tokens = DatasetTokens.load(EXAMPLES / self.file)
        return EncodedDataset(
            self.key, None, self.split, self.num_classes, self.num_images_used, tokens, warnings=(self.note,)
        )


@cache
def examples() -> dict[str, Example]:
    """All examples by key, digits first."""
    digits = Example(
        DIGITS,
        "Handwritten digits (with images)",
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        "cc-by-4.0",
        "",
        num_classes=10,
    )
    listed = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return {DIGITS: digits} | {entry["key"]: Example(**entry) for entry in listed}


def find_example(key: str) -> Example:
    """The example of a link or an API call.

    Raises:
        UserError: there is none of that name.
    """
    if key not in examples():
        raise UserError(f"there is no example {key!r}", f"The examples are: {', '.join(examples())}.")
    return examples()[key]
