"""Uploading with the real client: one commit, none where nothing changes, nothing of others lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.publishing import Repository, publish
from hf_crosssight.publishing.upload import compare
from tests.hub import LoopbackHub

CARD = b"---\nlicense: mit\n---\n# x\n"
OWN = ("*.safetensors", "data/*.parquet")


@pytest.fixture
def hub(hub_factory, tmp_path: Path) -> LoopbackHub:
    for kind in ("models", "datasets", "spaces"):
        (tmp_path / "empty" / kind).mkdir(parents=True)
    return hub_factory(root=tmp_path / "empty", tokens={"good": "anna", "other": "bert"}, writable=True)


def commits(hub: LoopbackHub) -> int:
    return sum("/commit/" in request.path and request.status == 200 for request in hub.requests)


def held(hub: LoopbackHub, kind: str, repo_id: str) -> dict[str, bytes]:
    folder = hub.folder.root / kind / repo_id
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def model(**files: bytes | Path) -> Repository:
    return Repository(
        "model", {"README.md": CARD} | {name.replace("__", "."): one for name, one in files.items()}, OWN
    )


def send(repository: Repository, **given: object):
    return publish(repository, "anna/new", message="m", token="good", **given)


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_small_and_large_files_arrive_in_one_commit_and_a_second_time_nothing_does(hub, tmp_path, kind):
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(11 << 20))  # above the size from which git would use LFS
    files = {"README.md": CARD, "sub/weights.safetensors": b"w" * 100, "large.bin": large}
    repository = Repository(kind, files, sdk="gradio" if kind == "space" else None)
    made = send(repository, private=True)
    assert (made.created, made.committed, commits(hub)) == (True, True, 1)
    assert made.changes.added == ("README.md", "large.bin", "sub/weights.safetensors")
    assert made.changes.bytes == len(CARD) + 100 + (11 << 20)
    there = held(hub, f"{kind}s", "anna/new")
    assert there.pop(".gitattributes")
    assert there == {"README.md": CARD, "sub/weights.safetensors": b"w" * 100, "large.bin": large.read_bytes()}
    assert made.revision == hub.folder.at(f"{kind}s", "anna/new").sha()
    assert made.url == f"{hub.url}/{'' if kind == 'model' else kind + 's/'}anna/new"
    with pytest.raises(RepositoryNotFoundError):  # it is private
        HfApi(endpoint=hub.url, token="other").repo_info("anna/new", repo_type=kind)
    uploads = sum(request.method == "PUT" for request in hub.requests)
    again = send(repository)
    assert (again.created, again.committed, again.revision, bool(again.changes)) == (
        False,
        False,
        made.revision,
        False,
    )
    assert commits(hub) == 1
    assert sum(request.method == "PUT" for request in hub.requests) == uploads


def test_what_belongs_to_an_earlier_version_goes_and_what_people_put_there_stays(hub):
    send(model(a__safetensors=b"1", b__safetensors=b"2"))
    folder = hub.folder.root / "models/anna/new"
    (folder / "notes.txt").write_text("mine")
    (folder / "sub").mkdir()
    (folder / "sub" / "c.safetensors").write_bytes(b"mine too")
    done = send(model(b__safetensors=b"3"))
    assert (done.changes.removed, done.changes.changed, done.changes.added) == (
        ("a.safetensors",),
        ("b.safetensors",),
        (),
    )
    assert set(held(hub, "models", "anna/new")) == {
        ".gitattributes", "README.md", "b.safetensors", "notes.txt", "sub/c.safetensors"
    }  # fmt: skip
    assert commits(hub) == 2


def test_a_dry_run_tells_what_would_change_and_changes_nothing(hub):
    would = send(model(a__safetensors=b"1"), dry_run=True)
    assert (would.created, would.committed, would.revision) == (True, False, None)
    assert would.changes.added == ("README.md", "a.safetensors")
    assert not hub.folder.exists("models", "anna/new")
    before = send(model(a__safetensors=b"1")).revision
    would = send(model(b__safetensors=b"1"), dry_run=True)
    assert (would.changes.added, would.changes.removed) == (("b.safetensors",), ("a.safetensors",))
    assert would.changes.unchanged == ("README.md",)
    assert hub.folder.at("models", "anna/new").sha() == before


def test_a_repository_that_somebody_changes_meanwhile_is_not_written_over(hub, monkeypatch):
    send(model(a__safetensors=b"1"))
    monkeypatch.setattr("hf_crosssight.publishing.upload.compare", lambda *found: _meanwhile(hub) or compare(*found))
    with pytest.raises(HubError, match="changed by somebody else"):
        send(model(a__safetensors=b"2"))
    assert held(hub, "models", "anna/new")["a.safetensors"] == b"1"


def _meanwhile(hub: LoopbackHub) -> None:
    (hub.folder.root / "models/anna/new/other.txt").write_text("new")


def test_who_may_not_write_is_told_so(hub):
    for token, words in ((False, "nobody is logged in"), ("wrong", "hf auth login")):
        with pytest.raises(UserError) as caught:
            publish(model(), "anna/new", message="m", token=token)
        assert words.lower() in f"{caught.value.what} {caught.value.hint}".lower()
    for name in ("new", "a/b/c", "anna/ne w"):
        with pytest.raises(UserError, match=r"owner|Hub id"):
            publish(model(), name, message="m", token="good")
    assert not list(hub.folder.root.glob("*/anna/new"))
