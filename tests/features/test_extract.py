"""Features and probabilities: what transformers itself gives, whatever the batch, and never silently broken."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.features import UnusableModelError, extract, load_image_model

from .networks import pictures, write_vit


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return load_image_model(write_vit(tmp_path_factory.mktemp("models") / "vit"))


def test_features_go_into_the_head_and_probabilities_come_out_of_it(tmp_path):
    import torch
    from transformers import ViTForImageClassification, ViTImageProcessorPil

    folder = write_vit(tmp_path / "vit")
    model = load_image_model(folder)
    assert (model.architecture, model.dim, model.classes) == ("vit", 16, 3)
    images = [Image.fromarray(picture) for picture in pictures()]
    found = extract(model, images)
    own = ViTForImageClassification.from_pretrained(folder).eval()
    pixels = ViTImageProcessorPil.from_pretrained(folder)(images=images, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        probs = own(pixels).logits.softmax(-1).numpy()
        pooled = own.vit(pixels).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(found.pooled, pooled, atol=1e-5)
    np.testing.assert_allclose(found.probs, probs, atol=1e-5)
    assert found.pooled.dtype == found.probs.dtype == np.float32
    assert found.pooled.std() > 0.01


def test_batches_change_nothing_and_progress_is_told(vit):
    told = []
    one = extract(vit, pictures(), batch=3, progress=lambda *step: told.append(step))
    np.testing.assert_allclose(one.pooled, extract(vit, pictures()).pooled, atol=1e-5)
    assert told == [("computing image features", done, 7) for done in (3, 6, 7)]
    assert np.array_equal(extract(vit, pictures()).pooled, extract(vit, pictures()).pooled)


def test_out_of_memory_halves_the_batch(vit, monkeypatch):
    sizes = []
    forward = vit.network.module.forward

    def small(pixel_values):
        sizes.append(len(pixel_values))
        if len(pixel_values) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return forward(pixel_values=pixel_values)

    expected = extract(vit, pictures())
    monkeypatch.setattr(vit.network.module, "forward", small)
    np.testing.assert_allclose(extract(vit, pictures(), batch=7).pooled, expected.pooled, atol=1e-5)
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]


def test_grey_arrays_palettes_and_sizes_are_taken(vit):
    images = [np.zeros((9, 30), np.uint8), Image.new("P", (50, 20)), Image.new("RGBA", (8, 8)), pictures()[0]]
    assert extract(vit, images).pooled.shape == (4, 16)
    with pytest.raises(ValueError, match="no images"):
        extract(vit, [])


def test_nan_weights_are_reported(tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = write_vit(tmp_path / "vit")
    weights = load_file(folder / "model.safetensors")
    weights["vit.layernorm.weight"][3] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnusableModelError, match="features of 2 of 2 images are not finite"):
        load_image_model(folder)


def test_a_backbone_gives_features_without_probabilities(tmp_path):
    from transformers import ViTModel

    folder = write_vit(tmp_path / "backbone", head=False)
    model = load_image_model(folder)
    assert (model.dim, model.classes) == (16, 0)
    assert extract(model, pictures()).probs is None
    assert ViTModel.from_pretrained(folder).config.hidden_size == 16


def test_a_backbone_without_a_classifier_class_is_pooled(tmp_path):
    import torch
    from transformers import DPTConfig, DPTModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = DPTConfig(**sizes, image_size=32, patch_size=8, backbone_out_indices=[0, 1, 1, 1])
    DPTModel(config).save_pretrained(tmp_path / "dpt")
    model = load_image_model(tmp_path / "dpt")
    assert (model.dim, model.classes) == (16, 0)
    assert extract(model, pictures()).pooled.std() > 0.01


def test_a_model_of_grey_images_sees_grey_images(tmp_path):
    folder = write_vit(tmp_path / "grey", num_channels=1)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"image_mean": [0.5], "image_std": [0.5]}))
    model = load_image_model(folder)
    red = np.zeros((32, 32, 3), np.uint8)
    red[:16, :, 0] = 255
    grey = np.asarray(Image.fromarray(red).convert("L"))
    found = extract(model, [red, grey, np.zeros((32, 32), np.uint8)]).pooled
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_position_embeddings_are_interpolated_to_the_preprocessing(tmp_path):
    folder = write_vit(tmp_path / "vit")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["size"] = {"height": 48, "width": 48}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    model = load_image_model(folder)
    assert model.options == {"interpolate_pos_encoding": True}
    assert model.preprocessing([Image.new("RGB", (9, 9))])[0].shape == (3, 48, 48)


def test_without_preprocessing_a_model_sees_its_own_size(tmp_path):
    model = load_image_model(write_vit(tmp_path / "vit", processor=False))
    white = model.preprocessing([Image.new("RGB", (9, 9), (255, 255, 255))])[0]
    assert white.shape == (3, 32, 32)
    np.testing.assert_allclose(white, (1 - 0.45) / 0.25, rtol=1e-5)


def test_images_of_unlike_shapes_are_run_one_by_one(tmp_path):
    import torch
    from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", num_labels=4)
    ResNetForImageClassification(config).save_pretrained(tmp_path / "resnet")
    ConvNextImageProcessorPil(size={"shortest_edge": 384}).save_pretrained(tmp_path / "resnet")
    settings = json.loads((tmp_path / "resnet/preprocessor_config.json").read_text())
    settings |= {"image_processor_type": "ViTImageProcessor", "do_resize": False}
    (tmp_path / "resnet/preprocessor_config.json").write_text(json.dumps(settings))
    model = load_image_model(tmp_path / "resnet")
    wide, square = pictures(1, 64)[0][:32], pictures(1, 64)[0]
    found = extract(model, [wide, square]).pooled
    np.testing.assert_allclose(found[0], extract(model, [wide]).pooled[0], atol=1e-5)
    assert found.shape == (2, 8)
