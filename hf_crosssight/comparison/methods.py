"""The methods that can be compared, by their names on the command line, and what each of them reads."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.simple_rankers import BASELINES
from hf_crosssight.peers.registry import PEERS
from hf_crosssight.transferability.registry import METHODS as HEURISTICS

RANKER, STATIC = "crosssight", "static_mean_rank"
ALL = "all"
NOTHING = "nothing"  # what methods learnt from where none learns, or no past results are given
TOKENS, FACTS, PAST, FEATURES = "dataset tokens", "facts", "past results", "features"
PROBS, SOURCE, NAMES = "source probabilities", "source data", "class names"

_HEURISTIC_INPUTS = {
    "features": FEATURES,
    "source_probs": PROBS,
    "source_features": SOURCE,
    "source_labels": SOURCE,
    "label_embeddings": NAMES,
}
_NEEDS: dict[str, tuple[str, ...]] = {
    "random": (),
    **dict.fromkeys(("params", "gmacs", "source_accuracy", "popularity"), (FACTS,)),
    **dict.fromkeys((STATIC, "static_mean_z"), (PAST,)),
    "nearest_dataset": (TOKENS, PAST),
    **dict.fromkeys(("ridge", "trees", "fennec", "transfergraph"), (TOKENS, FACTS, PAST)),
    "model_spider": (TOKENS, PAST, FEATURES),
}
# What they know of a model are its own past results: unseen ones would all tie.
_KNOWN_MODELS_ONLY = (STATIC, "static_mean_z", "nearest_dataset", "model_spider")


@dataclass(frozen=True)
class ComparedMethod:
    """One method.

    Attributes:
        name: as `--methods` takes it.
        kind: `ranker`, `baseline`, `peer` (learns from past results) or `heuristic` (runs every model on the images).
        needs: of `dataset tokens`, `facts` (of the models: views, size, ...), `past results`, `features`, `source
            probabilities`, `source data`, `class names`.
    """

    name: str
    kind: str
    needs: tuple[str, ...]

    @property
    def runs_models(self) -> bool:
        """Whether it wants models run on images: all of them, or (model_spider) the best k and those of the past."""
        return FEATURES in self.needs or PROBS in self.needs

    @property
    def learns(self) -> bool:
        """Whether it is fitted to a table of past results."""
        return PAST in self.needs

    @property
    def ranks_unseen_models(self) -> bool:
        """Whether it can tell models apart that have no past results."""
        return self.name not in _KNOWN_MODELS_ONLY


def _heuristic(name: str) -> ComparedMethod:
    inputs = (_HEURISTIC_INPUTS[need] for need in HEURISTICS[name].needs)
    return ComparedMethod(name, "heuristic", tuple(dict.fromkeys(inputs)))


def known_methods() -> dict[str, ComparedMethod]:
    """All methods by name; what was added to a registry while the process runs is among them."""
    methods = (
        ComparedMethod(RANKER, "ranker", (TOKENS, FACTS)),
        *(ComparedMethod(name, "baseline", _NEEDS[name]) for name in BASELINES),
        *(ComparedMethod(name, "peer", _NEEDS[name]) for name in PEERS if name not in HEURISTICS),
        *(_heuristic(name) for name in HEURISTICS),
    )
    return {method.name: method for method in methods}


def chosen_methods(named: str | Sequence[str]) -> tuple[ComparedMethod, ...]:
    """The methods of `a,b,c` or `all`, each once.

    Raises:
        UserError: there is none of that name; the hint has the nearest ones.
    """
    known = known_methods()
    words = named.split(",") if isinstance(named, str) else named
    names = [word.strip().lower().replace("-", "_") for word in words if word.strip()]
    if not names:
        raise UserError("no method is named", f"name some of: {', '.join(known)}; or all")
    for name in names:
        if name != ALL and name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
            raise UserError(f"there is no method '{name}'", hint)
    whole = [one for name in names for one in (known if name == ALL else [name])]
    return tuple(known[name] for name in dict.fromkeys(whole))
