"""From the values of a label column to class codes and class names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .columns import Column

CAPTION_LENGTH = 40  # characters; longer strings that differ in every row are captions


@dataclass(frozen=True)
class Labels:
    """The classes of the rows.

    Attributes:
        codes: int64 `[N]`, index into `names`; -1 where a row has no label (or its label was not read).
        names: class names.
        declared: whether the dataset declares these classes (a `ClassLabel`), so that some may have no row.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    declared: bool = False


def labels_from_values(values: Any, column: Column) -> Labels:
    """Codes and names of a label column's values (a list, an array or an Arrow array; None is no label).

    Raises:
        `UserError`: lists (multi-label), fractions (regression), captions.
    """
    items: list[Any] = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    items = [item.item() if hasattr(item, "item") and getattr(item, "ndim", 0) == 0 else item for item in items]
    known = [item for item in items if item is not None]
    _refuse_values(known, column.name)
    if column.class_names and all(isinstance(item, int) for item in known):
        return Labels(_declared_codes(items, column), column.class_names, declared=True)
    distinct = sorted({_plain(item) for item in known}, key=lambda item: (isinstance(item, str), item))
    code_of = {value: code for code, value in enumerate(distinct)}
    codes = [-1 if item is None else code_of[_plain(item)] for item in items]
    names = tuple(("false", "true")[value] if isinstance(value, bool) else str(value) for value in distinct)
    return Labels(np.asarray(codes, dtype=np.int64), names)


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
    texts = [item for item in known if isinstance(item, str)]
    if len(texts) > 20 and len(set(texts)) == len(texts) and sum(map(len, texts)) > CAPTION_LENGTH * len(texts):
        raise UserError(f"column {name!r} holds captions (a different text in every row), not classes", only)
