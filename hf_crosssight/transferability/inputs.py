"""What every transferability method is given, checked in one place: shapes, finiteness, classes, probabilities.

A method receives `Inputs` whose arrays can be trusted. By default they are float64 and the classes are renumbered
0..C-1 without gaps. In parity mode the caller's precision and numbering stay as they are, since public
implementations depend on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_crosssight.errors import UserError

Array = NDArray[Any]
_ABSENT: Array = np.empty(0)


def _absent() -> Array:
    return _ABSENT


# Squares and products of features must stay finite in float64.
_LARGEST = 1e100
# Those of smaller ones must not vanish.
_SMALLEST = 1e-100
# Rows of float16 probabilities over 1,000 classes miss 1 by up to half a percent.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Inputs:
    """The checked inputs of one method; what it does not read stays empty.

    `features` [N, D], `labels` [N] in 0..num_classes-1, `source_probs` [N, Cs], `source_features` [Ns, D],
    `source_labels` [Ns], `label_embeddings` [C, E, K], `targets` [N, T] for regression (LogME only). `features` and
    `source_features` are float64 copies that a method may write into, unless it asked for `single` precision.

    `source_probs` keep the caller's float32 or float64 and sum to one within the tolerance; `probabilities` is what
    most methods want: float64 with rows that sum to one.
    """

    method: str
    labels: Array = field(default_factory=_absent)
    num_classes: int = 0
    features: Array = field(default_factory=_absent)
    source_probs: Array = field(default_factory=_absent)
    source_features: Array = field(default_factory=_absent)
    source_labels: Array = field(default_factory=_absent)
    label_embeddings: Array = field(default_factory=_absent)
    targets: Array = field(default_factory=_absent)
    seed: int = 0

    def without_gaps(self) -> Inputs:
        """The same with the classes that occur renumbered 0..C-1 (parity mode keeps the caller's numbers)."""
        distinct, dense = np.unique(self.labels, return_inverse=True)
        return replace(self, labels=dense, num_classes=len(distinct))

    @property
    def probabilities(self) -> Array:
        """`source_probs` in float64, every row divided by its sum."""
        sums = self.source_probs.sum(axis=1, dtype=np.float64, keepdims=True)
        return np.divide(self.source_probs, sums, dtype=np.float64)


def check_inputs(
    method: str,
    labels: Any,
    given: Mapping[str, Any],
    *,
    seed: int = 0,
    parity: bool = False,
    needs_repeats: bool = False,
    single: bool = False,
) -> Inputs:
    """`Inputs` of `method` from what the caller gave; `given` has one key for every input that the method needs.

    `single` leaves float32 features as they are; they are then the caller's own array.

    Raises `UserError` naming the method and the reason.
    """
    arrays = {name: _array(method, name, value) for name, value in given.items()}
    targets = _targets(_array(method, "labels", labels)) if method == "logme" else _ABSENT
    if targets.size:
        return _regression(method, arrays, targets, seed, parity)
    classes, num_classes = _classes(method, "labels", labels, parity)
    if needs_repeats and np.bincount(classes).max() < 2:
        raise UserError(f"{method}: no class has two images", "give at least two images of some classes")
    count = len(classes)
    checked: dict[str, Array] = {}
    for name in arrays:
        if name in ("features", "source_features"):
            checked[name] = _features(
                method, name, arrays[name], None if name == "source_features" else count, parity, single
            )
        elif name == "source_probs":
            checked[name] = _probabilities(method, arrays[name], count)
        elif name == "label_embeddings":
            checked[name] = _embeddings(method, arrays[name], np.asarray(labels), num_classes, parity)
        elif name == "source_labels":
            checked[name] = _classes(method, name, arrays[name], parity, fewest=1)[0]
    _check_source(method, checked)
    return Inputs(method=method, labels=classes, num_classes=num_classes, seed=seed, **checked)


def _array(method: str, name: str, value: Any) -> Array:
    if value is None:
        raise UserError(f"{method} needs {name}", f"pass {name}=...")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise UserError(f"{method}: {name} must be numbers, not {array.dtype}", "pass a numeric array")
    if array.size == 0:
        raise UserError(f"{method}: {name} is empty", "the model gave no output, or the dataset has no images")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    # The extremes of an array with a NaN are NaN: two passes without a temporary.
    if array.dtype.kind == "f" and not (np.isfinite(array.max()) and np.isfinite(array.min())):
        bad = int((~np.isfinite(array)).sum())
        raise UserError(
            f"{method}: {name} has {bad} NaN or infinite values", "leave this model out, or run it in float32"
        )
    return array


def _classes(method: str, name: str, value: Any, parity: bool, fewest: int = 2) -> tuple[Array, int]:
    """`[N]` class numbers and how many classes there are: distinct ones, or the largest + 1 in parity mode."""
    array = _array(method, name, value)
    if array.ndim != 1:
        raise UserError(f"{method}: {name} must have one dimension, not shape {array.shape}", "pass class numbers")
    if array.dtype.kind == "f" and (array != np.round(array)).any():
        raise UserError(
            f"{method}: {name} must be class numbers, not fractions", "only logme takes regression targets"
        )
    whole = array.astype(np.int64)
    distinct, dense = np.unique(whole, return_inverse=True)
    if len(distinct) < fewest:
        raise UserError(f"{method}: {name} has one class only", "give images of at least two classes")
    if parity and distinct[0] >= 0:
        return whole, int(distinct[-1]) + 1
    return dense.astype(np.int64), len(distinct)


def _features(method: str, name: str, array: Array, count: int | None, parity: bool, single: bool) -> Array:
    _check_shape(method, name, array, count)
    # No float32 reaches the limit.
    largest = max(float(array.max()), -float(array.min())) if array.dtype.itemsize > 4 else 1.0
    if largest > _LARGEST:
        raise UserError(f"{method}: {name} exceed {_LARGEST:g}", "rescale them")
    if not parity and 0 < largest < _SMALLEST:
        raise UserError(f"{method}: {name} are all below {_SMALLEST:g}", "rescale them")
    if not parity and _rows_are_equal(array):
        raise UserError(f"{method}: {name} are the same for every image", "leave this model out")
    return array if single and array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _check_shape(method: str, name: str, array: Array, count: int | None) -> None:
    if array.ndim != 2:
        raise UserError(
            f"{method}: {name} must be [images, dimensions], not shape {array.shape}", "pool to one vector an image"
        )
    if count is not None and len(array) != count:
        raise UserError(f"{method}: {len(array)} rows of {name} for {count} labels", "give one row for each label")


def _rows_are_equal(array: Array) -> bool:
    """Whether all rows are the same; two of them nearly always settle it."""
    return bool((array[-1] == array[0]).all() and (array == array[0]).all())


def _probabilities(method: str, array: Array, count: int) -> Array:
    _check_shape(method, "source_probs", array, count)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.min() < 0:
        raise UserError(f"{method}: source_probs has negative values", "pass the softmax, not the logits")
    worst = float(np.abs(array @ np.ones(array.shape[1], dtype=array.dtype) - 1).max())
    if worst > _SUM_TOLERANCE:
        raise UserError(
            f"{method}: rows of source_probs must sum to 1; one is off by {worst:.3g}",
            "pass the softmax, not the logits",
        )
    return array


def _embeddings(method: str, array: Array, labels: Array, num_classes: int, parity: bool) -> Array:
    """`[C, E, K]` in float64, one row for each class that occurs (or each number up to the largest label)."""
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise UserError(
            f"{method}: label_embeddings must be [classes, size] or [classes, size, kinds], not {array.shape}",
            "give one embedding for each class",
        )
    if len(array) != num_classes and not parity:
        highest = int(labels.max())
        if labels.min() >= 0 and highest < len(array):
            array = array[np.unique(labels.astype(np.int64))]
    if len(array) < num_classes or (len(array) > num_classes and not parity):
        raise UserError(
            f"{method}: {len(array)} label_embeddings for {num_classes} classes", "give one for each class, by label"
        )
    return array.astype(np.float64)


def _targets(labels: Array) -> Array:
    """`[N, T]` float64 regression targets, or empty where the labels are class numbers."""
    if labels.ndim == 2:
        return labels.astype(np.float64)
    if labels.ndim == 1 and labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        return labels.astype(np.float64)[:, None]
    return _ABSENT


def _regression(method: str, arrays: dict[str, Array], targets: Array, seed: int, parity: bool) -> Inputs:
    if (targets == targets[:1]).all(axis=0).any():
        raise UserError(f"{method}: a regression target is the same for every image", "drop it")
    features = _features(method, "features", arrays["features"], len(targets), parity, parity)
    return Inputs(method=method, features=features, targets=targets, seed=seed)


def _check_source(method: str, checked: dict[str, Array]) -> None:
    if "source_features" not in checked:
        return
    source, target = checked["source_features"], checked["features"]
    if source.shape[1] != target.shape[1]:
        raise UserError(
            f"{method}: source_features have {source.shape[1]} dimensions, features {target.shape[1]}",
            "take both from the same model",
        )
    if len(source) != len(checked["source_labels"]):
        raise UserError(
            f"{method}: {len(source)} source_features for {len(checked['source_labels'])} source_labels",
            "give one label for each row",
        )
