"""Datasets of the Hub, read from a Hub on the loopback device by the real client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.data import load_sample
from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub import HubClient
from tests.data.repositories import (
    class_folders,
    class_sorted_repository,
    encoded,
    image_table,
    parquet_repository,
    picture,
)
from tests.hub import Fault, LoopbackHub

CARD = """---
pretty_name: Pets
configs:
- {config_name: default, data_files: [{split: train, path: data/train-*}]}
---
"""


def datasets_folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "hub" / "datasets" / "acme" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pets(tmp_path: Path, name: str = "pets") -> Path:
    images = [encoded(picture(number)) for number in range(20)]
    folder = parquet_repository(datasets_folder(tmp_path, name), image_table(images, [0, 1] * 10, ["cat", "dog"]))
    (folder / "README.md").write_text(CARD + "Cats and dogs.\n")
    return folder


def image_bytes_read(hub: LoopbackHub) -> int:
    return sum(request.bytes_sent for request in hub.requests if request.path.endswith(".parquet"))


@pytest.mark.parametrize("paged", [False, True])
def test_a_class_sorted_repository_gives_all_its_classes_for_few_of_its_bytes(tmp_path, hub, paged):
    image_bytes = class_sorted_repository(datasets_folder(tmp_path, "sorted"), paged=paged)
    client = HubClient()
    sample = load_sample("acme/sorted", client=client)
    assert sample.class_names == tuple(f"class {number}" for number in range(20))
    assert len(sample.images) == 200
    assert sample.num_rows == 8000
    assert sample.warnings == ()
    read = image_bytes_read(hub)
    assert client.bytes_read == read
    assert 200 * 4200 < read < 0.05 * image_bytes


def test_labels_without_statistics_are_read_and_one_group_a_class(tmp_path, hub):
    """Classes that begin and end anywhere, called by strings: no statistics tell them."""
    names = np.repeat([f"c{number:02d}" for number in range(25)], 40).tolist()
    images = [encoded(picture(number)) + os.urandom(4200) for number in range(len(names))]
    parquet_repository(datasets_folder(tmp_path, "strings"), image_table(images, names), row_group_size=4)
    sample = load_sample("acme/strings", images_per_class=1)
    assert sample.class_names == tuple(dict.fromkeys(names))
    assert len(sample.images) == 25
    assert image_bytes_read(hub) < 0.15 * sum(map(len, images))


def test_a_repository_and_its_copy_on_disk_give_the_same_sample(tmp_path, hub):
    folder = pets(tmp_path)
    remote, local = load_sample("acme/pets", images_per_class=4), load_sample(folder, images_per_class=4)
    assert remote.fingerprint == local.fingerprint
    assert remote.id == "acme/pets"
    assert remote.revision is not None
    assert len(remote.revision) == 40
    assert local.revision is None
    assert remote.description == "Pets. Cats and dogs."


def test_old_bare_names_are_resolved_first(tmp_path, hub):
    pets(tmp_path)
    assert load_sample("pets").id == "acme/pets"


def test_a_revision_is_read_as_named(tmp_path, hub):
    pets(tmp_path)
    sha = load_sample("acme/pets").revision
    assert load_sample(f"acme/pets@{sha}").revision == sha
    assert load_sample("acme/pets", revision=sha).revision == sha
    with pytest.raises(UserError, match="nowhere"):
        load_sample("acme/pets", revision="nowhere")


def test_what_was_sampled_online_is_there_offline(tmp_path, hub):
    pets(tmp_path)
    online = load_sample("pets")
    asked = len(hub.requests)
    offline = load_sample("pets", offline=True)
    assert len(hub.requests) == asked
    assert offline.fingerprint == online.fingerprint
    assert (offline.id, offline.revision, offline.num_classes) == ("acme/pets", online.revision, 2)
    with pytest.raises(UserError) as caught:
        load_sample("pets", seed=1, offline=True)
    assert "offline" in str(caught.value)


def test_the_same_commit_is_not_read_twice_and_a_new_one_is(tmp_path, hub):
    folder = pets(tmp_path)
    first = load_sample("acme/pets")
    read = image_bytes_read(hub)
    assert load_sample("acme/pets").fingerprint == first.fingerprint
    assert image_bytes_read(hub) == read
    parquet_repository(folder, image_table([encoded(picture(n)) for n in range(50, 54)], [0, 1] * 2, ["cat", "dog"]))
    assert load_sample("acme/pets").num_rows == 4


def test_files_that_are_in_the_cache_are_read_offline(tmp_path, hub):
    pets(tmp_path)
    client = HubClient()
    repo = client.resolve("acme/pets", "dataset")
    client.download(repo, "data/train-00000-of-00001.parquet")
    sample = load_sample("acme/pets", offline=True, images_per_class=2)
    assert len(sample.images) == 4
    assert any("in the cache" in warning for warning in sample.warnings)


def test_a_revision_may_have_slashes(hub_home):
    with pytest.raises(UserError, match="not in the local cache"):
        load_sample("acme/pets@refs/convert/parquet", offline=True)


def test_nothing_cached_and_offline(hub_home):
    with pytest.raises(UserError) as caught:
        load_sample("acme/unseen", offline=True)
    assert caught.value.hint


def test_unknown_and_gated_datasets(tmp_path, hub):
    pets(tmp_path, "closed")
    with pytest.raises(UserError, match="acme/nothing"):
        load_sample("acme/nothing")
    with pytest.raises(UserError) as caught:
        load_sample("acme/closed")
    assert "token" in caught.value.hint
    assert len(load_sample("acme/closed", client=HubClient(token="secret")).images) == 20


@pytest.mark.parametrize("name", ["a/b/c", "./here", "not an id!", ""])
def test_names_that_are_neither_a_folder_nor_an_id(hub_home, name):
    with pytest.raises(UserError):
        load_sample(name)


def test_a_wrong_column_leaves_nothing_behind(tmp_path, hub, hub_home):
    pets(tmp_path)
    with pytest.raises(UserError, match="no label column 'lable'"):
        load_sample("acme/pets", label_column="lable")
    assert not list((hub_home / "crosssight" / "samples").glob("*"))


def test_connections_that_break_are_taken_up_again(tmp_path, hub):
    pets(tmp_path)
    expected = load_sample("acme/pets", images_per_class=3).fingerprint
    hub.faults.add("*.parquet", Fault(cut_after=100), times=2)
    hub.faults.add("*.parquet", Fault(ignore_range=True), times=1)
    assert load_sample("pets", images_per_class=3).fingerprint == expected


def test_a_hub_that_fails_is_a_hub_error(tmp_path, hub, hub_home):
    pets(tmp_path)
    hub.faults.add("*.parquet", Fault(status=501), times=100)
    with pytest.raises(HubError):
        load_sample("acme/pets")
    assert not list((hub_home / "crosssight" / "samples").glob("*"))


def test_class_folders_on_the_hub_cost_only_the_images_used(tmp_path, hub):
    folder = datasets_folder(tmp_path, "folders")
    class_folders(folder / "train", ["cat", "dog"], 30)
    class_folders(folder / "test", ["cat", "dog"], 2, seed=500)
    sample = load_sample("acme/folders", images_per_class=3)
    assert sample.class_names == ("cat", "dog")
    assert sample.num_rows == 60
    assert len({request.path for request in hub.requests if request.path.endswith(".png")}) == 6
    assert load_sample("acme/folders", split="test").num_rows == 4
    assert load_sample(folder, images_per_class=3).fingerprint == sample.fingerprint


def test_loading_scripts_are_refused(tmp_path, hub):
    folder = datasets_folder(tmp_path, "scripted")
    (folder / "scripted.py").write_text("raise SystemExit('was run')")
    with pytest.raises(UserError, match="made by a loading script") as caught:
        load_sample("acme/scripted")
    assert "refs/convert/parquet" in caught.value.hint


def test_sources_without_parquet_are_streamed(tmp_path, hub):
    """In a process of its own: `datasets` reads the Hub's address when it is imported."""
    import io
    import tarfile

    folder = datasets_folder(tmp_path, "tar")
    with tarfile.open(folder / "train.tar", "w") as archive:
        for number in range(40):
            for suffix, content in (("png", encoded(picture(number))), ("cls", str(number % 2).encode())):
                entry = tarfile.TarInfo(f"{number:03d}.{suffix}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    program = (
        "import json; from hf_crosssight.data import load_sample; s = load_sample('acme/tar', images_per_class=3);"
        "print(json.dumps([s.id, s.split, s.class_names, len(s.images), s.images[0].tobytes().hex()]))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "other"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    name, split, classes, count, pixels = json.loads(done.stdout.splitlines()[-1])
    assert (name, split, classes, count) == ("acme/tar", "train", ["0", "1"], 6)
    assert pixels in {picture(number).tobytes().hex() for number in range(0, 40, 2)}


def test_a_hub_that_is_down_is_a_hub_error_where_the_cache_is_not_enough(tmp_path, hub, monkeypatch, caplog):
    pets(tmp_path)
    load_sample("pets")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        HubError, match=r"Cannot reach http://127\.0\.0\.1:9 .* was never sampled in this way"
    ) as caught:
        load_sample("pets", images_per_class=5)
    assert "http://127.0.0.1:9" in caught.value.hint
    assert "offline" not in str(caught.value)
    assert caplog.text == ""


@pytest.mark.parametrize("card", [True, False])
def test_a_hub_that_is_down_is_a_warning_where_the_sample_is_kept(tmp_path, hub, monkeypatch, caplog, card):
    folder = pets(tmp_path)
    if not card:
        (folder / "README.md").unlink()
    online = load_sample("acme/pets")
    hub.faults.add("/api/datasets/*", Fault(status=501), times=100)
    sample = load_sample("acme/pets")
    assert sample.fingerprint == online.fingerprint
    assert online.warnings == ()
    assert len(sample.warnings) == 1
    assert "answered 501" in sample.warnings[0]
    assert f"the sample of commit {online.revision[:8]} kept by an earlier run was used" in sample.warnings[0]
    assert caplog.text == ""


def test_a_hub_that_is_down_is_a_warning_where_the_files_are_cached(tmp_path, hub, monkeypatch):
    pets(tmp_path)
    client = HubClient()
    client.download(client.resolve("acme/pets", "dataset"), "data/train-00000-of-00001.parquet")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    sample = load_sample("acme/pets", images_per_class=2)
    assert len(sample.images) == 4
    assert "Cannot reach http://127.0.0.1:9" in sample.warnings[-1]
    assert "in the cache" in sample.warnings[-1]


def test_what_can_only_be_streamed_needs_the_hub(tmp_path, hub, monkeypatch):
    folder = datasets_folder(tmp_path, "tar")
    (folder / "train.tar").write_bytes(b"never opened")
    client = HubClient()
    client.download(client.resolve("acme/tar", "dataset"), "train.tar")
    with pytest.raises(UserError, match="this run is offline"):
        load_sample("acme/tar", offline=True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"Cannot reach http://127\.0\.0\.1:9"):
        load_sample("acme/tar")


def test_the_hint_names_what_took_the_network_off(tmp_path, hub, monkeypatch):
    pets(tmp_path)
    load_sample("pets")
    with pytest.raises(UserError, match="never sampled in this way") as caught:
        load_sample("pets", images_per_class=5, offline=True)
    assert "without --offline" in caught.value.hint
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("pets", "acme/unseen"):
        with pytest.raises(UserError) as caught:
            load_sample(name, images_per_class=5)
        assert "HF_HUB_OFFLINE" in caught.value.hint
        assert "--offline" not in str(caught.value)


def test_a_gated_dataset_is_named_with_its_page(tmp_path, hub):
    pets(tmp_path, "closed")
    with pytest.raises(UserError) as caught:
        load_sample("acme/closed")
    assert caught.value.what == "dataset acme/closed is gated."
    assert f"{hub.url}/datasets/acme/closed." in caught.value.hint


def test_rows_of_parquet_without_a_label_are_told(tmp_path, hub):
    images = [encoded(picture(number)) for number in range(6)]
    parquet_repository(datasets_folder(tmp_path, "gaps"), image_table(images, ["a", "b", None] * 2))
    assert load_sample("acme/gaps").warnings == ("2 rows have no label and were left out",)
