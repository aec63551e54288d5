"""The views of a model: what each is called, the version of its specification and its shape.

A view is an array `[rows, columns]`: row 0 a summary, the others an unordered set, column 0 tells valid rows from
padding. A model may lack any of them, and so may a whole zoo: a ranker masks what is missing. Nothing here loads
torch or scipy: probe and arch2vec, which do, are described by numbers that a test compares with their modules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hf_crosssight.tokens.card import CARD_DIM, CARD_SPEC
from hf_crosssight.tokens.lineage import LINEAGE_SHAPE, LINEAGE_SPEC
from hf_crosssight.tokens.structure import STRUCTURE_DIM, STRUCTURE_ROWS, STRUCTURE_SPEC
from hf_crosssight.tokens.weights import WEIGHTS_SHAPE, WEIGHTS_SPEC


@dataclass(frozen=True)
class View:
    """One view of a model.

    Attributes:
        name (`str`): its key in a zoo and in a ranker's `view_shapes`.
        spec (`str`): version of its specification, `name/number`; views of two versions are never mixed.
        shape (`tuple[int, int]`): rows and columns.
    """

    name: str
    spec: str
    shape: tuple[int, int]


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("structure", STRUCTURE_SPEC, (STRUCTURE_ROWS, STRUCTURE_DIM)),
        View("card", CARD_SPEC, (1, CARD_DIM)),
        View("weights", WEIGHTS_SPEC, WEIGHTS_SHAPE),
        View("probe", "probe/1", (1, 102)),
        View("lineage", LINEAGE_SPEC, LINEAGE_SHAPE),
        View("arch2vec", "arch2vec/1", (5, 129)),
    )
}
"""Every view that this release makes and reads, in the order in which results name them."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The known views among `names`, each once, in the order of `VIEWS`."""
    wanted = set(names)
    return tuple(name for name in VIEWS if name in wanted)
