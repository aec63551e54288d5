"""Properties that a ranker must have whatever it has learnt, on small random rankers of both presets."""

from __future__ import annotations

import pytest
import torch

from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.models.ranking_losses import gaussian_rank_mse, listmle, weighted_pairwise_logistic
from tests.models.small_rankers import dataset, small_model, take, views

PRESETS = ["default", "thesis"]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
RANKS = torch.tensor([[0.0, 1, 2, 3, 4, 5], [5.0, 3, -1, 0, float("nan"), 1]])


def batch() -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Two datasets, the second shorter and padded with what must not be read, and their own models."""
    first, second = dataset(4, seed=1), dataset(2, seed=2)
    padding = torch.full((2, 30), 9.0)
    tokens = torch.stack([first, torch.cat([second, padding])])
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    return tokens, mask, views(6, batch=2, seed=3)


@pytest.mark.parametrize("preset", PRESETS)
def test_permuting_models_permutes_scores(preset):
    model, data, order = small_model(preset), views(), [4, 0, 5, 2, 1, 3]
    plain = model(dataset()[None], None, data)
    permuted = model(dataset()[None], None, take(data, order))
    for name in ("scores", "scores_std", "static", "residual"):
        assert torch.allclose(permuted[name], plain[name][:, order], **CLOSE)
    assert plain.scores.std() > 1e-3


@pytest.mark.parametrize("preset", PRESETS)
def test_order_of_dataset_tokens_does_not_matter(preset):
    model, tokens = small_model(preset), dataset()
    model.set_references([dataset(seed=5), dataset(seed=6)])
    order = torch.tensor([5, 2, 0, 4, 1, 3])
    plain, permuted = model(tokens[None], None, views()), model(tokens[order][None], None, views())
    assert torch.allclose(permuted.scores, plain.scores, **CLOSE)
    assert torch.allclose(permuted.gate, plain.gate, **CLOSE)


def test_other_models_change_no_score_of_the_default_preset():
    model, data = small_model(), views(6)
    alone = model(dataset()[None], None, take(data, [2]))
    together = model(dataset()[None], None, data)
    more = model(dataset()[None], None, take(data, [0, 2, 2, 1]))
    assert torch.allclose(alone.scores[0, 0], together.scores[0, 2], **CLOSE)
    assert torch.allclose(more.scores[0, 1], together.scores[0, 2], **CLOSE)


def test_self_attention_among_models_is_what_the_switch_switches():
    data = views(6)
    for switch in (True, False):
        model = small_model("thesis", model_self_attention=switch)
        alone = model(dataset()[None], None, take(data, [2])).scores[0, 0]
        together = model(dataset()[None], None, data).scores[0, 2]
        assert torch.allclose(alone, together, rtol=0, atol=1e-6) is not switch


def test_joint_attention_reads_dataset_and_models_in_one_sequence_without_padding_or_order():
    model = small_model("thesis", joint_attention=True, encoder_layers=0, decoder_layers=2)
    data, tokens = views(6), dataset()[None]
    whole = model(tokens, None, data).scores
    assert not torch.allclose(whole, model(dataset(seed=3)[None], None, data).scores, rtol=0, atol=1e-4)
    assert not torch.allclose(whole[0, 2], model(tokens, None, take(data, [2])).scores[0, 0], rtol=0, atol=1e-6)
    padding = torch.tensor([[True] * 6 + [False] * 2])
    padded = model(tokens, None, take(data, [*range(6), 0, 0]), model_mask=padding).scores
    assert torch.allclose(padded[:, :6], whole, **CLOSE)
    longer = torch.cat([tokens, torch.randn(1, 3, tokens.shape[-1])], dim=1)
    seen = torch.arange(longer.shape[1])[None] < tokens.shape[1]
    assert torch.allclose(model(longer, seen, data).scores, whole, **CLOSE)
    assert torch.allclose(model(tokens.flip(1), None, data).scores, whole, **CLOSE)
    in_chunks = model.score_zoo(tokens[0], {name: view[0] for name, view in data.items()}, chunk=2).scores
    assert torch.allclose(in_chunks, whole, **CLOSE)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_batch_equals_its_rows_and_padding_tokens_are_not_read(preset):
    model, (tokens, mask, data) = small_model(preset), batch()
    model.set_references([dataset(seed=5), dataset(seed=6)])
    whole = model(tokens, mask, data)
    for row, length in ((0, 6), (1, 4)):
        single = model(
            tokens[row : row + 1, :length], None, {name: view[row : row + 1] for name, view in data.items()}
        )
        assert torch.allclose(whole.scores[row], single.scores[0], **CLOSE)
        assert torch.allclose(whole.gate[row], single.gate[0], **CLOSE)


@pytest.mark.parametrize("preset", PRESETS)
def test_models_that_fill_up_a_batch_change_nothing(preset):
    model, data = small_model(preset), views(6)
    keep = torch.tensor([[True] * 4 + [False] * 2])
    full = model(dataset()[None], None, data, model_mask=keep, ranks=torch.tensor([[0.0, 1, 2, 3, -1, -1]]))
    cut = model(dataset()[None], None, take(data, [0, 1, 2, 3]), ranks=torch.tensor([[0.0, 1, 2, 3]]))
    assert torch.allclose(full.scores[:, :4], cut.scores, **CLOSE)
    assert torch.allclose(full.loss, cut.loss, **CLOSE)


@pytest.mark.parametrize("preset", PRESETS)
def test_missing_views_empty_datasets_and_absent_rows_stay_finite(preset):
    model, data = small_model(preset), views()
    masks = {"structure": torch.tensor([[True, True, False, False, True, True]]), "card": torch.zeros(1, 6).bool()}
    output = model(dataset()[None], torch.zeros(1, 6).bool(), data, masks)
    assert torch.isfinite(output.scores).all()
    assert output.gate.item() == 0.0
    assert torch.allclose(output.scores[0, 2], output.scores[0, 3], **CLOSE)  # nothing is known of either
    empty = {name: torch.zeros_like(view) for name, view in data.items()}
    nothing = model(dataset()[None], None, empty)
    assert torch.isfinite(nothing.scores).all()
    masked = model(dataset()[None], None, data, {name: torch.zeros(1, 6).bool() for name in data})
    assert torch.allclose(nothing.scores, masked.scores, **CLOSE)


def test_a_missing_view_is_not_read_and_may_be_left_out():
    model, data = small_model(), views()
    absent = torch.zeros(1, 6).bool()
    told = model(dataset()[None], None, data, {"card": absent}).scores
    changed = {"structure": data["structure"], "card": torch.full_like(data["card"], 7.0)}
    assert torch.allclose(model(dataset()[None], None, changed, {"card": absent}).scores, told, **CLOSE)
    assert torch.allclose(model(dataset()[None], None, {"structure": data["structure"]}).scores, told, **CLOSE)
    assert not torch.allclose(model(dataset()[None], None, data).scores, told, atol=1e-4)


def test_set_rows_are_a_set():
    model, data = small_model(), views()
    shuffled = {**data, "structure": data["structure"][:, :, [0, 3, 1, 4, 2]]}
    swapped_summary = {**data, "structure": data["structure"][:, :, [1, 0, 2, 3, 4]]}
    plain = model(dataset()[None], None, data).scores
    assert torch.allclose(model(dataset()[None], None, shuffled).scores, plain, **CLOSE)
    assert not torch.allclose(model(dataset()[None], None, swapped_summary).scores, plain, atol=1e-4)


@pytest.mark.parametrize("preset", PRESETS)
def test_eager_and_sdpa_agree_and_eager_tells_its_attention(preset):
    model, (tokens, mask, data) = small_model(preset), batch()
    model.set_attn_implementation("sdpa")
    sdpa = model(tokens, mask, data, output_attentions=True)
    model.set_attn_implementation("eager")
    eager = model(tokens, mask, data, output_attentions=True)
    assert torch.allclose(eager.scores, sdpa.scores, rtol=0, atol=1e-5)
    assert sdpa.attentions is None
    assert len(eager.attentions) == model.config.decoder_layers
    assert eager.attentions[0].shape == (2, 4, 6, 6)
    assert torch.allclose(eager.attentions[-1].sum(-1), torch.ones(2, 4, 6))
    assert eager.attentions[0][1, :, :, 4:].abs().max() == 0  # padded tokens get nothing
    assert model(tokens, mask, data).attentions is None


@pytest.mark.parametrize("preset", PRESETS)
def test_save_and_load_give_equal_scores_and_keep_the_references(preset, tmp_path):
    model, (tokens, mask, data) = small_model(preset), batch()
    model.set_references([dataset(seed=5), dataset(9, seed=6)], ["a", "b"], ["text a", "text b"])
    model.fit_token_scale([dataset(seed=5), dataset(seed=6)])
    model.save_pretrained(tmp_path)
    again = CrossSightModel.from_pretrained(tmp_path)
    assert not again.training
    assert again.config.reference_names == ["a", "b"]
    assert again.reference_tokens.dtype == torch.float16
    assert torch.equal(again.reference_tokens, model.reference_tokens)
    assert torch.equal(again.reference_mask, model.reference_mask)
    assert torch.equal(again(tokens, mask, data).scores, model(tokens, mask, data).scores)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".py"}  # no pickle; code may come


@pytest.mark.parametrize("preset", PRESETS)
def test_bfloat16_is_close(preset):
    model, (tokens, mask, data) = small_model(preset), batch()
    model.set_references([dataset(seed=5), dataset(seed=6)])
    exact = model(tokens, mask, data).scores
    rough = model.bfloat16()(tokens, mask, data, ranks=RANKS)
    assert rough.scores.dtype == torch.bfloat16
    assert torch.allclose(rough.scores.float(), exact, atol=0.05)
    assert rough.loss.dtype == torch.float32


def test_scores_are_the_sum_of_their_parts():
    model = small_model(evidence_size=2, gate_scale=0.5)
    evidence = torch.randn(1, 6, 2)
    evidence[0, 3] = float("nan")
    plain, measured = model(dataset()[None], None, views()), model(dataset()[None], None, views(), evidence=evidence)
    assert plain.gate.item() == pytest.approx(0.25)  # 0.5 before training, times the scale
    assert torch.allclose(plain.scores, plain.static + 0.25 * plain.residual, **CLOSE)
    added = evidence.nan_to_num() @ model.evidence_head.weight[0]
    assert torch.allclose(measured.scores, plain.scores + added, **CLOSE)
    assert torch.allclose(plain.scores, plain.member_scores.mean(-1), **CLOSE)
    assert torch.allclose(plain.scores_std, plain.member_scores.std(-1, correction=0), **CLOSE)


def test_thesis_scores_are_sigmoids_of_the_decoder_alone():
    output = small_model("thesis")(dataset()[None], None, views())
    assert torch.allclose(output.scores, output.residual.sigmoid(), **CLOSE)
    assert output.static.abs().max() == 0
    assert output.scores_std.abs().max() == 0
    assert output.gate.tolist() == [1.0]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradient_reaches_every_parameter(preset, checkpointing):
    model, (tokens, mask, data) = small_model(preset, evidence_size=2, dataset_token_dropout=0.0), batch()
    model.set_references([dataset(seed=5), dataset(seed=6)])
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable()
    present = {"structure": torch.ones(2, 6).bool(), "card": torch.ones(2, 6).bool()}
    present["structure"][:, 3] = present["card"][:, 4] = False
    model(tokens, mask, data, present, evidence=torch.randn(2, 6, 2), ranks=RANKS).loss.backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert [
        name for name in idle if "k_proj.bias" not in name
    ] == []  # a bias of all keys alike leaves a softmax as is


@pytest.mark.parametrize("preset", PRESETS)
def test_gradient_checkpointing_changes_no_gradient(preset):
    gradients = []
    for checkpointing in (False, True):
        quiet = {"dataset_token_dropout": 0.0, "view_dropout": 0.0, "set_dropout": 0.0, "hidden_dropout": 0.0}
        model, (tokens, mask, data) = small_model(preset, **quiet).train(), batch()
        if checkpointing:
            model.gradient_checkpointing_enable()
        model(tokens, mask, data, ranks=RANKS).loss.backward()
        gradients.append([p.grad for p in model.parameters()])
    assert all(torch.allclose(a, b, **CLOSE) for a, b in zip(*gradients, strict=True))


def test_thesis_loss_is_listmle_of_sigmoids_at_the_temperature_set():
    model, (tokens, mask, data) = small_model("thesis"), batch()
    for temperature in (1.0, 0.25):
        model.set_temperature(temperature)
        output = model(tokens, mask, data, ranks=RANKS)
        assert output.loss.item() == pytest.approx(listmle(output.scores, RANKS, temperature).mean().item(), rel=1e-5)
    with pytest.raises(ValueError, match="temperature"):
        model.set_temperature(0.0)


def test_default_loss_is_the_weighted_mean_over_members_and_tasks():
    model, (tokens, mask, data) = small_model(loss={"gaussian_mse": 1.0, "pairwise": 0.5}, ensemble_size=2), batch()
    weights = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    output = model(tokens, mask, data, ranks=RANKS, member_weights=weights)
    scores, ranks = output.member_scores.transpose(1, 2), RANKS[:, None]
    each = gaussian_rank_mse(scores, ranks) + 0.5 * weighted_pairwise_logistic(scores, ranks)
    assert output.loss.item() == pytest.approx(((each * weights).sum() / 6).item(), rel=1e-5)
    unranked = torch.full_like(RANKS, -1.0)
    assert model(tokens, mask, data, ranks=unranked).loss.item() == 0.0
    half = torch.stack([RANKS[0], unranked[1]])
    alone = model(tokens[:1], mask[:1], {n: v[:1] for n, v in data.items()}, ranks=RANKS[:1]).loss
    assert model(tokens, mask, data, ranks=half).loss.item() == pytest.approx(alone.item(), rel=1e-5)


def test_dataset_token_dropout_closes_whole_tasks():
    model = small_model(dataset_token_dropout=0.5, hidden_dropout=0.0, view_dropout=0.0, set_dropout=0.0).train()
    torch.manual_seed(0)
    data = {name: view.expand(200, -1, -1, -1) for name, view in views(1).items()}
    gates = model(dataset().expand(200, -1, -1), None, data).gate
    assert set(gates.tolist()) == {0.0, 0.5}
    assert 70 <= int((gates == 0).sum()) <= 130


def test_view_dropout_never_takes_all_views():
    model = small_model(view_dropout=0.9, hidden_dropout=0.0, set_dropout=0.0)
    query = model.model_query.train()
    torch.manual_seed(0)
    data = {name: view.expand(-1, 300, -1, -1) for name, view in views(1).items()}
    kept = query._drop_views(query._present(data, {}))
    seen = {tuple(row) for row in torch.stack(list(kept.values()), -1)[0].tolist()}
    assert seen == {(True, False), (False, True), (True, True)}


def test_set_dropout_gives_the_score_of_a_model_without_set():
    model = small_model(view_dropout=0.0, set_dropout=0.999, hidden_dropout=0.0, dataset_token_dropout=0.0)
    data = views()
    bare = {**data, "structure": data["structure"].clone()}
    bare["structure"][:, :, 1:] = 0.0
    expected = model(dataset()[None], None, bare).scores
    torch.manual_seed(0)
    assert torch.allclose(model.train()(dataset()[None], None, data).scores, expected, **CLOSE)


def test_tuple_output_and_wrong_inputs():
    model, data = small_model(), views()
    as_tuple = model(dataset()[None], None, data, return_dict=False)
    assert torch.equal(as_tuple[0], model(dataset()[None], None, data).scores)
    wrong = [
        ("model_views is needed", (dataset()[None],), {}),
        ("dataset_tokens are", (dataset()[None, :, :9], None, data), {}),
        ("dataset_tokens are", (dataset()[None, :0], None, data), {}),
        ("dataset_mask is", (dataset()[None], torch.ones(1, 3).bool(), data), {}),
        ("views probe given", (dataset()[None], None, {"probe": data["card"]}), {}),
        ("view 'card' is", (dataset()[None], None, {"card": data["card"][..., :3]}), {}),
        ("ranks are", (dataset()[None], None, data), {"ranks": torch.zeros(1, 3)}),
        ("evidence has 2 columns", (dataset()[None], None, data), {"evidence": torch.zeros(1, 6, 2)}),
    ]
    for message, args, kwargs in wrong:
        with pytest.raises(ValueError, match=message):
            model(*args, **kwargs)


def test_default_ranker_with_its_references_is_small_enough_to_bundle():
    config = CrossSightConfig(num_references=40)
    with torch.device("meta"):
        model = CrossSightModel(config)
    assert sum(p.numel() for p in model.parameters()) < 1_000_000
    assert sum(t.numel() * t.element_size() for t in model.state_dict().values()) < 8_000_000
