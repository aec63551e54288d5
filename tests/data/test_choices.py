"""What the pickers of a page are filled with."""

from __future__ import annotations

import pytest

from hf_crosssight.data import load_sample
from hf_crosssight.data.choices import hub_choices
from hf_crosssight.data.hub_dataset import hub_sample
from hf_crosssight.data.request import SampleRequest
from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub import HubClient
from tests.data.repositories import class_folders, encoded, image_table, parquet_repository, picture
from tests.hub import Fault


def folder(tmp_path, name):
    made = tmp_path / "hub" / "datasets" / "acme" / name
    made.mkdir(parents=True, exist_ok=True)
    return made


def table(names=("cat", "dog"), **more):
    return image_table([encoded(picture(number)) for number in range(8)], [0, 1] * 4, names, **more)


def test_splits_and_columns_come_from_listing_and_footer_without_an_image(tmp_path, hub):
    root = parquet_repository(folder(tmp_path, "pets"), table(weight=[1.5] * 8, owner=["a"] * 8))
    parquet_repository(root, table(), split="test")
    client = HubClient(token=False)
    found = hub_choices("pets", client)
    assert (found.id, found.configs, found.config) == ("acme/pets", ("default",), "default")
    assert (found.splits, found.split) == (("train", "test"), "train")
    assert (found.image_columns, found.image_column) == (("image",), "image")
    assert (found.label_columns, found.label_column) == (("label", "owner"), "label")
    assert found.problem is None


def test_several_configurations_are_listed_and_one_can_be_named(tmp_path, hub):
    root = folder(tmp_path, "two")
    for name in ("small", "large"):
        parquet_repository(root / name, table())
    configs = [f"- {{config_name: {n}, data_files: '{n}/data/train-*'}}" for n in ("small", "large")]
    (root / "README.md").write_text("---\nconfigs:\n" + "\n".join(configs) + "\n---\n")
    found = hub_choices("acme/two", HubClient(token=False))
    assert (found.configs, found.config, found.splits) == (("small", "large"), None, ())
    assert "several configurations" in found.problem.what
    assert hub_choices("acme/two", HubClient(token=False), "large").split == "train"
    with pytest.raises(UserError, match="no configuration 'huge'"):
        hub_choices("acme/two", HubClient(token=False), "huge")


def test_class_folders_have_an_image_and_a_label(tmp_path, hub):
    class_folders(folder(tmp_path, "folders"), ["cat", "dog"])
    found = hub_choices("acme/folders", HubClient(token=False))
    assert (found.split, found.image_column, found.label_column) == ("train", "image", "label")


def test_another_task_is_told_at_once(tmp_path, hub):
    lists = image_table([encoded(picture(0))] * 2, [[1, 2], [3]])
    parquet_repository(folder(tmp_path, "tags"), lists)
    found = hub_choices("acme/tags", HubClient(token=False))
    assert "multi-label" in found.problem.what
    assert found.label_column is None


def test_without_a_token_nothing_of_this_machine_is_sent(tmp_path, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")  # of anna, who may read it
    parquet_repository(folder(tmp_path, "closed"), table())
    with pytest.raises(UserError, match="gated"):
        hub_sample("acme/closed", None, SampleRequest(), HubClient(token=False))
    assert {request.user for request in hub.requests} == {None}
    assert len(hub_sample("acme/closed", None, SampleRequest(), HubClient(token="secret")).images) == 8


def test_what_is_not_to_be_kept_is_neither_stored_nor_taken_from_the_store(tmp_path, hub, hub_home):
    root = parquet_repository(folder(tmp_path, "pets"), table())
    (root / "README.md").write_text("Cats and dogs.\n")
    sample = hub_sample("pets", None, SampleRequest(), HubClient(token=False), keep=False)
    assert sample.description == "Cats and dogs."
    assert [path for path in hub_home.rglob("*") if path.is_file()] == []
    load_sample("pets")  # keeps
    hub.faults.add("/api/datasets/*", Fault(status=507), times=99)
    assert "kept by an earlier run" in load_sample("pets").warnings[-1]
    with pytest.raises(HubError):
        hub_sample("pets", None, SampleRequest(), HubClient(token=False), keep=False)
