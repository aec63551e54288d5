"""What spoils the evidence is refused before anything is trained: by name, and with what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.errors import UserError
from hf_crosssight.training import measured_corpus
from hf_crosssight.training.measured_corpus import load_measured, refuse_shared_parents
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.record import ModelRecord

HEADER = "model_id,dataset_id,seed,accuracy"


@pytest.fixture
def zoo() -> ZooIndex:
    records = [
        ModelRecord(f"org/m{n}", architecture=f"net{n}", pretrain_data=("usps",) if n == 0 else ()) for n in range(4)
    ]
    return ZooIndex.from_entries([(record, {}) for record in records])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measured_corpus, "dataset_tokens", lambda sample, **_: sample.fingerprint)
    for number, name in enumerate(("usps", "flowers", "copy-of-flowers", "other")):
        rng = np.random.default_rng(min(number, 1) if name == "copy-of-flowers" else number)
        for label in "ab":
            place = tmp_path / "data" / name / label
            place.mkdir(parents=True)
            for image in range(3):
                pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{image}.png")
    return tmp_path / "data"


def written(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def whole(datasets: tuple[str, ...]) -> list[str]:
    return [f"org/m{m},{name},0,{0.1 * m + 0.01 * d:.3f}" for d, name in enumerate(datasets) for m in range(4)]


def test_tables_are_read_with_what_is_known_of_their_models_and_datasets(tmp_path, zoo, folder):
    rows = [*whole(("usps", "flowers", "nowhere")), "org/unknown,usps,0,0.5"]
    corpus = load_measured(zoo, [written(tmp_path, *rows)], [str(folder)])
    (table,) = corpus.tables
    assert table.datasets == ("flowers", "usps")
    assert table.models == tuple(zoo.model_ids)
    assert table.self_transfer.tolist() == [[False] * 4, [True, False, False, False]]
    assert [len(task.models) for task in corpus.tasks()] == [4, 3]
    assert any("nowhere" in line for line in corpus.left_out)
    assert any("1 of 5 models" in line for line in corpus.left_out)
    assert len(corpus.tokens["usps"]) == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*whole(("usps",)), "org/m1,usps,0,0.77"], "contradicts itself: org/m1 on usps with seed 0"),
        ([f"org/m1,{name},0,0.5" for name in ("usps", "flowers")], "single model"),
        ([f"org/m{m},usps,0,0.5" for m in range(4)], "all accuracies are the same"),
        (["other/a,usps,0,0.5", "other/b,usps,0,0.6"], "names 0 model of the zoo"),
        (whole(("nowhere",)), "no dataset that is named there was found"),
        ([], "no result"),
    ],
)  # fmt: skip
def test_tables_that_teach_nothing_or_the_wrong_thing_are_refused(rows, said, tmp_path, zoo, folder):
    with pytest.raises(UserError, match=said):
        load_measured(zoo, [written(tmp_path, *rows)], [str(folder)])


def test_the_same_row_twice_is_no_contradiction(tmp_path, zoo, folder):
    rows = whole(("usps",))
    assert load_measured(zoo, [written(tmp_path, *rows, rows[0])], [str(folder)]).tables


def test_a_dataset_on_both_sides_is_refused_by_its_parent_and_by_its_images(tmp_path, zoo, folder):
    names = ("usps", "flowers", "copy-of-flowers", "other")
    corpus = load_measured(zoo, [written(tmp_path, *whole(names))], [str(folder)])
    refuse_shared_parents(corpus, ["usps", "flowers"], ["other"])
    with pytest.raises(UserError, match="'copy-of-flowers' is to be validated on, but 'flowers'"):
        refuse_shared_parents(corpus, ["usps", "flowers"], ["copy-of-flowers"])
    with pytest.raises(UserError, match="parent 'pacs'"):
        refuse_shared_parents(corpus, ["zoo-bench/pacs-photo"], ["pacs-sketch"])


def test_an_id_does_not_lead_out_of_the_folder(tmp_path, zoo, folder):
    with pytest.raises(UserError, match="no dataset"):
        load_measured(zoo, [written(tmp_path, *whole(("../data/../../secret/..",)))], [str(folder)])
