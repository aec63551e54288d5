"""Costs of a pass against known figures: what fvcore and timm state of the same networks, and hand-counted bytes."""

import pytest
import torch
import transformers

from hf_crosssight.features.untrusted import UnusableModelError, Weights
from hf_crosssight.hardware.forward_counts import count_forward, on_meta
from hf_crosssight.hardware.known_models import counts_from_config, known_models
from hf_crosssight.hardware.memory import memory_of
from hf_crosssight.hardware.model_shape import model_shapes


@pytest.mark.parametrize(
    ("config", "gmacs", "macts"),
    [
        (transformers.ViTConfig(num_labels=1000), 17.58, 23.90),  # timm: vit_base_patch16_224
        (transformers.ResNetConfig(num_labels=1000), 4.11, 11.11),  # timm: resnet50
        (transformers.ConvNextConfig(num_labels=1000), 4.47, 13.44),  # timm: convnext_tiny
    ],
)
def test_counts_are_those_that_timm_states(config, gmacs, macts):
    with torch.device("meta"):
        network = transformers.AutoModelForImageClassification.from_config(config).eval()
    counts = on_meta(network, lambda pixels: network(pixel_values=pixels), (1, 3, 224, 224))
    assert counts.gmacs == pytest.approx(gmacs, rel=0.01)
    assert counts.macts == pytest.approx(macts, rel=0.01)


def test_a_real_pass_counts_as_the_same_pass_on_the_meta_device():
    config = transformers.ViTConfig(
        hidden_size=48, num_attention_heads=3, intermediate_size=96, num_hidden_layers=2, image_size=32, patch_size=8
    )
    network = transformers.AutoModelForImageClassification.from_config(config).eval()
    pixels = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        real = count_forward(network, lambda: network(pixel_values=pixels))
    meta = on_meta(network, lambda images: network(pixel_values=images), (3, 3, 32, 32))
    assert (real.gmacs, real.macts, real.params) == (meta.gmacs, meta.macts, meta.params)
    assert real.live_bytes == pytest.approx(meta.live_bytes, rel=0.05)


def test_live_bytes_are_what_lives_at_one_time():
    chain = torch.nn.Sequential(*[torch.nn.Linear(100, 100, bias=False) for _ in range(5)])
    counts = on_meta(chain, chain, (7, 100))
    assert counts.weight_bytes == 5 * 100 * 100 * 4
    assert counts.gmacs == pytest.approx(5 * 7 * 100 * 100 / 1e9)
    assert counts.macts == pytest.approx(5 * 700 / 1e6)
    assert counts.live_bytes == 2 * 700 * 4  # a layer's input and output


def test_counted_bytes_are_taken_over_learned_ones():
    shapes = model_shapes(None, params=1_000_000, gmacs=1.0, macts=5.0, input_size=224)
    learned = memory_of(shapes, 4, "infer", "cpu")
    counted = type(shapes)(
        *(getattr(shapes, n) for n in ("params", "gmacs", "macts", "input_size", "summary")), [2.0**20]
    )
    assert memory_of(counted, 4, "infer", "gpu").value[0] == pytest.approx(4e6 / 2**20 + 4 / 2)  # 16-bit activations
    assert memory_of(counted, 4, "infer", "cpu").value[0] == pytest.approx(12 + 1.06 * 4e6 / 2**20 + 1.4 * 4)
    assert learned.low[0] < learned.value[0] < learned.high[0]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "org" / "tiny"
    config = transformers.ViTConfig(
        hidden_size=48, num_attention_heads=3, intermediate_size=96, num_hidden_layers=2, image_size=32, patch_size=8
    )
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(path)
    return path


def test_a_folder_whose_costs_are_in_no_table_is_counted_from_its_config(folder):
    known = known_models([str(folder)])
    assert known.ids == ("org/tiny",)
    assert known.unknown == {}
    assert known.shapes.known.all()
    assert known.shapes.input_size[0] == 32
    assert known.shapes.live_bytes[0] > 0


def test_weights_kept_in_half_precision_cost_what_whole_ones_do(folder):
    whole = known_models([str(folder)]).shapes
    transformers.AutoModelForImageClassification.from_pretrained(folder, dtype="float16").save_pretrained(folder)
    assert '"float16"' in (folder / "config.json").read_text()
    half = known_models([str(folder)])
    assert half.unknown == {}
    assert (half.shapes.gmacs, half.shapes.params) == (whole.gmacs, whole.params)


def test_a_config_much_larger_than_its_weights_is_not_built(folder):
    text = (folder / "config.json").read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 2000000')
    (folder / "config.json").write_text(text)
    with pytest.raises(UnusableModelError):
        counts_from_config(folder, Weights(40, 100_000), 32)
    known = known_models([str(folder)])
    assert "num_hidden_layers" in known.unknown["org/tiny"]
