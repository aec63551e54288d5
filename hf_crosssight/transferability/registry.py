"""The one door to every transferability method: a line a method, and the functions that run them.

A method's module has `score(inputs) -> float` (the correct form, higher is better) and
`parity(inputs, implementation) -> float` (what a public implementation returns, its sign and its bugs included).
NCTI and ETran are published as sums of parts that are min-max scaled over a zoo: their modules also have
`parts(inputs)` and `over_zoo(parts)`, which `score_zoo(..., parity=True)` uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from hf_crosssight.errors import UserError

from .inputs import Inputs, check_inputs


@dataclass(frozen=True)
class Method:
    """What a method is called, reads and can reproduce.

    Args:
        needs: the inputs it reads besides `labels`.
        implementations: the public implementations that `parity=True` reproduces, the default first; names separated
            by "=" agree with each other, so one function serves them.
        needs_repeats: the method says nothing when every class has a single image.
        random: the score depends on `seed`.
        single: the default reads float32 features as they are, with no float64 copy.
    """

    name: str
    needs: tuple[str, ...]
    implementations: tuple[str, ...]
    needs_repeats: bool = False
    random: bool = False
    single: bool = False

    @property
    def module(self) -> ModuleType:
        return import_module(f"{__package__}.{self.name}")

    def implementation(self, name: str | None) -> str:
        """The first of the names that agree with `name` (`thuml`, `thuml/LogME`, `thuml/LogME:LEEP.py@5655...`)."""
        groups = [group.split("=") for group in self.implementations]
        if name is None:
            return groups[0][0]
        short = _short_name(name)
        for group in groups:
            if short in group:
                return group[0]
        known = ", ".join(alias for group in groups for alias in group)
        raise UserError(f"{self.name}: no public implementation is called '{name}'", f"known: {known}")


# Repositories as their owners spell them, so that a citation can be pasted.
_REPOSITORIES = {
    "thuml/logme": "thuml",
    "thuml/transfer-learning-library": "tllib",
    "zhangyikaii/model-spider": "model-spider",
    "dbolya/parc": "parc",
    "google-research/pactran_metrics": "pactran",
    "tencentarc/sfda": "sfda",
    "busername/ncti": "ncti",
    "mgholamikn/etran": "etran",
    "opengvlab/multitask-model-selector": "emms",
    "flairnlp/transformer-ranker": "transformer-ranker",
    "dataiku-research/transferability_metrics_for_object_detection": "dataiku",
    "mainlp/logme-nlp": "logme-nlp",
    "zlizy/transferability_graph": "transferability-graph",
    "scikit-learn/scikit-learn": "scikit-learn",
}


def _short_name(name: str) -> str:
    head = name.split("@")[0].split(":")[0].lower()
    if head in _REPOSITORIES:
        return "thuml-icml" if "_fit_icml" in name else _REPOSITORIES[head]
    return name.strip().lower()


_GAUSSIAN = (
    *(f"pactran-{lam}-{s}" for lam, pair in (("1", (100, 10)), ("10", (1000, 100)), ("0.1", (10, 1))) for s in pair),
    *(f"pactran-{lam}-optimum" for lam in ("1", "10", "0.1")),
)
_F, _P = ("features",), ("source_probs",)

METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("nce", _P, ("thuml=tllib=model-spider", "parc", "pactran"), needs_repeats=True),
        Method(
            "leep",
            _P,
            ("thuml=tllib", "parc", "model-spider", "pactran", "sfda=ncti=etran=emms", "transferability-graph"),
        ),
        Method("nleep", _F, ("model-spider", "pactran", "sfda=ncti=etran=emms", "sfda-1c"), random=True),
        Method(
            "logme",
            _F,
            (
                "thuml=model-spider=sfda=ncti=etran=emms=logme-nlp",
                "thuml-icml",
                "tllib=dataiku",
                "transformer-ranker",
                "pactran=pactran-0",
                "pactran-20",
                "pactran-centred",
                "pactran-20-centred",
                "all-terms",
            ),
        ),
        Method("hscore", _F, ("model-spider", "tllib=dataiku", "parc", "parc-32", "pactran"), needs_repeats=True),
        Method("hscore_regularized", _F, ("tllib=dataiku", "transformer-ranker")),
        Method(
            "otce",
            ("features", "source_features", "source_labels"),
            ("model-spider", "model-spider-w", "model-spider-ce"),
        ),
        Method("pactran_dirichlet", _P, ("pactran=model-spider=emms",)),
        Method("pactran_gamma", _P, ("pactran=model-spider=emms",)),
        Method(
            "pactran_gaussian",
            _F,
            ("pactran-1-100=pactran=emms", *_GAUSSIAN[1:], "etran-100=etran", "etran-10", "etran-optimum"),
        ),
        Method("gbc", _F, ("model-spider",), needs_repeats=True, single=True),
        Method("lfc", _F, ("model-spider",), needs_repeats=True, single=True),
        Method("parc", _F, ("parc", "parc-32=sfda", "exact", "exact-32"), needs_repeats=True),
        Method("sfda", _F, ("sfda=ncti", "etran"), needs_repeats=True),
        Method("ncti", _F, ("ncti-posterior=ncti", "ncti-features", "ncti-classes"), needs_repeats=True, single=True),
        Method("etran", _F, ("etran-lda=etran", "etran-energy", "etran-energy-top"), needs_repeats=True),
        Method("transrate", _F, ("tllib=dataiku=emms",), random=True, single=True),
        Method(
            "knn",
            _F,
            (
                "parc",
                "parc-cosine",
                "parc-cityblock",
                "parc-5",
                "parc-split",
                "transformer-ranker",
                "transformer-ranker-1",
                "transformer-ranker-cosine",
                "transformer-ranker-1-cosine",
            ),
            needs_repeats=True,
            single=True,
        ),
        Method("linear_probe", _F, ("scikit-learn",), needs_repeats=True),
        Method("emms", ("features", "label_embeddings"), ("emms",)),
    )
}


def available_methods() -> list[str]:
    """The names that `score` takes."""
    return list(METHODS)


def implementations(method: str) -> tuple[str, ...]:
    """The public implementations that `score(method, parity=True, implementation=...)` reproduces, the default
    first."""
    return tuple(alias for group in _method(method).implementations for alias in group.split("="))


def score(
    method: str,
    *,
    features: Any = None,
    labels: Any = None,
    source_probs: Any = None,
    source_features: Any = None,
    source_labels: Any = None,
    label_embeddings: Any = None,
    seed: int = 0,
    parity: bool = False,
    implementation: str | None = None,
) -> float:
    """How well a model suits a labelled dataset by one method; higher is better.

    Args:
        method (`str`): one of `available_methods()`.
        features: `[N, D]`, what the model's backbone outputs before its head.
        labels: `[N]` integers, in any numbering; LogME also takes regression targets (fractions, or `[N, T]`).
        source_probs: `[N, Cs]`, the softmax of the model's own head; rows sum to one.
        source_features, source_labels: `[Ns, D]`, `[Ns]`, the model's features of its source data (OTCE).
        label_embeddings: `[C, E]` or `[C, E, K]`, K embeddings of the class names, by ascending label (EMMS).
        seed (`int`, *optional*, defaults to 0): for the methods that start at random.
        parity (`bool`, *optional*, defaults to `False`): return what a public implementation returns on these inputs,
            in its sign and in the precision of the features' dtype, bugs included.
        implementation (`str`, *optional*): which one, where they differ (see `implementations`).

    Inputs that a method does not read are not looked at. Raises `UserError` for inputs that give no score.
    """
    entry = _method(method)
    if implementation is not None and not parity:
        raise UserError(f"{method}: implementation='{implementation}' without parity=True", "add parity=True")
    chosen = entry.implementation(implementation) if parity else ""
    given = {
        "features": features,
        "source_probs": source_probs,
        "source_features": source_features,
        "source_labels": source_labels,
        "label_embeddings": label_embeddings,
    }
    inputs = _checked(entry, labels, given, seed, parity)
    return _finite(entry.name, _public(entry, inputs, chosen) if parity else _default(entry, inputs), chosen)


def score_zoo(
    method: str, models: Sequence[Mapping[str, Any]], *, labels: Any, parity: bool = False, **shared: Any
) -> list[float]:
    """One method over several models on the same images: a score for each, higher is better.

    `models` holds the inputs that differ (`{"features": ...}`), `shared` those that do not. By default a model's
    score does not depend on the others. With `parity=True`, NCTI and ETran are min-max scaled over these models, as
    their authors' scripts do; every other method gives what `score(..., parity=True)` gives.
    """
    entry = _method(method)
    scripted = parity and entry.implementation(shared.get("implementation")) == entry.implementation(None)
    if not (models and scripted and hasattr(entry.module, "over_zoo")):
        return [score(method, labels=labels, parity=parity, **{**shared, **model}) for model in models]
    seed = int(shared.get("seed", 0))
    state = np.random.RandomState(seed)
    parts = [entry.module.parts(_checked(entry, labels, {**shared, **model}, seed, True), state) for model in models]
    return [_finite(method, value, "over the zoo") for value in entry.module.over_zoo(parts)]


def _method(name: str) -> Method:
    if name not in METHODS:
        raise UserError(f"'{name}' is not a transferability method", f"known: {', '.join(METHODS)}")
    return METHODS[name]


def _checked(entry: Method, labels: Any, given: Mapping[str, Any], seed: int, parity: bool) -> Inputs:
    needed = {name: given.get(name) for name in entry.needs}
    return check_inputs(
        entry.name,
        labels,
        needed,
        seed=seed,
        parity=parity,
        needs_repeats=entry.needs_repeats and not parity,
        single=entry.single or parity,
    )


def _default(entry: Method, inputs: Inputs) -> float:
    """The score, numerical breakdowns as errors of the input that has none."""
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(entry.module.score(inputs))
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        raise UserError(f"{entry.name}: these inputs give no score: {error}", "leave this model out") from error


def _public(entry: Method, inputs: Inputs, implementation: str) -> float:
    """What a public implementation returns, its crashes as errors of the input that it cannot take."""
    try:
        with np.errstate(all="ignore"):
            return float(entry.module.parity(inputs, implementation))
    except (ArithmeticError, LookupError, ValueError, np.linalg.LinAlgError) as error:
        raise UserError(
            f"{entry.name}: the public implementation '{implementation}' fails here: {error}", "leave out parity=True"
        ) from error


def _finite(method: str, value: float, implementation: str) -> float:
    if math.isfinite(value):
        return value
    if implementation:
        raise UserError(
            f"{method}: the public implementation '{implementation}' returns {value} here", "leave out parity=True"
        )
    raise UserError(f"{method}: these inputs give no finite score", "rescale the features or drop constant ones")
