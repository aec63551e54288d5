"""Tables named by a path or by the id of a data set on the Hub."""

import json

import pytest

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.ground_truth.published import load_published
from hf_crosssight.ground_truth.table_location import table_location
from hf_crosssight.ground_truth.tidy_tables import load_tidy

TIDY = "model_id,dataset_id,seed,accuracy\na,d1,0,0.5\nb,d1,0,0.75\na,d2,0,0.25\nb,d2,0,\n"
PARC = "architecture,source_dataset,target_dataset,accuracy,excluded_by_parc_metrics,self_transfer\n"


@pytest.fixture
def tables_on_the_hub(hub):
    root = hub.folder.root / "datasets" / "acme"
    for name, file, text in (("tidy", "results.csv", TIDY), ("published", "parc_all.csv", _parc())):
        (root / name).mkdir()
        (root / name / file).write_text(text)
    (root / "tidy" / "pictures.bin").write_bytes(b"not wanted")
    return hub


def _parc() -> str:
    rows = [f"resnet50,source{i},cifar10,{50 + i},0,0\n" for i in range(6)]
    return PARC + "".join(rows)


def test_a_tidy_table_is_read_from_the_hub(tables_on_the_hub):
    table = load_tidy("acme/tidy")["results"]
    assert (table.datasets, table.models) == (("d1", "d2"), ("a", "b"))
    assert table.scores[0].tolist() == [0.5, 0.75]
    assert not any("pictures" in request.path for request in tables_on_the_hub.requests if request.method == "GET")


def test_published_tables_are_read_from_the_hub(tables_on_the_hub):
    (table,) = load_published("acme/published")
    assert table.id == "parc"
    assert table.scores.shape == (1, 6)


def test_a_folder_goes_before_the_hub(tables_on_the_hub, tmp_path, monkeypatch):
    (tmp_path / "acme" / "tidy").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert table_location("acme/tidy").resolve() == tmp_path / "acme" / "tidy"
    assert tables_on_the_hub.requests == []


@pytest.mark.parametrize("spec", ["nowhere", "./no/where", "org/results.csv", "/no/where"])
def test_what_cannot_be_an_id_is_not_looked_up(spec, tables_on_the_hub):
    with pytest.raises(UserError, match="There is no table"):
        table_location(spec)
    assert tables_on_the_hub.requests == []


def test_an_unknown_id_says_where_it_was_sought(tables_on_the_hub):
    with pytest.raises(UserError, match=r"no table .acme/none. here, and on the Hub"):
        table_location("acme/none")


def test_without_network_it_is_the_hubs_fault(hub_home):
    with pytest.raises(HubError, match="here, and on the Hub"):
        table_location("acme/tidy")


def test_the_command_line_reads_a_table_of_the_hub(tables_on_the_hub, run_cli):
    done = run_cli(["ground-truth", "info", "acme/tidy", "--format", "json"], tables_on_the_hub)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tables"]["results"]["pairs"] == 3
