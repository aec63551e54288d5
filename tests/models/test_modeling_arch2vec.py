"""Properties that a weight encoder must have whatever it has learnt, on small random encoders of both presets."""

from __future__ import annotations

import pytest
import torch

from hf_crosssight.models import Arch2VecModel
from hf_crosssight.models.losses_arch2vec import nt_xent, source_contrast, weighted_mean
from tests.models.small_encoders import chunks, inputs_of, small_encoder, tensor_tokens

PRESETS = ["default", "thesis"]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.parametrize("preset", PRESETS)
def test_order_of_rows_does_not_matter(preset):
    model, tokens = small_encoder(preset), inputs_of(preset)
    order = torch.tensor([0, 3, 5, 1, 4, 2])  # padding moves too; row 0 is the summary
    plain, permuted = model(tokens), model(tokens[:, order])
    assert torch.allclose(permuted.codes, plain.codes, **CLOSE)
    assert torch.allclose(permuted.token_codes, plain.token_codes[:, order], **CLOSE)
    assert plain.codes.std() > 1e-2


def test_the_summary_is_no_tensor():
    model, tokens = small_encoder(), tensor_tokens()
    swapped = model(tokens[:, [1, 0, 2, 3, 4, 5]]).codes
    assert not torch.allclose(swapped, model(tokens).codes, atol=1e-3)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_batch_equals_its_rows_and_padding_is_not_read(preset):
    model, tokens = small_encoder(preset), inputs_of(preset)
    whole = model(tokens).codes
    filled = tokens.clone()
    filled[:, -1, 1:] = 7.0
    assert torch.allclose(model(filled).codes, whole, **CLOSE)
    assert torch.allclose(model(tokens[2:3, :-1]).codes, whole[2:3], **CLOSE)


@pytest.mark.parametrize("preset", PRESETS)
def test_shapes_and_a_model_with_no_row(preset):
    model = small_encoder(preset)
    output = model(torch.zeros_like(inputs_of(preset)))
    assert output.codes.shape == (4, model.config.num_codes, 8)
    assert torch.isfinite(output.codes).all()
    assert output.token_codes.abs().max() == 0
    assert output.loss is None
    with pytest.raises(ValueError, match="expected \\[batch, rows, 12\\]"):
        model(torch.zeros(1, 3, 5))


def test_hidden_statistics_are_not_seen_and_what_the_tensor_is_still_is():
    model, tokens = small_encoder(), tensor_tokens()
    hidden = torch.zeros(4, 6, dtype=torch.bool)
    hidden[:, 2] = True
    changed, other_kind = tokens.clone(), tokens.clone()
    changed[:, 2, 6:] += 1.0
    other_kind[:, 2, 5] += 1.0
    plain = model(tokens, hidden).codes
    assert torch.allclose(model(changed, hidden).codes, plain, **CLOSE)
    assert not torch.allclose(model(other_kind, hidden).codes, plain, atol=1e-3)
    assert not torch.allclose(model(changed).codes, model(tokens).codes, atol=1e-3)


def test_hidden_tokens_weigh_more_in_the_reconstruction():
    model, tokens = small_encoder(visible_weight=0.0), tensor_tokens()
    hidden = torch.zeros(4, 6, dtype=torch.bool)
    hidden[1, 3] = True
    output = model(tokens, hidden, labels=tokens)
    expected = (output.reconstruction[1, 3] - tokens[1, 3, 6:].clamp(-4, 4)).square().mean()
    assert torch.allclose(output.losses["reconstruction"], expected, **CLOSE)
    assert torch.allclose(output.loss, 0.95 * expected, **CLOSE)


def test_thesis_loss_is_smooth_l1_and_mean_absolute_code():
    model, tokens = small_encoder("thesis"), chunks()
    output = model(tokens, labels=tokens)
    real = tokens[..., 0] > 0.5
    error = torch.nn.functional.smooth_l1_loss(output.reconstruction[real], tokens[real][:, 1:])
    assert torch.allclose(output.losses["reconstruction"], error, **CLOSE)
    assert torch.allclose(output.losses["sparsity"], output.token_codes[real].abs().mean(), **CLOSE)
    assert torch.allclose(output.loss, error + 1e-3 * output.losses["sparsity"], **CLOSE)
    assert torch.allclose(output.codes[:, 0], output.token_codes[:, :-1].mean(1), **CLOSE)
    with pytest.raises(ValueError, match="not masked"):
        model(tokens, real)


def test_a_sample_that_finds_its_partner_costs_less():
    torch.manual_seed(0)
    first, noise = torch.randn(8, 5), torch.randn(8, 5)
    assert nt_xent(first, first + 0.01 * noise, 0.1) < nt_xent(first, noise, 0.1)
    assert torch.allclose(nt_xent(first, first, 1e6), torch.log(torch.tensor(15.0)), atol=1e-3)
    model, tokens = small_encoder(), tensor_tokens()
    same = model(tokens, labels=tokens, pair_tokens=tokens).losses["contrast"]
    other = model(tokens, labels=tokens, pair_tokens=tensor_tokens(seed=9)).losses["contrast"]
    assert same < other


def test_source_contrast_draws_families_together_and_ignores_what_is_unknown():
    near = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0], [-1.0, 0.0]])
    families, sources = torch.tensor([0, 1, 0, 1, 2]), torch.tensor([5, 5, 6, 6, -1])
    far = near[[0, 2, 1, 3, 4]]
    assert source_contrast(near, sources, families, 0.5) < source_contrast(far, sources, families, 0.5)
    moved = torch.cat([near[:4], torch.tensor([[1.0, 0.0]])])
    same = source_contrast(near, sources, families, 0.5)
    assert torch.allclose(source_contrast(moved, sources, families, 0.5), same, **CLOSE)
    assert source_contrast(near, sources, torch.zeros(5), 0.5) == 0.0  # no pair across families


def test_weighted_mean_of_nothing_is_zero():
    assert weighted_mean(torch.ones(3), torch.zeros(3)) == 0.0


@pytest.mark.parametrize("mode", ["kind", "all", "none"])
def test_normalisation_is_by_kind(mode):
    model, tokens = small_encoder(normalization=mode, normalization_prior=0.0), tensor_tokens(models=200)
    shift = tokens[..., 1:4] @ torch.tensor([0.0, 10.0, -10.0])
    tokens[..., 6:] += shift[..., None] * tokens[..., :1]
    model.fit_scale(tokens)
    scaled = model.body.normalizer(tokens)
    kind = (tokens[..., 2] > 0.5) & (tokens[..., 0] > 0.5)
    kind[:, 0] = False
    mean, spread = scaled[kind][:, 6:].mean(), scaled[kind][:, 6:].std()
    assert torch.equal(scaled[..., 1:4], tokens[..., 1:4])
    if mode == "kind":
        assert abs(mean) < 0.02
        assert 0.9 < spread < 1.05
    else:
        assert mean > 0.9
    assert scaled.abs().max() <= model.config.normalization_clip


def test_a_rare_kind_leans_on_all_tokens_and_constant_columns_stay_calm():
    model, tokens = small_encoder(normalization_prior=32.0), tensor_tokens(models=50)
    tokens[..., 1:4] = torch.tensor([1.0, 0.0, 0.0]) * tokens[..., :1]
    tokens[0, 2, 1:4] = torch.tensor([0.0, 1.0, 0.0])
    tokens[0, 2, 6:] = 3.0
    tokens[..., 11] = 5.0 * tokens[..., 0]
    tokens[:, 0, 11] = 5.0
    model.fit_scale(tokens)
    scaled = model.body.normalizer(tokens)
    assert 1.0 < scaled[0, 2, 6] < 4.0  # one token does not make its own zero
    assert scaled[..., 11].abs().max() < 1e-3
    before = model(tokens, labels=tokens).losses["reconstruction"]
    model.body.decoder.answer.bias.data[-1] += 9.0  # a column that is alike in all tells nothing and counts nothing
    assert torch.allclose(model(tokens, labels=tokens).losses["reconstruction"], before, **CLOSE)


@pytest.mark.parametrize("preset", PRESETS)
def test_save_and_load_give_equal_codes(preset, tmp_path):
    model, tokens = small_encoder(preset), inputs_of(preset)
    model.fit_scale(tokens)
    model.save_pretrained(tmp_path)
    again = Arch2VecModel.from_pretrained(tmp_path)
    assert torch.equal(again(tokens).codes, model(tokens).codes)
    assert again.config.loss == model.config.loss
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".py"}


@pytest.mark.parametrize("preset", PRESETS)
def test_eager_and_sdpa_agree_and_bfloat16_is_close(preset):
    model, tokens = small_encoder(preset), inputs_of(preset)
    model.set_attn_implementation("sdpa")
    sdpa = model(tokens).codes
    model.set_attn_implementation("eager")
    assert torch.allclose(model(tokens).codes, sdpa, **CLOSE)
    assert torch.allclose(model.bfloat16()(tokens).codes.float(), sdpa, atol=0.06)


@pytest.mark.parametrize(("preset", "checkpointing"), [("default", False), ("default", True), ("thesis", False)])
def test_gradient_reaches_every_parameter(preset, checkpointing):
    weights = {"reconstruction": 1.0, "contrast": 1.0, "sparsity": 1.0}
    model, tokens = small_encoder(preset, loss=weights).train(), inputs_of(preset)
    if checkpointing:
        model.gradient_checkpointing_enable()
    hidden = torch.zeros(4, 6, dtype=torch.bool)
    hidden[:, 2] = True
    extra = {"bool_masked_pos": hidden, "pair_tokens": inputs_of(preset, seed=3)} if preset == "default" else {}
    model(tokens, labels=tokens, **extra).loss.backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert [name for name in idle if "k_proj.bias" not in name] == []
    as_tuple = model(tokens, labels=tokens, return_dict=False)
    assert as_tuple[0].ndim == 0  # the loss comes first
