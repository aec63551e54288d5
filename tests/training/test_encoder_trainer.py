"""Training an encoder: it learns, twice the same, and after kill -9 as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_crosssight.errors import UserError
from hf_crosssight.models import Arch2VecConfig, Arch2VecModel
from hf_crosssight.tokens.arch2vec import ARCH2VEC_SHAPE, codes_of, encoder_id, load_encoder
from hf_crosssight.training.encoder_clusters import COLOURINGS, layer_clusters, silhouette
from hf_crosssight.training.encoder_corpus import read_corpus
from hf_crosssight.training.encoder_folder import train_encoder_folder
from hf_crosssight.training.encoder_trainer import EncoderRecipe, train_encoder
from hf_crosssight.training.encoder_validation import retrieval_at_1
from tests.training.small_zoo import write_zoo

ROOT = Path(__file__).parents[2]
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "projection_size": 8}
RECIPE = EncoderRecipe(epochs=4, batch=6, draws=4, validation=0.25)
CONFIGS = {
    "default": lambda: Arch2VecConfig.from_preset("default", **SMALL),
    "thesis": lambda: Arch2VecConfig.from_preset("thesis", input_columns=65, widths=[32]),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return write_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="module")
def corpora(zoo):
    return {"default": read_corpus(zoo), "thesis": read_corpus(zoo, chunk_length=64)}


def same(one: Arch2VecModel, other: Arch2VecModel) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("preset", ["default", "thesis"])
def test_it_learns_and_a_seed_is_a_seed(preset, corpora):
    trained = train_encoder(corpora[preset], CONFIGS[preset](), recipe=RECIPE)
    losses = [figures["reconstruction"] for figures in trained.curves]
    assert losses[-1] < 0.97 * losses[0]
    assert not trained.model.training
    assert set(trained.validation_rows).isdisjoint(trained.train_rows)
    assert trained.model.config.trained_on["models"] == [corpora[preset].ids[row] for row in trained.train_rows]
    again = train_encoder(corpora[preset], CONFIGS[preset](), recipe=RECIPE)
    assert same(trained.model, again.model)
    assert trained.curves == again.curves
    other = train_encoder(corpora[preset], CONFIGS[preset](), recipe=EncoderRecipe(**{**vars(RECIPE), "seed": 1}))
    assert not same(trained.model, other.model)


def test_the_weights_that_validate_best_are_kept(corpora):
    trained = train_encoder(corpora["default"], CONFIGS["default"](), recipe=RECIPE)
    reached = [figures["validation_reconstruction"] for figures in trained.curves]
    assert trained.best_epoch == 1 + int(np.argmin(reached))
    none_held = EncoderRecipe(epochs=2, batch=6, draws=2, validation=0.0)
    assert train_encoder(corpora["default"], CONFIGS["default"](), recipe=none_held).best_epoch == 2


@pytest.mark.parametrize("preset", ["default", "thesis"])
def test_gone_on_with_is_as_never_interrupted(preset, corpora, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(step: str, done: int, total: int | None) -> None:
        if total and done > total * 0.6:
            raise StoppedError

    whole = train_encoder(corpora[preset], CONFIGS[preset](), recipe=RECIPE)
    checkpoint = tmp_path / "state.safetensors"
    with pytest.raises(StoppedError):
        train_encoder(corpora[preset], CONFIGS[preset](), recipe=RECIPE, checkpoint=checkpoint, progress=stop)
    resumed = train_encoder(corpora[preset], CONFIGS[preset](), recipe=RECIPE, checkpoint=checkpoint, resume=True)
    assert same(whole.model, resumed.model)
    assert whole.curves == resumed.curves
    assert whole.best_epoch == resumed.best_epoch
    other, fewer = EncoderRecipe(**{**vars(RECIPE), "batch": 5}), corpora[preset].take(np.arange(10))
    with pytest.raises(UserError, match="begun with another recipe"):
        train_encoder(corpora[preset], CONFIGS[preset](), recipe=other, checkpoint=checkpoint, resume=True)
    with pytest.raises(UserError, match="begun with another zoo"):
        train_encoder(fewer, CONFIGS[preset](), recipe=RECIPE, checkpoint=checkpoint, resume=True)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        train_encoder(corpora[preset], CONFIGS[preset](), recipe=RECIPE, checkpoint=checkpoint, resume=True)


WORKER = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.training.test_encoder_trainer import CONFIGS
from hf_crosssight.training.encoder_folder import train_encoder_folder
from hf_crosssight.training.encoder_trainer import EncoderRecipe
recipe = EncoderRecipe(epochs=30, batch=6, draws=4, validation=0.25)
train_encoder_folder(sys.argv[1], Path(sys.argv[2]), CONFIGS["default"](), recipe, resume=True)
"""


def test_kill_9_leaves_a_training_that_goes_on(zoo, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, str(zoo), str(tmp_path / "killed")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / ".training" / "checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists(), "it was to be killed in the middle"
    assert not (tmp_path / "killed" / "training.json").exists()
    recipe = EncoderRecipe(epochs=30, batch=6, draws=4, validation=0.25)
    with pytest.raises(UserError, match="was interrupted"):
        train_encoder_folder(zoo, tmp_path / "killed", CONFIGS["default"](), recipe)
    train_encoder_folder(zoo, tmp_path / "killed", CONFIGS["default"](), recipe, resume=True)
    train_encoder_folder(zoo, tmp_path / "whole", CONFIGS["default"](), recipe)
    killed, whole = (tmp_path / name / "model.safetensors" for name in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()
    assert not checkpoint.exists()


@pytest.mark.parametrize("preset", ["default", "thesis"])
def test_the_folder_holds_encoder_curves_clusters_and_record(preset, zoo, tmp_path):
    out = tmp_path / "encoder"
    steps: list[str] = []
    record = train_encoder_folder(
        zoo, out, CONFIGS[preset](), EncoderRecipe(epochs=2, batch=6, draws=2, validation=0.25),
        progress=lambda step, done, total: steps.append(step),
    )  # fmt: skip
    names = ["clusters.json", "clusters.png", "config.json", "curves.csv", "curves.png", "model.safetensors",
             "training.json"]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == names
    assert json.loads((out / "training.json").read_text()) == record
    assert list(dict.fromkeys(steps))[-2:] == ["training", "drawing"]
    for picture in ("curves.png", "clusters.png"):
        assert (out / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert set(json.loads((out / "clusters.json").read_text())["silhouettes"]) == set(COLOURINGS)
    assert len((out / "curves.csv").read_text().splitlines()) == 3
    encoder = load_encoder(out)
    assert record["encoder"] == encoder_id(encoder, "encoder") == encoder_id(encoder)
    again = train_encoder_folder(zoo, out, CONFIGS[preset](), EncoderRecipe(epochs=9), resume=True)
    assert again == record
    with pytest.raises(UserError, match="is not empty"):
        train_encoder_folder(zoo, out, CONFIGS[preset](), EncoderRecipe())


def test_codes_are_a_view(corpora, tmp_path):
    encoder = train_encoder(corpora["default"], CONFIGS["default"](), recipe=EncoderRecipe(1, 6, 1)).model
    views = corpora["default"].samples[:, 0].astype(np.float32)
    views[3] = 0.0
    codes = codes_of(views, encoder)
    assert codes.shape == (12, *ARCH2VEC_SHAPE)
    assert (codes[:, :, 0].sum(1) == np.where(np.arange(12) == 3, 0, 5)).all()
    assert not codes[3].any()
    assert np.allclose(codes[5], codes_of(views[5:6], encoder)[0], atol=1e-5)
    shuffled = views[:, [0, *range(64, 0, -1)]]
    assert np.allclose(codes_of(shuffled, encoder), codes, atol=1e-4)
    with pytest.raises(UserError, match="rows of 128 columns"):
        codes_of(views[..., :40], encoder)
    thesis = train_encoder(corpora["thesis"], CONFIGS["thesis"](), recipe=EncoderRecipe(1, 6, 1)).model
    chunked = codes_of(corpora["thesis"].samples[:, 0], thesis)
    assert chunked[:, :, 0].tolist() == [[1, 0, 0, 0, 0]] * 12
    assert not chunked[:, 1:].any()
    narrow = Arch2VecModel(Arch2VecConfig.from_preset("default", code_size=64, **SMALL))
    with pytest.raises(UserError, match="5 codes of 64"):
        codes_of(views, narrow)


def test_the_id_names_the_weights(tmp_path):
    torch.manual_seed(0)
    encoder = Arch2VecModel(CONFIGS["default"]())
    encoder.save_pretrained(tmp_path / "mine")
    assert encoder_id(encoder).startswith("in-memory@")
    loaded = load_encoder(tmp_path / "mine")
    assert encoder_id(loaded) == encoder_id(encoder, "mine")
    loaded.body.encoder.seeds.data[0, 0] += 1e-3
    assert encoder_id(loaded) != encoder_id(encoder, "mine")


def test_what_is_no_encoder_is_told(tmp_path):
    with pytest.raises(UserError, match="its config"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "crosssight"}')
    with pytest.raises(UserError, match="type 'crosssight', not a weight encoder"):
        load_encoder(tmp_path)
    older = CONFIGS["default"]()
    older.specs = {"weights": "weights/0"}
    Arch2VecModel(older).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="reads weights/0"):
        load_encoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x08" + b"\0" * 20)
    with pytest.raises(UserError, match="cannot be loaded"):
        load_encoder(tmp_path)


def test_silhouettes_tell_groups_from_none(corpora):
    rng = np.random.default_rng(0)
    labels = ["a"] * 20 + ["b"] * 20 + ["rare"] * 3
    apart = rng.normal(size=(43, 4)) + np.array([[6.0]] * 20 + [[-6.0]] * 20 + [[0.0]] * 3)
    assert silhouette(apart, labels) > 0.7
    assert abs(silhouette(rng.normal(size=(43, 4)), labels)) < 0.1
    assert np.isnan(silhouette(apart, ["a"] * 40 + ["b"] * 3))
    encoder = train_encoder(corpora["default"], CONFIGS["default"](), recipe=EncoderRecipe(1, 6, 1)).model
    clusters = layer_clusters(encoder, corpora["default"])
    count = int((corpora["default"].kinds >= 0).sum())
    assert clusters.codes.shape == (count, 16)
    assert {len(labels) for labels in clusters.labels.values()} == {count}
    assert clusters.projections["t-SNE"].shape == (count, 2)
    assert clusters.silhouettes["layer kind"] > clusters.by_chance["layer kind"] + 0.05


def test_retrieval_is_blind_to_a_common_offset():
    first = np.eye(5)
    assert retrieval_at_1(first + 100, first + 100 + 0.1) == 1.0
    assert retrieval_at_1(first, first[[1, 2, 3, 4, 0]]) == 0.0


@pytest.mark.parametrize(("package", "said"), [("accelerate", "training needs accelerate"), ("matplotlib", "drawn")])
def test_a_missing_extra_is_told_before_weights_are_read(package, said, monkeypatch, tmp_path):
    import importlib.util

    zoo, found = write_zoo(tmp_path / "zoo", models=2), importlib.util.find_spec
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else found(name))
    with pytest.raises(UserError, match=said) as caught:
        train_encoder_folder(zoo, tmp_path / "out", CONFIGS["default"](), EncoderRecipe())
    assert not (tmp_path / "out").exists()
    assert caught.value.hint == 'pip install "hf_crosssight[train]"'
