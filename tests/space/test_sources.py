"""Where a dataset comes from, and what a stranger cannot reach by naming it."""

from __future__ import annotations

import pytest

from hf_crosssight.encoding import EncodedDataset
from hf_crosssight.errors import UserError
from hf_crosssight.space.examples import EXAMPLES, examples, find_example
from hf_crosssight.space.query import Query
from hf_crosssight.space.sources import Upload, dataset_choices, hub_id, read_dataset

NOTHING = Upload()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("uoft-cs/cifar10", "uoft-cs/cifar10"),
        (" mnist ", "mnist"),
        ("acme/shapes@main", "acme/shapes@main"),
        ("https://huggingface.co/datasets/acme/shapes", "acme/shapes"),
        ("https://huggingface.co/datasets/acme/shapes/", "acme/shapes"),
        ("https://huggingface.co/datasets/acme/shapes/tree/main/data", "acme/shapes"),
        ("datasets/acme/shapes", "acme/shapes"),
    ],
)
def test_ids_and_addresses_are_both_taken(typed, meant):
    assert hub_id(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", " ", "/etc", "../secrets", "a/../../b", "~/photos", "a/b/c", "a b", "C:\\x", "." * 2]
)
def test_paths_and_nonsense_are_no_ids(typed):
    with pytest.raises(UserError):
        hub_id(typed)


def test_a_folder_of_the_server_is_never_read(tmp_path, hub, monkeypatch):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="does not exist, or is private"):
        read_dataset(Query("hub", "photos"), NOTHING, None)


def test_a_private_dataset_needs_the_users_own_token(hub_factory, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "good")  # the server's, of anna, who may read it
    hub = hub_factory(tokens={"good": "anna", "other": "bert"}, private={"acme/shapes": {"anna"}})
    for token in (None, "", "other"):
        with pytest.raises(UserError, match="private"):
            read_dataset(Query("hub", "acme/shapes"), NOTHING, token)
        with pytest.raises(UserError, match="private"):
            dataset_choices("acme/shapes", None, token)
    assert "anna" not in {request.user for request in hub.requests}
    assert len(read_dataset(Query("hub", "acme/shapes"), NOTHING, "good").images) == 30
    with pytest.raises(UserError, match="private"):  # what anna read is not there for the next one
        read_dataset(Query("hub", "acme/shapes"), NOTHING, None)


def test_pickers_of_the_page(hub):
    found = dataset_choices("https://huggingface.co/datasets/acme/shapes", None, None)
    assert (found.splits, found.image_column, found.label_column) == (("train", "test"), "image", "label")


def test_an_upload_that_is_not_there_is_asked_for():
    with pytest.raises(UserError, match="no archive was uploaded"):
        read_dataset(Query("archive", ""), NOTHING, None)
    with pytest.raises(UserError, match="no class yet"):
        read_dataset(Query("pictures", ""), NOTHING, None)


def test_examples_state_source_and_licence_and_only_digits_have_images():
    found = examples()
    assert len(found) >= 4
    for key, example in found.items():
        assert example.source.startswith("https://")
        assert example.license in {"mit", "apache-2.0", "cc0-1.0", "cc-by-4.0"}
        dataset = read_dataset(Query("example", key), NOTHING, None)
        if key == "digits":
            assert len(dataset.images) == 100
            continue
        assert isinstance(dataset, EncodedDataset)
        assert dataset.tokens.values.shape[0] == len(dataset.tokens.names)
        assert dataset.num_classes in (6, 10, 100)
    kept = {path.suffix for path in EXAMPLES.iterdir()}
    assert kept == {".json", ".safetensors"}
    with pytest.raises(UserError, match="no example 'nothing'"):
        find_example("nothing")
