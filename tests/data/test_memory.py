"""Datasets that the caller holds, through `load_sample`."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, IterableDatasetDict, List, Value

from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError
from tests.data.repositories import encoded, picture


def dataset(labels, feature=None, count=None) -> Dataset:
    features = Features({"image": Image(), "label": feature or ClassLabel(names=["cat", "dog"])})
    images = [{"bytes": encoded(picture(number)), "path": None} for number in range(len(labels))]
    return Dataset.from_dict({"image": images, "label": labels}, features=features)


def test_a_dataset_in_memory():
    sample = load_sample(dataset([0, 1] * 10), images_per_class=3)
    assert (sample.id, sample.split, sample.num_rows) == ("in-memory", "train", 20)
    assert sample.class_names == ("cat", "dog")
    assert sample.labels is not None
    assert sample.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_selection_and_a_format_are_seen_through():
    chosen = dataset([0, 1] * 10).select([4, 5, 6, 7]).with_format("numpy")
    sample = load_sample(chosen)
    assert {image.tobytes() for image in sample.images} == {picture(number).tobytes() for number in (4, 5, 6, 7)}


def test_splits_of_a_dataset_dict():
    both = DatasetDict({"test": dataset([0, 1]), "train": dataset([0, 1] * 2)})
    assert load_sample(both).num_rows == 4
    assert load_sample(both, split="test").num_rows == 2
    with pytest.raises(UserError, match="no split 'tset'"):
        load_sample(both, split="tset")


@pytest.mark.parametrize(
    ("feature", "labels", "task"),
    [
        (Value("float32"), [0.1, 0.2], "regression"),
        (List(Value("int64")), [[0], [1, 2]], "multi-label"),
        ({"bbox": List(Value("float32"))}, [{"bbox": [1.0]}] * 2, "object-detection"),
    ],
)
def test_other_tasks_are_refused(feature, labels, task):
    named = None if task != "object-detection" else "label"
    with pytest.raises(UserError, match=task):
        load_sample(dataset(labels, feature), label_column=named)


def test_a_misspelt_column():
    with pytest.raises(UserError, match="no label column 'lable'") as caught:
        load_sample(dataset([0, 1]), label_column="lable")
    assert "'image', 'label'" in caught.value.hint


def test_one_class_only():
    with pytest.raises(UserError, match="only one class, 'dog'"):
        load_sample(dataset([1, 1, 1]))


def test_an_empty_dataset():
    with pytest.raises(UserError, match="has no rows"):
        load_sample(dataset([0, 1]).select([]))


def test_plain_lists_of_images_and_labels():
    images = [picture(0), np.asarray(picture(1)), encoded(picture(2)), picture(3)]
    sample = load_sample({"images": images, "labels": ["b", "a", "b", "a"]})
    assert sample.class_names == ("a", "b")
    assert [image.tobytes() for image in sample.images] == [picture(n).tobytes() for n in (1, 3, 0, 2)]
    again = load_sample({"images": images, "labels": np.asarray(["b", "a", "b", "a"])})
    changed = load_sample({"images": [picture(9), *images[1:]], "labels": ["b", "a", "b", "a"]})
    assert again.fingerprint == sample.fingerprint != changed.fingerprint


def test_tensors():
    torch = pytest.importorskip("torch")
    images = torch.randint(0, 256, (6, 3, 5, 4), dtype=torch.uint8)
    sample = load_sample({"images": images, "labels": torch.tensor([0, 1, 0, 1, 0, 1])})
    assert sample.images[0].size == (4, 5)
    assert np.array_equal(np.asarray(sample.images[0]), images[0].permute(1, 2, 0).numpy())


def test_images_without_labels():
    sample = load_sample({"images": [picture(number) for number in range(5)]})
    assert sample.labels is None
    assert len(sample.images) == 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"images": [1, 2], "labels": [0]}, "2 images and 1 labels"),
        ({"pictures": []}, "no 'images' among 'pictures'"),
        ({"images": [picture(0)] * 2, "labels": [[0, 1], [1, 1]]}, "multi-label"),
        ({"images": [picture(0)] * 2, "labels": np.eye(2)}, "multi-label"),
        ({"images": [picture(0)] * 2, "labels": [0.5, 0.25]}, "regression"),
        ({"images": [picture(0)] * 2, "labels": [1, 1]}, "only one class"),
        ({"images": [], "labels": []}, "no rows"),
        ({"images": ["/no/such/file.png"] * 4, "labels": [0, 1, 0, 1]}, "cannot be read"),
        ([picture(0)], "an object of type list"),
        (None, "an object of type NoneType"),
    ],
)
def test_what_is_refused(data, message):
    with pytest.raises(UserError, match=message):
        load_sample(data)


def test_streams_give_the_same_for_the_same_seed():
    stream = dataset([0, 1] * 30).to_iterable_dataset(num_shards=2)
    first, again = (load_sample(stream, images_per_class=4) for _ in range(2))
    assert first.class_names == ("cat", "dog")
    assert first.labels is not None
    assert first.labels.tolist() == [0] * 4 + [1] * 4
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != load_sample(stream, images_per_class=4, seed=1).fingerprint
    assert load_sample(IterableDatasetDict({"train": stream}), images_per_class=4).fingerprint == first.fingerprint


def test_a_stream_says_which_classes_it_did_not_see(monkeypatch):
    monkeypatch.setattr("hf_crosssight.data.stream.SHUFFLE_BUFFER", 4)
    labels = [0] * 50 + [1] * 50 + [2] * 400
    many = dataset(labels, ClassLabel(names=["cat", "dog", "eel", "owl"]))
    stream = many.to_iterable_dataset()
    sample = load_sample(stream, images_per_class=1)
    assert sample.num_classes == 4
    assert set(sample.class_names) < {"cat", "dog", "eel", "owl"}
    unseen = sorted({"cat", "dog", "eel", "owl"} - set(sample.class_names))
    assert f"no image of {len(unseen)} of 4 classes was seen: {', '.join(unseen)}" in sample.warnings
    assert any("read as a stream" in warning for warning in sample.warnings)


def test_a_stream_without_features():
    from datasets import IterableDataset

    def rows():
        for number in range(12):
            yield {"image": picture(number), "label": "odd" if number % 2 else "even"}

    sample = load_sample(IterableDataset.from_generator(rows), images_per_class=2)
    assert sample.class_names == ("even", "odd")
    assert len(sample.images) == 4


def test_a_stream_of_more_classes_than_wanted():
    stream = dataset([f"c{number % 9}" for number in range(45)], Value("string")).to_iterable_dataset()
    sample = load_sample(stream, images_per_class=1, max_classes=4)
    assert len(sample.class_names) == 4
    assert len(sample.images) == 4


def test_a_stream_of_one_class():
    with pytest.raises(UserError, match="only one class, 'cat'"):
        load_sample(dataset([0] * 5).to_iterable_dataset())


@pytest.mark.parametrize("streamed", [False, True])
def test_rows_without_a_label_are_told(streamed):
    labelled = dataset(["a", None, "b", None, "a", None], Value("string"))
    sample = load_sample(labelled.to_iterable_dataset() if streamed else labelled)
    assert len(sample.images) == 3
    assert "3 rows have no label and were left out" in sample.warnings
    assert load_sample(dataset(["a", None, "b"], Value("string"))).warnings == ("1 row has no label and was left out",)


@pytest.mark.parametrize("streamed", [False, True])
def test_numbers_that_never_repeat_are_a_regression(streamed):
    ages = dataset([17 * number for number in range(24)], Value("int64"))
    with pytest.raises(UserError, match="regression dataset"):
        load_sample(ages.to_iterable_dataset() if streamed else ages)


def test_a_stream_of_many_numbered_classes_is_one_of_classes():
    """One image of each of 30 classes is taken, which says nothing of how often the classes repeat."""
    stream = dataset([number % 30 for number in range(90)], Value("int64")).to_iterable_dataset()
    assert len(load_sample(stream, images_per_class=1, max_classes=30).class_names) == 30
