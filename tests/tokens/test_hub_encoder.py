"""Backbones of transformers as encoders: from a folder, without a trained pooler, refused where they do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.tokens import hub_encoder as room
from hf_crosssight.tokens.image_encoder import hub_encoder

from .pictures import drawing


@pytest.fixture(scope="module")
def images():
    return [drawing(kind, seed) for kind in ("disc", "box") for seed in range(5)]


def save(folder, head: bool):
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil, ViTModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        config = ViTConfig(**sizes, image_size=32, patch_size=8)
        (ViTForImageClassification(config) if head else ViTModel(config)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_folder_becomes_an_encoder(tmp_path, images):
    import torch
    from transformers import ViTImageProcessorPil, ViTModel

    folder = save(tmp_path / "tiny-vit", head=False)
    encoder = hub_encoder(folder)
    assert encoder.dim == 32
    assert encoder.id.startswith("tiny-vit@")
    features = encoder.encode(images)
    pixels = ViTImageProcessorPil.from_pretrained(folder)(images=images, return_tensors="pt")
    with torch.inference_mode():
        expected = ViTModel.from_pretrained(folder)(**pixels).pooler_output.numpy()
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_a_classifier_without_pooler_gives_the_same_features_each_time(tmp_path, images):
    folder = save(tmp_path / "classifier", head=True)
    first = hub_encoder(folder).encode(images)
    room._load.cache_clear()
    assert np.array_equal(hub_encoder(folder).encode(images), first)
    assert first.std() > 0


def test_the_id_follows_weights_and_preprocessing(tmp_path):
    folder = save(tmp_path / "tiny-vit", head=False)
    before = hub_encoder(folder).id
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["image_mean"] = [0.1, 0.1, 0.1]
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    assert hub_encoder(folder).id != before


def test_weights_that_do_not_fit_the_config_are_refused(tmp_path):
    folder = save(tmp_path / "tiny-vit", head=False)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(UserError, match=r"its weights lack layers\.2"):
        hub_encoder(folder)


def test_pickled_weights_are_refused(tmp_path):
    folder = save(tmp_path / "tiny-vit", head=False)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="no safetensors weights"):
        hub_encoder(folder)


@pytest.mark.parametrize("config", ["{", "[]", '{"architecture": "resnet50"}', '{"model_type": "no-such-model"}'])
def test_unusable_configs_are_refused(tmp_path, config):
    folder = save(tmp_path / "tiny-vit", head=False)
    (folder / "config.json").write_text(config)
    with pytest.raises(UserError):
        hub_encoder(folder)


def test_code_of_a_repository_is_not_run(tmp_path):
    folder = save(tmp_path / "tiny-vit", head=False)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UserError):
        hub_encoder(folder)
    assert not (tmp_path / "ran").exists()


def test_a_backbone_of_the_hub_carries_its_commit(tmp_path, monkeypatch, images):
    from huggingface_hub import constants

    from hf_crosssight.hub.client import HubClient
    from hf_crosssight.tokens.image_encoder import encoder_from_id
    from tests.hub import LoopbackHub

    folder = save(tmp_path / "root" / "models" / "acme" / "tiny-vit", head=False)
    (folder / "pytorch_model.bin").write_bytes(b"never fetched")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with LoopbackHub(tmp_path / "root") as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        encoder = hub_encoder("acme/tiny-vit")
        assert encoder.id == f"acme/tiny-vit@{HubClient().resolve('acme/tiny-vit').sha}"
        assert np.array_equal(encoder.encode(images), hub_encoder(folder).encode(images))
        assert encoder_from_id(encoder.id) is encoder
        assert not [request for request in hub.requests if "pytorch_model.bin" in request.path]
        with pytest.raises(UserError, match="acme/no-such"):
            hub_encoder("acme/no-such")
