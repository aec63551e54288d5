"""What the columns of a dataset are, and which two of them hold the images and their classes.

A column's kind comes from the features that `datasets` declares (in a card, in a Parquet footer, in memory), or from
its Arrow type. Tasks other than single-label classification are recognised by their columns and refused by name.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError

IMAGE_NAMES = ("image", "img", "images", "picture", "photo", "pixel_values", "jpg", "jpeg", "png", "webp", "bytes")
LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "classes",
    "class_label",
    "target",
    "targets",
    "category",
    "cls",
    "class_name",
    "class_id",
    "category_name",
    "label_name",
    "species",
    "breed",
    "y",
)
_DETECTION_NAMES = ("objects", "bbox", "bboxes", "boxes", "bounding_boxes", "annotations")
_MASK_NAMES = ("mask", "masks", "segmentation", "segmentation_mask", "annotation", "semantic_mask")
_CLASS_KINDS = ("class", "int", "bool", "string")


@dataclass(frozen=True)
class Column:
    """A column of a dataset.

    Attributes:
        name: its name.
        kind: image, class (a `ClassLabel`), int, bool, string, float, binary, list, objects or other.
        class_names: the names of a `ClassLabel`.
    """

    name: str
    kind: str
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ImageColumns:
    """The columns to read: the images, and their classes if they have any."""

    image: Column
    label: Column | None
    warnings: tuple[str, ...] = ()


def columns_of_features(features: dict[str, Any]) -> list[Column]:
    """Columns from features as JSON: `{"label": {"_type": "ClassLabel", "names": [...]}, ...}`."""
    return [_column_of_feature(name, feature) for name, feature in features.items()]


def _column_of_feature(name: str, feature: Any) -> Column:
    if not isinstance(feature, dict):
        return Column(name, "list" if isinstance(feature, list) else "other")
    kind = feature.get("_type")
    if kind == "ClassLabel":
        return Column(name, "class", tuple(map(str, feature.get("names") or ())))
    if kind == "Image":
        return Column(name, "image")
    if kind == "Value":
        return Column(name, kind_of_dtype(str(feature.get("dtype"))))
    if kind in ("Sequence", "List", "LargeList"):
        return Column(name, "objects" if "_type" not in (feature.get("feature") or {}) else "list")
    return Column(name, "other" if isinstance(kind, str) else "objects")


def columns_of_card(features: Sequence[Any]) -> list[Column]:
    """Columns from a card's `dataset_info.features`: `[{"name": ..., "dtype": ...}, ...]`."""
    return [_column_of_entry(entry) for entry in features if isinstance(entry, dict) and "name" in entry]


def _column_of_entry(entry: dict[str, Any]) -> Column:
    name, dtype = str(entry["name"]), entry.get("dtype")
    if isinstance(dtype, dict) and "class_label" in dtype:
        names = (dtype["class_label"] or {}).get("names") or {}
        if isinstance(names, dict):
            names = [names[key] for key in sorted(names, key=int)]
        return Column(name, "class", tuple(map(str, names)))
    if dtype == "image":
        return Column(name, "image")
    if isinstance(dtype, str):
        return Column(name, kind_of_dtype(dtype))
    inner = entry.get("sequence", entry.get("list"))
    if inner is not None:
        return Column(name, "list" if isinstance(inner, str) else "objects")
    return Column(name, "objects" if "struct" in entry else "other")


def columns_of_schema(schema: Any) -> list[Column]:
    """Columns from a `pyarrow.Schema` that declares no features."""
    import pyarrow as pa

    columns = []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_struct(kind):
            has_bytes = any(child.name == "bytes" and pa.types.is_binary(child.type) for child in kind)
            columns.append(Column(field.name, "image" if has_bytes else "objects"))
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            columns.append(Column(field.name, "objects" if pa.types.is_struct(kind.value_type) else "list"))
        else:
            columns.append(Column(field.name, kind_of_dtype(str(kind))))
    return columns


def kind_of_dtype(dtype: str) -> str:
    """The kind of a plain Arrow type by its name."""
    if dtype.startswith(("int", "uint")):
        return "int"
    if dtype.startswith(("float", "double", "half", "decimal")):
        return "float"
    for kind in ("bool", "string", "binary"):
        if dtype.removeprefix("large_").startswith(kind):
            return kind
    return "other"


def pick_columns(columns: Sequence[Column], image_column: str | None, label_column: str | None) -> ImageColumns:
    """The image column and the label column, as named or else inferred where that is unambiguous.

    Raises:
        `UserError`: a name that is not there, no image column, several that could be meant, or another task's labels.
    """
    image = _image_column(columns, image_column)
    rest = [column for column in columns if column.name != image.name]
    if label_column is not None:
        label = _named(columns, label_column, "label")
        if label.name == image.name:
            raise UserError(f"column {label.name!r} is named for both images and labels", _there_are(columns))
        _refuse_other_tasks([label], label)
        return ImageColumns(image, label)
    found = _label_column(rest)
    if found is None:
        _refuse_other_tasks(rest, None)
        note = f"no label column among {_names(rest)}: the images are taken as unlabelled" if rest else ""
        return ImageColumns(image, None, (note,) if note else ())
    return ImageColumns(image, found)


def _image_column(columns: Sequence[Column], wanted: str | None) -> Column:
    if wanted is not None:
        column = _named(columns, wanted, "image")
        if column.kind not in ("image", "binary"):
            raise UserError(f"column {wanted!r} holds no images (it is of kind {column.kind})", _there_are(columns))
        return column
    images = [column for column in columns if column.kind == "image"]
    images = images or [column for column in columns if column.kind == "binary" and column.name in IMAGE_NAMES]
    if not images:
        texts = [column for column in columns if column.kind == "string"]
        what = "the dataset has no image column"
        raise UserError(f"{what}; it looks like a dataset of text" if texts else what, _there_are(columns))
    plausible = [column for column in images if column.name.lower() not in _MASK_NAMES] or images
    best = [column for column in plausible if column.name.lower() in IMAGE_NAMES[:3]]
    chosen = plausible if len(plausible) == 1 else best
    if len(chosen) != 1:
        raise UserError(f"several columns hold images: {_names(images)}", "Name one with --image-column.")
    return chosen[0]


def _label_column(columns: Sequence[Column]) -> Column | None:
    """The only `ClassLabel`, else the only column that is called like a label and can hold classes."""
    declared = [column for column in columns if column.kind == "class"]
    if len(declared) == 1:
        return declared[0]
    candidates = declared or [
        column for column in columns if column.kind in _CLASS_KINDS and column.name.lower() in LABEL_NAMES
    ]
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    exact = [column for column in candidates if column.name.lower() in ("label", "labels")]
    if len(exact) == 1:
        return exact[0]
    raise UserError(f"several columns could hold the labels: {_names(candidates)}", "Name one with --label-column.")


def _refuse_other_tasks(columns: Sequence[Column], chosen: Column | None) -> None:
    """Raises for labels of detection, multi-label, regression and segmentation datasets."""
    only = "Only datasets with one class an image can be ranked for; name another column with --label-column."
    for column in columns:
        name, called_label = column.name.lower(), column is chosen or column.name.lower() in LABEL_NAMES
        if column.kind == "objects" or (name in _DETECTION_NAMES and column.kind in ("list", "other")):
            if column is chosen or name in _DETECTION_NAMES:
                raise UserError(f"this is an object-detection dataset (column {column.name!r} holds boxes)", only)
        elif column.kind == "list" and called_label:
            raise UserError(f"this is a multi-label dataset (column {column.name!r} holds lists)", only)
        elif column.kind == "float" and called_label:
            raise UserError(f"this is a regression dataset (column {column.name!r} holds numbers)", only)
        elif column.kind == "image" and (column is chosen or name in _MASK_NAMES):
            raise UserError(f"this is a segmentation dataset (column {column.name!r} holds masks)", only)
        elif column is chosen and column.kind not in _CLASS_KINDS:
            raise UserError(f"column {column.name!r} cannot hold classes (it is of kind {column.kind})", only)


def _named(columns: Sequence[Column], name: str, role: str) -> Column:
    for column in columns:
        if column.name == name:
            return column
    near = difflib.get_close_matches(name, [column.name for column in columns], n=1, cutoff=0.5)
    suggestion = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(f"there is no {role} column {name!r}", f"{_there_are(columns)}{suggestion}")


def _there_are(columns: Sequence[Column]) -> str:
    return f"The columns are {_names(columns)}."


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(repr(column.name) for column in columns) or "none"
