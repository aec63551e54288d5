"""The loopback Hub is a Hub to the real, unmodified clients: huggingface_hub, transformers, datasets, evaluate."""

import json
import os
import re
import shutil
import subprocess
import sys
from urllib.request import urlopen

import pytest
from huggingface_hub import HfApi, ModelCard, hf_hub_download
from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import get_session

from tests.conftest import ROOT, client_environment
from tests.hub import Fault, LoopbackHub

METRIC = '''"""A metric of this test."""
import datasets
import evaluate


class Doubled(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("int32"), "references": datasets.Value("int32")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"doubled": 2 * sum(p == r for p, r in zip(predictions, references))}
'''

CLIENTS = """
import json, os
import datasets, evaluate, torch
from transformers import AutoConfig, AutoModelForImageClassification

told = {}
model = AutoModelForImageClassification.from_pretrained("acme/tiny-resnet")
sharded = AutoModelForImageClassification.from_pretrained("acme/sharded")
told["config"] = AutoConfig.from_pretrained("acme/tiny-resnet").model_type
told["equal"] = all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), sharded.state_dict().values()))
model.push_to_hub("anna/pushed", token="good")
again = AutoModelForImageClassification.from_pretrained("anna/pushed")
told["pushed"] = all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))

whole = datasets.load_dataset("acme/shapes")
told["rows"] = {split: len(rows) for split, rows in whole.items()}
told["names"] = whole["train"].features["label"].names
streamed = list(datasets.load_dataset("acme/shapes", split="test", streaming=True))
told["streamed"] = [row["label"] for row in streamed]
told["size"] = list(streamed[0]["image"].size)
whole["test"].push_to_hub("anna/shapes", token="good")
told["pushed_rows"] = datasets.load_dataset("anna/shapes")["test"]["label"][:]
told["metric"] = evaluate.load("acme/doubled").compute(predictions=[1, 2, 3], references=[1, 2, 4])
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def clients(hub_repos, tmp_path_factory):
    """What the clients that read HF_ENDPOINT at import found, in one process, and the Hub that they talked to."""
    root = tmp_path_factory.mktemp("served") / "hub"
    shutil.copytree(hub_repos, root)
    (root / "spaces" / "acme" / "doubled").mkdir(parents=True)
    (root / "spaces" / "acme" / "doubled" / "doubled.py").write_text(METRIC)
    with LoopbackHub(root, tokens={"good": "anna"}, writable=True) as hub:
        environment = client_environment(hub) | {"HF_HOME": str(root.parent / "hf_home")}
        done = subprocess.run(
            [sys.executable, "-c", CLIENTS], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-3000:]
        yield json.loads(done.stdout.splitlines()[-1]), hub


def test_transformers_loads_models_single_and_sharded(clients):
    told, hub = clients
    assert told["config"] == "resnet"
    assert told["equal"]
    shards = {request.path for request in hub.requests if re.search(r"/sharded/.*-of-.*safetensors$", request.path)}
    assert len(shards) == len(list((hub.folder.root / "models" / "acme" / "sharded").glob("*.safetensors")))


def test_datasets_loads_whole_and_streamed(clients):
    told, hub = clients
    assert told["rows"] == {"train": 30, "test": 6}
    assert told["names"] == ["disc", "stripes", "square"]
    assert told["streamed"] == [0, 1, 2, 0, 1, 2]
    assert told["size"] == [32, 32]
    assert any(request.range and request.status == 206 for request in hub.requests)


def test_evaluate_loads_a_metric_of_a_space(clients):
    assert clients[0]["metric"] == {"doubled": 4}


def test_what_is_pushed_is_served(clients):
    told, hub = clients
    assert told["pushed"]
    assert told["pushed_rows"] == [0, 1, 2, 0, 1, 2]
    names = {path.name for path in (hub.folder.root / "models" / "anna" / "pushed").iterdir()}
    assert {"config.json", "model.safetensors"} <= names
    assert hub.folder.ids("datasets") == ["acme/shapes", "anna/shapes"]


@pytest.fixture
def crowd(hub_factory):
    """A Hub with 25 models more, `many/m00` to `many/m24`, in pages of ten."""
    facts = {f"many/m{i:02}": {"downloads": i, "likes": 25 - i} for i in range(25)}
    hub = hub_factory(facts=facts, page_size=10, redirects={"shapes": "acme/shapes", "old": "acme/tiny-resnet"})
    for index, name in enumerate(facts):
        folder = hub.folder.root / "models" / name
        folder.mkdir(parents=True)
        license = "mit" if index % 2 else "apache-2.0"
        (folder / "README.md").write_text(f"---\nlicense: {license}\npipeline_tag: image-classification\n---\n")
    return hub


def test_listings_filter_sort_and_turn_pages(crowd):
    api = HfApi(endpoint=crowd.url)
    every = [model.id for model in api.list_models(author="many")]
    assert every == [f"many/m{i:02}" for i in range(25)]
    assert sum(request.path == "/api/models" for request in crowd.requests) == 3
    assert [model.id for model in api.list_models(sort="downloads", limit=2)] == ["many/m24", "many/m23"]
    assert [model.id for model in api.list_models(sort="likes", limit=12)] == every[:12]
    found = api.list_models(filter=["license:mit", "image-classification"], search="M1")
    assert [model.id for model in found] == every[11:20:2]
    assert {model.id for model in api.list_models(pipeline_tag="image-classification", filter="safetensors")} == {
        "acme/tiny-resnet", "acme/sharded",
    }  # fmt: skip
    assert not list(api.list_models(author="nobody"))
    assert [found.id for found in api.list_datasets(filter="task_categories:image-classification")] == ["acme/shapes"]
    sized = list(api.list_models(num_parameters="min:1K,max:1M", expand=["safetensors"]))
    assert {model.id for model in sized} == {"acme/tiny-resnet", "acme/sharded"}
    assert sized[0].safetensors.total == sized[1].safetensors.total > 1000


def test_info_tree_and_refs_tell_the_same_repository(crowd):
    api = HfApi(endpoint=crowd.url)
    info = api.dataset_info("shapes", files_metadata=True)
    assert info.id == "acme/shapes"
    folder = crowd.folder.root / "datasets" / info.id
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert {file.rfilename: file.size for file in info.siblings} == sizes
    tree = list(api.list_repo_tree("shapes", repo_type="dataset", recursive=True))
    assert {entry.path for entry in tree} == {*sizes, "data"}
    assert {entry.path for entry in api.list_repo_tree("shapes", repo_type="dataset")} == {"README.md", "data"}
    inside = api.get_paths_info(info.id, ["data/train-00000-of-00001.parquet", "gone"], repo_type="dataset")
    assert [(entry.path, entry.size) for entry in inside] == [(path, sizes[path]) for path in sizes if "train" in path]
    refs = api.list_repo_refs(info.id, repo_type="dataset")
    assert [(branch.name, branch.target_commit) for branch in refs.branches] == [("main", info.sha)]
    assert api.dataset_info(info.id, revision=info.sha).sha == info.sha
    assert api.model_info("old").id == "acme/tiny-resnet"
    assert api.resolve_revision("acme/tiny-resnet").resolved == api.model_info("acme/tiny-resnet").sha


def test_the_commit_follows_the_content_alone(hub_repos, hub):
    repo = hub.folder.at("models", "acme/tiny-resnet")
    before = repo.sha()
    assert before == type(hub.folder)(hub_repos).at("models", "acme/tiny-resnet").sha()
    (repo.folder / "config.json").write_text("{}")
    assert repo.sha() != before


def test_errors_are_those_of_the_hub(hub_factory):
    hub = hub_factory(
        tokens={"good": "anna", "other": "bert"}, gated={"acme/sharded": {"anna"}}, private={"acme/shapes": {"anna"}}
    )
    api = HfApi(endpoint=hub.url)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/none")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("acme/shapes", token="other")
    assert api.dataset_info("acme/shapes", token="good").private
    assert not list(api.list_datasets())
    assert [found.id for found in api.list_datasets(token="good")] == ["acme/shapes"]
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download("acme/tiny-resnet", "gone", endpoint=hub.url)
    with pytest.raises(GatedRepoError):
        hf_hub_download("acme/sharded", "config.json", endpoint=hub.url, token="other")
    assert os.path.getsize(hf_hub_download("acme/sharded", "config.json", endpoint=hub.url, token="good")) > 100


def test_writing_needs_leave_and_stays_in_the_repository(hub_factory):
    hub = hub_factory(tokens={"good": "anna"}, writable=True)
    api = HfApi(endpoint=hub.url, token="good")
    assert api.whoami()["name"] == "anna"
    api.create_repo("anna/new", exist_ok=True)
    api.create_repo("anna/new", exist_ok=True)
    first = api.upload_file(path_or_fileobj=b"x" * 100, path_in_repo="sub/a.bin", repo_id="anna/new").oid
    assert (hub.folder.root / "models" / "anna" / "new" / "sub" / "a.bin").read_bytes() == b"x" * 100
    assert api.delete_file("sub/a.bin", "anna/new").oid != first
    assert api.list_repo_files("anna/new") == [".gitattributes"]
    sha = api.model_info("anna/new").sha
    outside = [{"key": "file", "value": {"path": "../../evil", "content": "", "encoding": "base64"}}]
    with pytest.raises(Exception, match="bad path"):
        hub.folder.at("models", "anna/new").commit(outside, {})
    assert api.model_info("anna/new").sha == sha
    with pytest.raises(Exception, match="401"):
        HfApi(endpoint=hub.url, token=False).create_repo("anna/other")
    readonly = hub_factory(tokens={"good": "anna"})
    with pytest.raises(Exception, match="takes no uploads"):
        HfApi(endpoint=readonly.url, token="good").create_repo("anna/third")


def test_cards_are_validated_for_their_yaml(hub):
    ModelCard("---\nlicense: mit\n---\n# x").validate()
    broken = {"content": "---\nlicense: [mit\n---\n# x", "repoType": "model"}
    answer = get_session().post(f"{hub.url}/api/validate-yaml", json=broken)
    assert answer.status_code == 400
    assert "expected ',' or ']'" in answer.json()["errors"][0]["message"]


def test_faults_meet_the_real_clients(hub_factory, no_pause):
    hub = hub_factory(page_size=1)
    hub.faults.add("/api/models", Fault(status=503), times=1)
    api = HfApi(endpoint=hub.url)
    assert len(list(api.list_models())) == 2
    hub.faults.add("*/config.json", Fault(cut_after=20), times=1, method="GET")
    place = hub.folder.root / "models" / "acme" / "tiny-resnet" / "config.json"
    with open(hf_hub_download("acme/tiny-resnet", "config.json", endpoint=hub.url), "rb") as file:
        assert file.read() == place.read_bytes()
    asked = [request for request in hub.requests if request.path.endswith("config.json")]
    assert [request.bytes_sent for request in asked if request.method == "GET"] == [20, place.stat().st_size]


def test_a_person_starts_it_with_one_command(hub_repos):
    program = str(ROOT / "tests" / "hub.py")
    command = [sys.executable, program, "--root", str(hub_repos), "--redirect", "old=acme/shapes"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/")
    try:
        lines = [started.stdout.readline() for _ in range(3)]
        exports = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
        assert exports["HF_HUB_DISABLE_XET"] == "1"
        assert os.path.isdir(exports["HF_HOME"])
        with urlopen(f"{exports['HF_ENDPOINT']}/api/datasets/old") as answer:
            assert json.load(answer)["id"] == "acme/shapes"
    finally:
        started.terminate()
        started.communicate(timeout=10)
        os.rmdir(exports["HF_HOME"])
