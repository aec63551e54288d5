"""What a stranger's repository can hold: each refused with a reason, quickly, and no code of it runs."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from hf_crosssight.features import UnusableModelError, extract, load_image_model
from hf_crosssight.features.untrusted import Weights, bounded_construction

from .networks import pictures, write_vit


def changed(folder, **settings):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    return folder


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"num_hidden_layers": 10**6}, "asks for num_hidden_layers"),
        ({"hidden_size": 10**9}, "asks for hidden_size"),
        ({"hidden_size": 4096, "intermediate_size": 4096}, "much larger than its"),
        ({"image_size": 10**6}, "cannot load|much larger|larger than"),
        ({"hidden_size": "x"}, "cannot load"),
        ({"num_channels": 4}, "cannot load|4 channels"),
        ({"model_type": "bert"}, "takes no images|cannot load|lack"),
        ({"model_type": "no-such-model"}, "cannot load"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"attn_implementation": "someone/kernel"}, "code of a repository"),
        ({"backbone": "resnet18", "use_pretrained_backbone": True}, "weights of another repository"),
        ({"intermediate_size": 48}, "cannot load"),
        ({"num_hidden_layers": 3}, r"lack vit\.(encoder\.)?layers?\.2"),
    ],
)
def test_hostile_and_wrong_configs_are_refused_in_time(tmp_path, settings, reason):
    folder = changed(write_vit(tmp_path / "vit"), **settings)
    started = time.perf_counter()
    with pytest.raises(UnusableModelError, match=reason):
        load_image_model(folder)
    assert time.perf_counter() - started < 10


def test_a_million_layers_under_an_unknown_name_stop_early():
    import torch

    built = []

    def build():
        with bounded_construction(Weights(tensors=4, numel=100)), torch.device("meta"):
            for _ in range(10**6):
                built.append(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()))

    with pytest.raises(UnusableModelError, match="much larger than its 100 weights"):
        build()
    assert len(built) < 5_000
    assert torch.nn.Sequential(*[torch.nn.ReLU() for _ in range(3000)])[2999] is not None  # the limit is gone


@pytest.mark.parametrize("config", ["{", "[]", '"x"', "[" * 100_000, '{"a": NaN}', ""])
def test_configs_that_are_no_objects_are_refused(tmp_path, config):
    folder = write_vit(tmp_path / "vit")
    (folder / "config.json").write_text(config)
    with pytest.raises(UnusableModelError):
        load_image_model(folder)


def test_code_of_a_repository_is_never_run(tmp_path):
    folder = write_vit(tmp_path / "vit")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    own = {"AutoConfig": "own.C", "AutoModel": "own.M", "AutoModelForImageClassification": "own.M"}
    assert load_image_model(changed(folder, auto_map=own)).architecture == "vit"
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings |= {"auto_map": {"AutoImageProcessor": "own.P"}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    assert load_image_model(folder).dim == 16
    with pytest.raises(UnusableModelError):
        load_image_model(changed(folder, model_type="own"))
    settings["image_processor_type"] = "OwnProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(UnusableModelError):
        load_image_model(changed(folder, model_type="vit"))
    assert not (tmp_path / "ran").exists()


def test_a_repository_of_pickles_alone_is_refused(tmp_path):
    import torch

    folder = write_vit(tmp_path / "vit")
    (folder / "model.safetensors").unlink()
    torch.save({"vit.x": torch.zeros(2)}, folder / "pytorch_model.bin")
    with pytest.raises(UnusableModelError, match="no safetensors weights"):
        load_image_model(folder)


def test_a_cut_file_and_an_index_that_leaves_the_folder_are_refused(tmp_path):
    folder = write_vit(tmp_path / "vit")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableModelError):
        load_image_model(folder)
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = {"metadata": {}, "weight_map": {"vit.x": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnusableModelError):
        load_image_model(folder)


@pytest.mark.parametrize("size", [{"height": 10**6, "width": 10**6}, {"shortest_edge": 0}, 10**9, "large"])
def test_preprocessing_of_senseless_size_is_refused(tmp_path, size):
    folder = write_vit(tmp_path / "vit")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"size": size}))
    with pytest.raises(UnusableModelError):
        load_image_model(folder)


def test_a_model_that_outputs_no_features_is_refused(tmp_path):
    from dataclasses import replace

    import torch

    class Mute(torch.nn.Module):
        def forward(self, pixel_values):
            return object()

    model = load_image_model(write_vit(tmp_path / "vit"))
    mute = replace(model, network=replace(model.network, module=Mute(), head=None))
    with pytest.raises(UnusableModelError, match="outputs no features"):
        extract(mute, pictures())


def test_a_timm_model_without_timm_says_so(tmp_path, monkeypatch):
    import sys

    folder = write_vit(tmp_path / "timm")
    (folder / "config.json").write_text(json.dumps({"architecture": "resnet10t", "num_classes": 3}))
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UnusableModelError, match="timm cannot be imported"):
        load_image_model(folder)


def test_a_timm_model_is_run_where_timm_is(tmp_path):
    timm = pytest.importorskip("timm", exc_type=ImportError)
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=5).eval()
    (tmp_path / "m").mkdir()
    save_file(network.state_dict(), tmp_path / "m" / "model.safetensors")
    cfg = {"input_size": [3, 48, 48], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0, "interpolation": "bicubic"}
    config = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": cfg}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    model = load_image_model(tmp_path / "m")
    images = pictures(3, 48)
    found = extract(model, images)
    pixels = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2) / 127.5 - 1).float()
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(pixels), pre_logits=True).numpy()
        probs = network(pixels).softmax(-1).numpy()
    np.testing.assert_allclose(found.pooled, expected, atol=1e-5)
    np.testing.assert_allclose(found.probs, probs, atol=1e-5)


def test_the_revision_follows_weights_and_preprocessing(tmp_path):
    folder = write_vit(tmp_path / "vit")
    first = load_image_model(folder).revision
    assert load_image_model(folder, revision="abc").revision == "abc"
    assert load_image_model(write_vit(tmp_path / "other", seed=1)).revision != first
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"image_mean": [0.1, 0.1, 0.1]}))
    assert load_image_model(folder).revision != first
