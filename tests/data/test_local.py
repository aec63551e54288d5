"""Folders on this machine, through `load_sample`."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError
from tests.data.repositories import class_folders, encoded, image_table, parquet_repository, picture


def same(first, second) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(first.images, second.images, strict=True))


def test_class_folders_are_sampled_by_class_and_seed(tmp_path):
    class_folders(tmp_path, ["cat", "dog", "eel"], 20)
    sample = load_sample(str(tmp_path), images_per_class=4, seed=3)
    assert sample.class_names == ("cat", "dog", "eel")
    assert sample.labels is not None
    assert sample.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert (sample.num_classes, sample.num_rows, sample.split, sample.revision) == (3, 60, "train", None)
    again, other = (load_sample(tmp_path, images_per_class=4, seed=seed) for seed in (3, 4))
    assert same(sample, again)
    assert sample.fingerprint == again.fingerprint != other.fingerprint


def test_a_class_with_one_image_gives_one(tmp_path):
    class_folders(tmp_path, ["cat"], 5)
    class_folders(tmp_path, ["dog"], 1)
    sample = load_sample(tmp_path)
    assert sample.labels is not None
    assert np.bincount(sample.labels).tolist() == [5, 1]


def test_a_folder_that_changes_has_another_fingerprint(tmp_path):
    class_folders(tmp_path, ["cat", "dog"])
    before = load_sample(tmp_path).fingerprint
    picture(99).save(tmp_path / "cat" / "1.png")
    assert load_sample(tmp_path).fingerprint != before


def test_more_classes_than_wanted(tmp_path):
    class_folders(tmp_path, [f"c{number}" for number in range(12)], 1)
    sample = load_sample(tmp_path, max_classes=5)
    assert len(sample.class_names) == 5
    assert sample.num_classes == 12
    assert "5 of 12 classes were sampled" in sample.warnings[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "is empty"),
        ({"notes.md": b"x"}, "holds no images"),
        ({"data.bin": b"x"}, "holds no images"),
        ({"make.py": b"x"}, "made by a loading script"),
        ({"cat/1.png": encoded(picture(0))}, "only one class, 'cat'"),
    ],
)
def test_folders_that_cannot_be_sampled(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_sample(tmp_path)
    assert caught.value.hint


def test_what_is_no_dataset(tmp_path):
    (tmp_path / "photo.png").write_bytes(encoded(picture(0)))
    with pytest.raises(UserError, match="is a file, not a dataset"):
        load_sample(tmp_path / "photo.png")
    with pytest.raises(UserError, match="there is no folder"):
        load_sample(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="no revision"):
        load_sample(tmp_path, revision="main")


def test_a_few_corrupt_images_are_named_and_replaced(tmp_path):
    class_folders(tmp_path, ["cat", "dog"], 30)
    for number in (3, 4):
        (tmp_path / "cat" / f"{number}.png").write_bytes(b"not an image")
    sample = load_sample(tmp_path, images_per_class=29)
    assert sample.labels is not None
    assert np.bincount(sample.labels).tolist() == [28, 29]
    assert "cannot be read and were skipped: cat/3.png" in sample.warnings[0]
    assert "cat/4.png" in sample.warnings[0]


def test_too_many_corrupt_images_are_an_error(tmp_path):
    class_folders(tmp_path, ["cat", "dog"], 10)
    for number in range(4):
        (tmp_path / "cat" / f"{number}.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"images tried cannot be read: cat/\d") as caught:
        load_sample(tmp_path)
    assert "10%" in caught.value.hint


def test_loose_images_are_unlabelled(tmp_path):
    for number in range(50):
        picture(number).save(tmp_path / f"{number}.png")
    sample = load_sample(tmp_path, images_per_class=1)
    assert sample.labels is None
    assert sample.class_names == ()
    assert sample.num_classes is None
    assert len(sample.images) == 20
    assert "unlabelled" in sample.warnings[0]


@pytest.mark.parametrize("kind", ["names", "strings", "bools", "numbers"])
def test_parquet_labels_of_any_kind(tmp_path, kind):
    values = {
        "names": ([0, 1, 0, 1], ["cat", "dog"], ("cat", "dog")),
        "strings": (["dog", "cat", "dog", "cat"], (), ("cat", "dog")),
        "bools": ([True, False, True, False], (), ("false", "true")),
        "numbers": ([7, 3, 7, 3], (), ("3", "7")),
    }
    labels, names, expected = values[kind]
    images = [encoded(picture(number)) for number in range(4)]
    parquet_repository(tmp_path, image_table(images, labels, names))
    sample = load_sample(tmp_path)
    assert sample.class_names == expected
    order = np.argsort(
        [expected.index(names[label] if names else str(label).lower()) for label in labels], kind="stable"
    )
    assert [image.tobytes() for image in sample.images] == [picture(number).tobytes() for number in order]


def test_the_card_of_a_repository_says_what_columns_are(tmp_path):
    images = [encoded(picture(number)) for number in range(4)]
    parquet_repository(tmp_path, image_table(images, [0, 1, 0, 1]))
    (tmp_path / "README.md").write_text(
        "---\npretty_name: Pets\ndataset_info:\n  features:\n  - {name: image, dtype: image}\n"
        "  - {name: label, dtype: {class_label: {names: {'0': cat, '1': dog, '2': ox}}}}\n---\nThey are nice.\n"
    )
    sample = load_sample(tmp_path)
    assert sample.class_names == ("cat", "dog")
    assert sample.num_classes == 3
    assert sample.description == "Pets. They are nice."
    assert sample.warnings == ("no image of 1 of 3 classes was seen: ox",)


def test_corrupt_rows_of_parquet_are_named_by_file_and_row(tmp_path):
    images: list[bytes | None] = [encoded(picture(number)) for number in range(40)]
    images[7], images[8] = b"broken", None
    parquet_repository(tmp_path, image_table(images, [0, 1] * 20), row_group_size=10)
    sample = load_sample(tmp_path, images_per_class=20)
    assert len(sample.images) == 38
    assert "row 7 of data/train-00000-of-00001.parquet" in sample.warnings[0]


def test_a_column_of_addresses_is_refused(tmp_path):
    images = [encoded(picture(number)) for number in range(2)]
    table = image_table(images, [0, 1]).drop_columns(["image"]).append_column("image", [["http://a", "http://b"]])
    parquet_repository(tmp_path, table)
    with pytest.raises(UserError, match="holds paths or addresses"):
        load_sample(tmp_path)


def test_a_truncated_parquet_file_is_told(tmp_path):
    parquet_repository(tmp_path, image_table([encoded(picture(0))], [0]))
    file = tmp_path / "data" / "train-00000-of-00001.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        load_sample(tmp_path)


def test_a_single_parquet_file(tmp_path):
    parquet_repository(tmp_path, image_table([encoded(picture(n)) for n in range(2)], ["a", "b"]), split="test")
    assert load_sample(tmp_path / "data" / "test-00000-of-00001.parquet").split == "test"


def test_saved_datasets(tmp_path):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image

    features = Features({"picture": Image(), "kind": ClassLabel(names=["cat", "dog"])})
    data = {"picture": [picture(number) for number in range(6)], "kind": [0, 1] * 3}
    dataset = Dataset.from_dict(data, features=features)
    dataset.save_to_disk(tmp_path / "one")
    DatasetDict({"test": dataset, "train": dataset.select(range(2))}).save_to_disk(tmp_path / "two")
    one = load_sample(tmp_path / "one")
    assert one.class_names == ("cat", "dog")
    assert one.images[0].tobytes() == picture(0).tobytes()
    assert load_sample(tmp_path / "two").num_rows == 2
    assert load_sample(tmp_path / "two", split="test").num_rows == 6
    with pytest.raises(UserError, match="no split 'dev'"):
        load_sample(tmp_path / "two", split="dev")
    (tmp_path / "one" / "state.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read as a saved dataset"):
        load_sample(tmp_path / "one")


def test_images_with_a_metadata_file_are_streamed(tmp_path):
    lines = ["file_name,label"]
    for number in range(8):
        picture(number).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{'odd' if number % 2 else 'even'}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines))
    sample = load_sample(tmp_path, images_per_class=3)
    assert sample.class_names == ("even", "odd")
    assert len(sample.images) == 6


def test_a_dataset_of_text_is_refused(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\nhello,1\nworld,0\n")
    with pytest.raises(UserError, match="no image column; it looks like a dataset of text"):
        load_sample(tmp_path)


def test_a_folder_of_repositories_is_not_one_dataset(tmp_path):
    for name in ("digits", "pets"):
        images = [encoded(picture(number)) for number in range(4)]
        parquet_repository(tmp_path / "zoo" / name, image_table(images, [0, 1, 0, 1], ["a", "b"]))
        (tmp_path / "zoo" / name / "README.md").write_text("# Pictures\n")
    for folder in (tmp_path, tmp_path / "zoo"):
        with pytest.raises(UserError, match="holds 2 datasets, not one") as caught:
            load_sample(folder)
        assert str(tmp_path / "zoo" / "digits") in caught.value.hint
        assert str(tmp_path / "zoo" / "pets") in caught.value.hint
    assert load_sample(tmp_path / "zoo" / "pets").num_rows == 4
    (tmp_path / "zoo" / "README.md").write_text("---\nconfigs:\n- {config_name: pets, data_dir: pets}\n---\n")
    assert load_sample(tmp_path / "zoo").num_rows == 4


def test_one_image_in_no_class_folder(tmp_path):
    class_folders(tmp_path, ["cat", "dog"])
    picture(0).save(tmp_path / "loose.png")
    assert load_sample(tmp_path).warnings == ("1 image lies in no class folder and was left out",)


def test_what_is_wrong_with_an_image_reads_the_same_each_run(tmp_path):
    class_folders(tmp_path, ["cat", "dog"], 5)
    (tmp_path / "cat" / "3.png").write_bytes(b"not an image")
    assert load_sample(tmp_path).warnings == (
        "1 of the 10 images tried cannot be read and was skipped: cat/3.png (cannot identify image file)",
    )
