"""Views that a ranker reads only of models whose architecture family it has seen in training.

With whole families held out the statistics of the weights view help or do no harm (`benchmarks/view_worth.py` prints
the verdict, benchmarks/RESULTS.md has it); for learned codes this is not shown, so they are gated. Where a view is
gated off it counts as missing, as it does for a model that lacks it.
"""

from __future__ import annotations

from collections.abc import Collection

from .index import ZooIndex

GATED = ("arch2vec",)
"""The views that are read of known families alone."""


def family_gates(zoo: ZooIndex, models: Collection[str]) -> dict[str, list[str]]:
    """For a ranker that is trained on these models of a zoo: gated view → families of which it may be read."""
    chosen = set(models)
    pairs = zip(zoo.model_ids, zoo.families, strict=True)
    known = sorted({family for model, family in pairs if family and model in chosen})
    return {name: known for name in GATED if name in zoo.views}
