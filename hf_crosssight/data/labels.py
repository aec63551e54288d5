"""From the values of a label column to class codes and class names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .columns import Column

MIN_ROWS = 20  # with fewer rows nothing is said of how often their labels repeat
DISTINCT_NUMBERS = 0.5  # share of different values above which undeclared numbers are taken for measurements
DISTINCT_TEXTS = 0.8  # the same for long texts, which are taken for captions
CAPTION_WORDS = 5  # on average; names of classes (breeds, makes of cars) are shorter


@dataclass(frozen=True)
class Labels:
    """The classes of the rows.

    Attributes:
        codes: int64 `[N]`, index into `names`; -1 where a row has no label (or its label was not read).
        names: class names.
        declared: whether the dataset declares these classes (a `ClassLabel`), so that some may have no row.
        missing: rows that were looked at and have no label.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    declared: bool = False
    missing: int = 0


def labels_from_values(values: Any, column: Column, *, is_sample: bool = False) -> Labels:
    """Codes and names of a label column's values (a list, an array or an Arrow array; None is no label).

    Args:
        is_sample: the values were chosen by class, so how often they repeat says nothing.

    Raises:
        `UserError`: lists (multi-label), fractions or ever new numbers (regression), captions.
    """
    items: list[Any] = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    items = [item.item() if hasattr(item, "item") and getattr(item, "ndim", 0) == 0 else item for item in items]
    known = [item for item in items if item is not None]
    _refuse_values(known, column.name)
    if column.class_names and all(isinstance(item, int) for item in known):
        declared = _declared_codes(items, column)
        return Labels(declared, column.class_names, declared=True, missing=int((declared < 0).sum()))
    distinct = sorted({_plain(item) for item in known}, key=lambda item: (isinstance(item, str), item))
    if not is_sample:
        refuse_unlike_classes(distinct, len(known), column)
    code_of = {value: code for code, value in enumerate(distinct)}
    codes = [-1 if item is None else code_of[_plain(item)] for item in items]
    names = tuple(("false", "true")[value] if isinstance(value, bool) else str(value) for value in distinct)
    return Labels(np.asarray(codes, dtype=np.int64), names, missing=len(items) - len(known))


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) else value


def _declared_codes(items: Sequence[int | None], column: Column) -> np.ndarray:
    """Codes of a `ClassLabel`: -1 stands for no label there, and anything else out of range is an error."""
    codes = np.asarray([-1 if item is None else item for item in items], dtype=np.int64)
    count = len(column.class_names or ())
    if codes.size and (codes.max() >= count or codes.min() < -1):
        wrong = int(codes.max() if codes.max() >= count else codes.min())
        raise UserError(
            f"column {column.name!r} declares {count} classes and holds the label {wrong}",
            "Correct the dataset's features, or name another column with --label-column.",
        )
    return codes


def _refuse_values(known: Sequence[Any], name: str) -> None:
    only = "Only datasets with one class an image can be ranked for; name another column with --label-column."
    if any(isinstance(item, list | tuple | dict | set | np.ndarray) or hasattr(item, "shape") for item in known):
        raise UserError(f"this is a multi-label dataset (column {name!r} holds several values a row)", only)
    if any(isinstance(item, float) and not item.is_integer() for item in known):
        raise UserError(f"this is a regression dataset (column {name!r} holds fractions)", only)


def refuse_unlike_classes(distinct: Collection[Any], count: int, column: Column, *, numbers: bool = True) -> None:
    """Raises for labels that hardly ever repeat: undeclared numbers are measurements then, long texts captions.

    Short strings are let through: a dataset may hold one image of each of many named classes.

    Args:
        distinct: the different values.
        count: rows that hold them.
        numbers: whether enough rows were seen to judge numbers.
    """
    if count < MIN_ROWS or column.class_names or column.kind == "class":
        return
    what, only = f"column {column.name!r} holds", "Only datasets with one class an image can be ranked for"
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in distinct)
    if numbers and whole and len(distinct) > DISTINCT_NUMBERS * count:
        raise UserError(
            f"this looks like a regression dataset ({what} {len(distinct)} different numbers in {count} rows)",
            f"{only}; if these numbers are classes, cast the column to `ClassLabel` or to strings.",
        )
    texts = [value for value in distinct if isinstance(value, str)]
    words = sum(len(text.split()) for text in texts)
    if len(texts) > DISTINCT_TEXTS * count and words >= CAPTION_WORDS * len(texts):
        raise UserError(
            f"{what} captions ({len(texts)} different texts in {count} rows), not classes",
            f"{only}; name another column with --label-column.",
        )
