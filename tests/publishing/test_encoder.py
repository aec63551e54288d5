"""A weight encoder's repository: its card and that it loads."""

from __future__ import annotations

import json

import pytest
import torch

from hf_crosssight.errors import UserError
from hf_crosssight.publishing import write_folder
from hf_crosssight.publishing.encoder import encoder_repository
from hf_crosssight.training.encoder_folder import save_encoder
from tests.models.small_encoders import small_encoder
from tests.publishing.cards import checked_model_card, snippets

RECORD = {
    "zoo": "/home/somebody/secret/models", "held_out_models": ["org/b"], "epochs": 3, "best_epoch": 2,
    "losses": {"reconstruction": 0.5}, "silhouettes": {"layer kind": 0.25, "source": None},
    "silhouettes_by_chance": {"layer kind": -0.01, "source": None},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    save_encoder(small_encoder(trained_on={"models": ["org/a"]}), tmp_path / "encoder")
    (tmp_path / "encoder" / "training.json").write_text(json.dumps(RECORD))
    (tmp_path / "encoder" / "clusters.png").write_bytes(b"a picture")
    return tmp_path / "encoder"


def test_card_and_files(folder, tmp_path, caplog, monkeypatch):
    repository = encoder_repository(folder, "out", license="apache-2.0")
    card = checked_model_card(repository.files["README.md"].decode(), caplog)
    assert [result.metric_value for result in card.data.eval_results] == [0.25]
    text = str(card)
    for said in ("| layer kind | 0.250 | -0.010 |", "| `reconstruction` | 0.5000 |", "1 models of `models`", "2 of 3",
                 "1 more of", "(clusters.png)"):  # fmt: skip
        assert said in text
    assert "secret" not in text
    assert json.loads(repository.files["training.json"]) == RECORD | {"zoo": "models"}  # no path of a machine
    assert "curves.png" not in text
    assert {"modeling_arch2vec.py", "training.json", "clusters.png", "model.safetensors"} <= repository.files.keys()
    write_folder(repository, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    told: dict = {}
    exec(compile(snippets(text)[0], "card", "exec"), told)
    assert told["codes"].shape == (1, 5, 8)
    state = small_encoder(trained_on={"models": ["org/a"]}).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in told["encoder"].state_dict().items())


def test_without_a_record(folder, caplog):
    (folder / "training.json").unlink()
    text = encoder_repository(folder, "me/encoder").files["README.md"].decode()
    checked_model_card(text, caplog)
    assert "No record of its training" in text
    with pytest.raises(UserError, match="no folder"):
        encoder_repository(folder / "gone", "me/encoder")
