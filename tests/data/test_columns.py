from __future__ import annotations

import pyarrow as pa
import pytest

from hf_crosssight.data.columns import (
    Column,
    columns_of_card,
    columns_of_features,
    columns_of_schema,
    pick_columns,
)
from hf_crosssight.errors import UserError

IMAGE = Column("image", "image")


def test_features_of_json_say_what_columns_are():
    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
        "score": {"_type": "Value", "dtype": "float32"},
        "tags": {"_type": "List", "feature": {"_type": "Value", "dtype": "int64"}},
        "objects": {"_type": "Sequence", "feature": {"bbox": {"_type": "Value", "dtype": "float32"}}},
        "boxes": {"bbox": {"_type": "Value", "dtype": "float32"}},
    }
    columns = columns_of_features(features)
    assert [column.kind for column in columns] == ["image", "class", "float", "list", "objects", "objects"]
    assert columns[1].class_names == ("cat", "dog")


def test_features_of_a_card_say_the_same():
    entries = [
        {"name": "image", "dtype": "image"},
        {"name": "label", "dtype": {"class_label": {"names": {"1": "dog", "0": "cat", "10": "eel", "2": "ox"}}}},
        {"name": "score", "dtype": "float64"},
        {"name": "tags", "sequence": "int64"},
        {"name": "objects", "list": [{"name": "bbox", "sequence": "float32"}]},
    ]
    columns = columns_of_card(entries)
    assert [column.kind for column in columns] == ["image", "class", "float", "list", "objects"]
    assert columns[1].class_names == ("cat", "dog", "ox", "eel")


def test_arrow_types_say_what_columns_are():
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("raw", pa.large_binary()),
            ("label", pa.dictionary(pa.int8(), pa.string())),
            ("many", pa.list_(pa.int64())),
            ("yes", pa.bool_()),
            ("size", pa.uint16()),
        ]
    )
    assert [c.kind for c in columns_of_schema(schema)] == ["image", "binary", "string", "list", "bool", "int"]


def test_the_only_class_label_is_the_label_whatever_its_name():
    picked = pick_columns([IMAGE, Column("label", "int"), Column("kind", "class", ("a", "b"))], None, None)
    assert picked.label is not None
    assert picked.label.name == "kind"


def test_among_several_class_labels_the_one_called_label_is_taken():
    picked = pick_columns([IMAGE, Column("label", "class", ("a",)), Column("super", "class", ("b",))], None, None)
    assert picked.label is not None
    assert picked.label.name == "label"


def test_ambiguous_labels_are_named():
    columns = [IMAGE, Column("fine_label", "class", ("a",)), Column("coarse_label", "class", ("b",))]
    with pytest.raises(UserError, match="'fine_label', 'coarse_label'"):
        pick_columns(columns, None, None)
    assert pick_columns(columns, None, "coarse_label").label == columns[2]


def test_ambiguous_images_are_named_and_masks_are_not_meant():
    with pytest.raises(UserError, match="'left', 'right'"):
        pick_columns([Column("left", "image"), Column("right", "image")], None, None)
    picked = pick_columns([Column("photo", "image"), Column("mask", "image"), Column("label", "int")], None, None)
    assert picked.image.name == "photo"


def test_a_misspelt_column_names_those_there_are_and_the_nearest():
    with pytest.raises(UserError) as caught:
        pick_columns([IMAGE, Column("category", "string")], None, "catgory")
    assert caught.value.what == "there is no label column 'catgory'"
    assert "'image', 'category'" in caught.value.hint
    assert "Did you mean 'category'?" in caught.value.hint


@pytest.mark.parametrize(
    ("column", "task"),
    [
        (Column("labels", "list"), "multi-label"),
        (Column("label", "float"), "regression"),
        (Column("objects", "objects"), "object-detection"),
        (Column("bbox", "list"), "object-detection"),
        (Column("mask", "image"), "segmentation"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_other_tasks_are_refused_by_name(column, task, named):
    with pytest.raises(UserError, match=task):
        pick_columns([IMAGE, column], "image", column.name if named else None)


def test_a_dataset_of_text_is_refused():
    with pytest.raises(UserError, match="no image column; it looks like a dataset of text"):
        pick_columns([Column("text", "string"), Column("label", "class", ("a", "b"))], None, None)


def test_a_column_that_holds_no_images_is_refused():
    with pytest.raises(UserError, match="'label' holds no images"):
        pick_columns([IMAGE, Column("label", "int")], "label", None)


def test_without_a_label_column_the_images_are_unlabelled_and_that_is_said():
    picked = pick_columns([IMAGE, Column("caption", "string")], None, None)
    assert picked.label is None
    assert "'caption'" in picked.warnings[0]
    assert pick_columns([IMAGE], None, None).warnings == ()
