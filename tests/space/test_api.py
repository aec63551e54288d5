"""The page's API, called as its own help says."""

from __future__ import annotations

import zipfile

import pytest

from hf_crosssight.space.about import CALL, CALL_WITH_UPLOAD
from tests.data.repositories import encoded, picture

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def client(space):
    from gradio_client import Client

    return Client(space.url, verbose=False)


def test_the_documented_call_ranks(space, capsys):
    exec(CALL.format(address=space.url), {})
    assert "/" in capsys.readouterr().out.splitlines()[-1]


def test_the_documented_call_with_an_upload_ranks_and_leaves_no_file(space, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for seed, name in enumerate(("cat", "dog")):
            for number in range(3):
                archive.writestr(f"{name}/{number}.png", encoded(picture(10 * seed + number)))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(CALL_WITH_UPLOAD.format(address=space.url), names)
    assert names["ranking"]["dataset"]["num_images_used"] == 6
    assert all(item["params"] <= 3 * 10**7 for item in names["ranking"]["recommendations"])
    assert space.uploads() == []


def test_a_dataset_of_the_hub_ranks(client):
    ranking = client.predict(dataset="acme/shapes", top=3, api_name="/rank")
    assert ranking["schema_version"] == 1
    assert (len(ranking["recommendations"]), ranking["dataset"]["num_classes"]) == (3, 3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"dataset": "acme/nothing"}, "does not exist, or is private"),
        ({"dataset": "/etc"}, "is not a dataset id"),
        ({"dataset": "tests"}, "does not exist, or is private"),
        ({"dataset": "acme/secret"}, "does not exist, or is private"),
        ({"dataset": "digits", "license": ["no-such"]}, "No model"),
        ({"dataset": "digits", "max_params": "many"}, "not a number of parameters"),
        ({"dataset": "digits", "device": "local"}, "there is no device"),
        ({"dataset": "digits", "top": 10**6}, "Take 1 to 100"),
    ],
)
def test_bad_input_is_told_in_words(client, asked, said):
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match=said) as raised:
        client.predict(**asked, api_name="/rank")
    assert "Traceback" not in str(raised.value)


def test_only_these_two_can_be_called(client):
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/rank", "/rank_archive"}
