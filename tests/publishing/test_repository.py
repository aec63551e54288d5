"""A repository in a folder: whole or not at all, and nobody's files under it."""

from __future__ import annotations

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.publishing import Repository, write_folder
from hf_crosssight.publishing.repository import files_of


def repository(tmp_path, **files) -> Repository:
    (tmp_path / "source").write_bytes(b"from a file")
    return Repository("model", {"README.md": b"# x", "sub/b.bin": tmp_path / "source", **files}, ("*.safetensors",))


def test_written_and_written_again(tmp_path):
    write_folder(repository(tmp_path, **{"old.safetensors": b"1"}), tmp_path / "out")
    assert files_of(tmp_path / "out").keys() == {"README.md", "sub/b.bin", "old.safetensors"}
    assert (tmp_path / "out/sub/b.bin").read_bytes() == b"from a file"
    write_folder(repository(tmp_path, **{"new.safetensors": b"2"}), tmp_path / "out")
    assert files_of(tmp_path / "out").keys() == {"README.md", "sub/b.bin", "new.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == {"source", "out"}


def test_a_failure_leaves_what_was_there(tmp_path):
    write_folder(repository(tmp_path), tmp_path / "out")
    with pytest.raises(OSError, match="gone"):
        write_folder(repository(tmp_path, **{"README.md": b"# y", "c": tmp_path / "gone"}), tmp_path / "out")
    assert (tmp_path / "out/README.md").read_bytes() == b"# x"
    assert {path.name for path in tmp_path.iterdir()} == {"source", "out"}


@pytest.mark.parametrize("held", ["thesis.txt", "mine.safetensors", "sub/other"])
def test_a_folder_of_other_things_is_left_alone(tmp_path, held):
    place = tmp_path / "out" / held
    place.parent.mkdir(parents=True)
    place.write_text("years of work")
    with pytest.raises(UserError, match=held):
        write_folder(repository(tmp_path), tmp_path / "out")
    assert files_of(tmp_path / "out").keys() == {held}
    with pytest.raises(UserError, match="is a file"):
        write_folder(repository(tmp_path), tmp_path / "source")
