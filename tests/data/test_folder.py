from __future__ import annotations

import pytest

from hf_crosssight.data.folder import find_images, list_files
from hf_crosssight.errors import UserError
from tests.data.repositories import class_folders


def found(paths, split=None, folders=()):
    images = find_images(sorted(paths), folders, split, "it")
    assert images is not None
    return images


def test_class_folders():
    images = found(["cat/1.png", "cat/2.JPG", "dog/x/3.webp", "notes.txt"])
    assert images.split == "train"
    assert images.classes == ("cat", "cat", "dog")


def test_split_folders_and_what_lies_around_them():
    paths = ["set/train/a/1.png", "set/train/b/1.png", "set/test/a/1.png", "set/val/b/1.png"]
    assert found(paths).paths == ("set/train/a/1.png", "set/train/b/1.png")
    assert found(paths, "test").paths == ("set/test/a/1.png",)
    assert found(paths, "validation").classes == ("b",)
    with pytest.raises(UserError, match="no split 'dev'"):
        found(paths, "dev")


def test_classes_called_like_splits_only_in_part_are_classes():
    assert found(["test/1.png", "cat/1.png"]).classes == ("cat", "test")


def test_one_class_folder_is_one_class_and_loose_images_are_none():
    assert found(["cat/1.png", "cat/2.png"]).classes == ("cat", "cat")
    assert found(["1.png", "2.png"]).classes == ("", "")
    assert found(["all/cat/1.png", "all/cat/2.png"]).classes == ("cat", "cat")


def test_class_folders_without_an_image_are_named():
    images = found(
        ["train/a/1.png", "test/b/1.png"], folders=["train", "train/a", "train/c", "test", "test/b", "test/d"]
    )
    assert images.empty_classes == ("c",)


def test_no_images_is_none():
    assert find_images(["a/notes.txt"], ["a"], None, "it") is None


def test_hidden_files_are_left_out_and_links_are_followed_once(tmp_path):
    class_folders(tmp_path / "real", ["a"], 1)
    (tmp_path / "real" / ".hidden").mkdir()
    (tmp_path / "real" / "._0.png").write_bytes(b"")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real")
    assert list_files(tmp_path / "real") == (["a/0.png"], ["a", "loop"])
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a").symlink_to(tmp_path / "real" / "a")
    assert list_files(tmp_path / "links")[0] == ["a/0.png"]
