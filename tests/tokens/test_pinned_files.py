"""Files that are loaded only if they are the bytes that were checked, and writing without half-written files."""

from __future__ import annotations

import hashlib
import os

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hub.places import atomic_file
from hf_crosssight.tokens import pinned_files
from hf_crosssight.tokens.pinned_files import verified_path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "hf"))


@pytest.fixture
def pinned(tmp_path):
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    return file, hashlib.sha256(b"weights").hexdigest()


def test_a_verdict_is_remembered_until_the_file_changes(pinned, monkeypatch):
    file, sha = pinned
    assert verified_path(file, sha, "some-package") == file
    hashed = []
    monkeypatch.setattr(pinned_files, "sha256_of", lambda path: hashed.append(path) or "other")
    assert verified_path(file, sha, "some-package") == file
    assert not hashed
    os.utime(file, ns=(1, 1))
    with pytest.raises(UserError, match="not the one that was checked"):
        verified_path(file, sha, "some-package")
    assert hashed == [file]


def test_a_wrong_verdict_is_not_remembered(pinned):
    file, _ = pinned
    for _ in range(2):
        with pytest.raises(UserError, match="not the one that was checked"):
            verified_path(file, "0" * 64, "some-package")


def test_a_missing_file_names_the_package(tmp_path):
    with pytest.raises(UserError, match=r"some-package lacks its file gone\.bin") as caught:
        verified_path(tmp_path / "gone.bin", "0" * 64, "some-package")
    assert "pip install" in caught.value.hint


def test_a_cache_that_is_no_folder_only_costs_time(pinned, tmp_path):
    (tmp_path / "hf").write_text("a file where the cache should be")
    assert verified_path(pinned[0], pinned[1], "some-package") == pinned[0]


def write_half(target):
    with atomic_file(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_atomic_file_keeps_the_old_content_on_failure(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    with atomic_file(target) as temporary:
        temporary.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(target)
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]
