"""`HubClient` against a Hub on the loopback device: repositories, access, the cache, and failures told as ours."""

import shutil

import pytest

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub import HubClient, RepoFile
from tests.hub import Fault, LoopbackHub


def asked(hub, method="GET"):
    return [request.path for request in hub.requests if request.method == method]


def test_a_repository_is_described_and_pinned(hub):
    repo = HubClient().resolve("acme/tiny-resnet")
    folder = hub.folder.root / "models" / "acme" / "tiny-resnet"
    assert repo.sha == hub.folder.at("models", "acme/tiny-resnet").sha()
    assert set(repo.files) == {RepoFile(path.name, path.stat().st_size) for path in folder.iterdir()}
    assert (repo.license, repo.pipeline_tag, repo.library) == ("apache-2.0", "image-classification", "transformers")
    assert {"vision", "safetensors", "dataset:acme/shapes", "license:apache-2.0"} <= set(repo.tags)
    assert repo.card["datasets"] == ["acme/shapes"]
    assert not repo.gated
    assert not repo.private
    assert "config.json" in repo
    assert "gone.json" not in repo


def test_old_bare_names_lead_to_the_repository(hub):
    repo = HubClient().resolve("shapes", "dataset")
    assert repo.id == "acme/shapes"
    assert repo.file("data/train-00000-of-00001.parquet").size > 10_000


def test_a_revision_may_stand_behind_the_id(hub):
    models = hub.folder.root / "models" / "acme"
    shutil.copytree(models / "tiny-resnet", models / "tiny-resnet@v1")
    (models / "tiny-resnet@v1" / "old.txt").write_text("old")
    client = HubClient()
    old = client.resolve("acme/tiny-resnet@v1")
    assert "old.txt" in old
    assert "old.txt" not in client.resolve("acme/tiny-resnet")
    assert client.resolve("acme/tiny-resnet", revision=old.sha).sha == old.sha
    assert client.resolve("acme/tiny-resnet@main", revision="v1").sha == old.sha
    assert client.download(old, "old.txt").read_text() == "old"
    assert client.read_ranges(old, "old.txt", [(1, 3)]) == [b"ld"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("acme/none",), "model acme/none does not exist"),
        (("acme/none", "dataset"), "dataset acme/none does not exist"),
        (("acme/tiny-resnet@v9",), "model acme/tiny-resnet@v9 has no such revision"),
        (("not an id",), "is not a Hub id"),
    ],
)
def test_what_does_not_exist_is_the_users_error(hub, arguments, expected):
    with pytest.raises(UserError, match=expected) as caught:
        HubClient().resolve(*arguments)
    assert caught.value.hint


def test_a_missing_file_is_the_users_error(hub):
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    for read in (lambda path: client.download(repo, path), lambda path: client.read_ranges(repo, path, [(0, 1)])):
        with pytest.raises(UserError, match=r"gone\.json of model acme/tiny-resnet does not exist"):
            read("gone.json")
        with pytest.raises(UserError, match="not a path inside"):
            read("../../../etc/passwd")


def test_gated_and_private_repositories_open_with_the_right_token(hub_factory):
    hub = hub_factory(
        tokens={"good": "anna", "other": "bert"},
        gated={"acme/tiny-resnet": {"anna"}},
        private={"acme/sharded": {"anna"}},
    )
    anyone, other, anna = HubClient(), HubClient(token="other"), HubClient(token="good")
    for client in (anyone, other):
        repo = client.resolve("acme/tiny-resnet")
        assert repo.gated
        for read in (
            lambda c, r: c.download(r, "config.json"),
            lambda c, r: c.read_ranges(r, "config.json", [(0, 1)]),
        ):
            with pytest.raises(UserError, match="gated") as caught:
                read(client, repo)
            assert "hf auth login" in caught.value.hint
            assert "--token" in caught.value.hint
        with pytest.raises(UserError, match="does not exist, or is private"):
            client.resolve("acme/sharded")
    assert anna.resolve("acme/sharded").private
    assert anna.read_ranges(anna.resolve("acme/tiny-resnet"), "config.json", [(0, 1)]) == [b"{"]
    with pytest.raises(UserError, match="does not accept the token"):
        HubClient(token="wrong").resolve("acme/tiny-resnet")
    assert hub.requests[-1].user is None


def test_downloads_are_pinned_and_fetched_once(hub):
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    file = client.download(repo, "config.json")
    assert file.read_bytes() == (hub.folder.root / "models" / repo.id / "config.json").read_bytes()
    assert repo.sha in file.parts
    number = len(hub.requests)
    assert client.download(repo, "config.json") == file
    assert client.read_ranges(repo, "config.json", [(0, 1), (2, 2)]) == [b"{", b""]
    assert len(hub.requests) == number
    assert client.bytes_read == 0


def test_a_snapshot_holds_what_the_patterns_name(hub):
    client = HubClient()
    folder = client.snapshot(client.resolve("acme/sharded"), ["*.json"])
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors.index.json"} <= names
    assert not any(name.endswith(".safetensors") for name in names)


def test_what_was_fetched_is_there_without_network_by_its_old_name_too(hub, monkeypatch):
    client = HubClient()
    online = client.resolve("shapes", "dataset")
    file = client.download(online, "README.md")
    number = len(hub.requests)
    without = HubClient(offline=True)
    for name in ("shapes", "acme/shapes", f"acme/shapes@{online.sha}"):
        repo = without.resolve(name, "dataset")
        assert (repo.id, repo.sha, repo.license) == ("acme/shapes", online.sha, "cc-by-4.0")
        assert repo.from_cache
        assert without.download(repo, "README.md") == file
    with pytest.raises(UserError, match="this run is offline") as caught:
        without.download(repo, "data/test-00000-of-00001.parquet")
    assert "--offline" in caught.value.hint
    with pytest.raises(UserError, match="not in the local cache"):
        without.resolve("acme/tiny-resnet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert HubClient().resolve("shapes", "dataset").sha == online.sha
    with pytest.raises(UserError, match="offline"):
        HubClient().read_ranges(online, "data/test-00000-of-00001.parquet", [(0, 1)])
    assert len(hub.requests) == number


def test_without_a_hub_the_cache_serves_or_the_network_is_named(hub, monkeypatch, caplog):
    client = HubClient()
    file = client.download(client.resolve("acme/tiny-resnet"), "config.json")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    repo = client.resolve("acme/tiny-resnet")
    assert repo.from_cache
    assert client.download(repo, "config.json") == file
    assert "Using the cached commit" in caplog.text
    with pytest.raises(HubError, match=r"Cannot reach http://127\.0\.0\.1:9 for model acme/sharded") as caught:
        client.resolve("acme/sharded")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(cut_after=10), Fault(status=429, headers={"Retry-After": "0"})]
)
def test_a_hub_that_stumbles_once_is_asked_again(hub, fault, no_pause):
    hub.faults.add("/api/models/*", fault)
    hub.faults.add("*/config.json", fault, method="GET")
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    assert client.download(repo, "config.json").stat().st_size == repo.file("config.json").size
    assert asked(hub).count("/api/models/acme/tiny-resnet") == 2


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [(500, HubError, "answered 500"), (418, HubError, "answered 418"), (429, HubError, "rate limit"),
     (403, UserError, "refused"), (404, UserError, "does not exist")],
)  # fmt: skip
def test_error_answers_are_told_by_who_is_at_fault(hub, no_pause, status, kind, expected):
    hub.faults.add("/api/models/*", Fault(status=status), times=100)
    with pytest.raises(kind, match=expected):
        HubClient().resolve("acme/tiny-resnet")


def test_a_hub_that_does_not_answer_in_time_is_a_hub_error(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    hub.faults.add("/api/models/*", Fault(delay=0.3), times=1)
    assert client.resolve("acme/tiny-resnet") == repo
    monkeypatch.setattr("hf_crosssight.hub.busy.RETRIES", 0)
    hub.faults.add("/api/models/*", Fault(delay=0.3), times=1)
    with pytest.raises(HubError, match="did not answer in time"):
        client.resolve("acme/tiny-resnet")


def test_a_download_of_the_wrong_length_leaves_nothing_behind(hub, tmp_path, no_pause):
    hub.faults.add("*/config.json", Fault(wrong_length=7), times=100, method="HEAD")
    client = HubClient()
    repo = client.resolve("acme/tiny-resnet")
    with pytest.raises(HubError, match=r"config\.json of model acme/tiny-resnet"):
        client.download(repo, "config.json")
    assert not list((tmp_path / "hf_home").rglob("config.json"))
    hub.faults.clear()
    assert client.download(repo, "config.json").stat().st_size == repo.file("config.json").size


def test_what_is_no_hub_is_told_as_such(hub, monkeypatch):
    monkeypatch.setattr(LoopbackHub, "info", lambda *_, **__: ["not", "a", "repository"])
    with pytest.raises(HubError, match="cannot be read"):
        HubClient().resolve("acme/tiny-resnet")


def test_models_are_listed_page_by_page(hub_factory):
    facts = {"acme/sharded": {"downloads": 5}, "acme/tiny-resnet": {"downloads": 9}}
    hub = hub_factory(page_size=1, facts=facts)
    client = HubClient()
    assert list(client.list_models()) == ["acme/tiny-resnet", "acme/sharded"]
    assert sum(request.path == "/api/models" for request in hub.requests) == 2
    assert list(client.list_models(limit=1)) == ["acme/tiny-resnet"]
    assert list(client.list_models(search="shard")) == ["acme/sharded"]
    assert list(client.list_models(filters=["vision", "image-classification"], sort=None)) == [
        "acme/sharded",
        "acme/tiny-resnet",
    ]
    assert list(client.list_models(filters=["text-generation"])) == []


def test_a_listing_that_fails_is_told_by_who_is_at_fault(hub_factory, no_pause, monkeypatch):
    hub = hub_factory(page_size=1)
    hub.faults.add("/api/models", Fault(status=429, headers={"Retry-After": "0"}))
    assert len(list(HubClient().list_models())) == 2
    stream = HubClient().list_models()
    next(stream)
    hub.faults.add("/api/models", Fault(status=500), times=100)
    with pytest.raises(HubError, match="answered 500 for the list of models"):
        list(stream)
    hub.faults.clear()
    with pytest.raises(UserError, match="without network"):
        next(HubClient(offline=True).list_models())
    with pytest.raises(UserError, match="does not accept the token"):
        next(HubClient(token="wrong").list_models())
    monkeypatch.setattr(LoopbackHub, "listing", lambda *_: [3])
    with pytest.raises(HubError, match="the list of models cannot be read"):
        list(HubClient().list_models())
