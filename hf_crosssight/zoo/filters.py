"""Constraints on a zoo, and why each model that they reject was rejected.

Filters work on the columns of the index. Each model counts once, by the first constraint that it fails in the order
filter, license, min_params, max_params; a fact that is not known fails its constraint and counts as `<name>_unknown`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from hf_crosssight.errors import UserError
from hf_crosssight.zoo.index import ZooIndex

_SCALES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class Constraints:
    """What a model must satisfy.

    Attributes:
        filter (`tuple[str, ...]`): tasks, libraries or tags, all of which must hold.
        license (`tuple[str, ...]`): Hub licence identifiers, any of which may hold.
        min_params, max_params (`int`, *optional*): bounds on the number of parameters, both inclusive.
    """

    filter: tuple[str, ...] = ()
    license: tuple[str, ...] = ()
    min_params: int | None = None
    max_params: int | None = None


@dataclass(frozen=True)
class Selection:
    """The models that passed, and the count of the others.

    Attributes:
        indices (`np.ndarray`): int64 `[K]`, rows of the zoo, rising.
        rejected (`dict[str, int]`): models by the first constraint that they failed; only counts above zero.
    """

    indices: np.ndarray
    rejected: dict[str, int] = field(default_factory=dict)


def select(zoo: ZooIndex, constraints: Constraints) -> Selection:
    """The models of a zoo that satisfy the constraints.

    Raises:
        UserError: none does; the message says how many each constraint removed.
    """
    left, rejected = narrowed(len(zoo), _verdicts(zoo, constraints))
    if not left.any():
        raise _nothing_left(zoo, constraints, rejected)
    return Selection(np.flatnonzero(left).astype(np.int64), rejected)


def narrowed(count: int, verdicts: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, dict[str, int]]:
    """Which of `count` models pass every verdict, bool `[count]`, and how many fail each as their first."""
    left = np.ones(count, bool)
    rejected: dict[str, int] = {}
    for name, holds, known in verdicts:
        for reason, failing in ((name, ~holds & known), (f"{name}_unknown", ~known)):
            failed = int((left & failing).sum())
            if failed:
                rejected[reason] = failed
        left &= holds & known
    return left, rejected


def parse_size(text: str | int | float, option: str = "size") -> int:
    """A number of parameters: `30M`, `1.5B`, `300k`, `25000000`.

    Raises:
        UserError: it is none; `option` names where it was given.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)(e\d{1,2})?\s*([kmbgt]?)\s*", str(text), re.I)
    value = float(match[1] + (match[2] or "")) * _SCALES[match[3].lower()] if match else math.nan
    if isinstance(text, bool) or not value < 2**63:
        raise UserError(f"{option} {str(text)!r} is not a number of parameters.", "Write 30M, 1.5B or 25000000.")
    return round(value)


def _verdicts(zoo: ZooIndex, wanted: Constraints) -> Iterable[tuple[str, np.ndarray, np.ndarray]]:
    """(name, holds `[M]`, known `[M]`) of each constraint that is set, in the order in which they count."""
    if wanted.filter:
        yield ("filter", *_tags_hold(zoo, wanted.filter))
    if wanted.license:
        licenses = [text.strip().lower() for text in wanted.license]
        column = _lower(zoo, "license")
        yield "license", np.isin(column, licenses), column != ""
    params = zoo.column("params")
    known = params.is_valid().to_numpy()
    values = params.fill_null(0).to_numpy()
    if wanted.min_params is not None:
        yield "min_params", values >= wanted.min_params, known
    if wanted.max_params is not None:
        yield "max_params", values <= wanted.max_params, known


def _tags_hold(zoo: ZooIndex, tags: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Whether every tag is a model's task, library or tag; unknown where a model has none of the three at all."""
    import pyarrow.compute as pc

    task, library = _lower(zoo, "task"), _lower(zoo, "library")
    lists = zoo.column("tags").combine_chunks()
    owners = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    own_tags = pc.utf8_lower(pc.list_flatten(lists)).to_numpy(zero_copy_only=False).astype(str)
    tagged = np.zeros(len(zoo), bool)
    tagged[owners] = True
    holds = np.ones(len(zoo), bool)
    for tag in tags:
        wanted = tag.strip().lower()
        has = (task == wanted) | (library == wanted)
        has[owners[own_tags == wanted]] = True
        holds &= has
    return holds, (task != "") | (library != "") | tagged


def _lower(zoo: ZooIndex, column: str) -> np.ndarray:
    """A column of texts in lower case `[M]`, unknown ones empty."""
    import pyarrow.compute as pc

    texts: pa.ChunkedArray = pc.utf8_lower(zoo.column(column).fill_null(""))
    return texts.to_numpy().astype(str)


def _nothing_left(zoo: ZooIndex, wanted: Constraints, rejected: dict[str, int]) -> UserError:
    """The error that says in words what each constraint removed."""
    values = {
        "filter": " and ".join(wanted.filter),
        "license": " or ".join(wanted.license),
        "min_params": f"at least {wanted.min_params:,} parameters" if wanted.min_params is not None else "",
        "max_params": f"at most {wanted.max_params:,} parameters" if wanted.max_params is not None else "",
    }
    said = []
    for name in dict.fromkeys(reason.removesuffix("_unknown") for reason in rejected):
        failing, unknown = rejected.get(name, 0), rejected.get(f"{name}_unknown", 0)
        cause = f"--{name.replace('_', '-')} ({values[name]})"
        share = f", {unknown} of them" if failing else ""
        said.append(f"{cause} removed {failing + unknown}{f'{share} for want of the fact' if unknown else ''}")
    if not len(zoo):
        return UserError(f"The zoo {zoo.id} holds no model.", "Choose another zoo.")
    return UserError(f"No model of the {len(zoo)} is left: {'; '.join(said)}.", "Loosen what removed most.")
