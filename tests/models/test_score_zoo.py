"""Scoring a whole zoo gives what `forward` gives, in any chunks, from the arrays that an index holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.models.small_rankers import dataset, small_model, views

MODELS = 23


def zoo(models: int = MODELS) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Float16 views and masks of a zoo; some models lack a view."""
    data = {name: view[0].half().numpy() for name, view in views(models).items()}
    masks = {name: np.ones(models, dtype=bool) for name in data}
    masks["card"][3::4] = False
    return data, masks


def forward_scores(model, data, masks):
    batch = {name: torch.tensor(view, dtype=torch.float32)[None] for name, view in data.items()}
    return model(dataset()[None], None, batch, {name: torch.tensor(mask)[None] for name, mask in masks.items()})


@pytest.mark.parametrize("preset", ["default", "thesis"])
@pytest.mark.parametrize("chunk", [5, MODELS, 1000])
def test_any_chunk_gives_what_forward_gives(preset, chunk):
    model, (data, masks) = small_model(preset), zoo()
    model.set_references([dataset(seed=5), dataset(seed=6)])
    whole, scored = forward_scores(model, data, masks), model.score_zoo(dataset().numpy(), data, masks, chunk)
    for name in ("scores", "scores_std", "static", "residual", "gate", "member_scores"):
        assert torch.allclose(scored[name], whole[name], rtol=1e-5, atol=1e-5), name
    assert scored.scores.shape == (1, MODELS)


def test_memory_mapped_views_tensors_and_masks_left_out(tmp_path):
    model, (data, _) = small_model(), zoo()
    for name, view in data.items():
        np.save(tmp_path / f"{name}.npy", view)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in data}
    expected = model.score_zoo(dataset(), data).scores
    assert torch.equal(model.score_zoo(dataset(), mapped).scores, expected)
    assert torch.equal(model.score_zoo(dataset(), {n: torch.tensor(v) for n, v in data.items()}).scores, expected)


def test_padded_tokens_and_training_mode_change_nothing():
    model, (data, masks) = small_model(), zoo()
    expected = model.score_zoo(dataset(), data, masks).scores
    padded = torch.cat([dataset(), torch.full((3, 30), 5.0)])
    assert torch.allclose(
        model.score_zoo(padded, data, masks, dataset_mask=[True] * 6 + [False] * 3).scores, expected, atol=1e-6
    )
    assert torch.equal(model.train().score_zoo(dataset(), data, masks).scores, expected)
    assert model.training


def test_evidence_follows_its_model():
    model, (data, masks) = small_model(evidence_size=1), zoo()
    evidence = np.zeros((MODELS, 1), dtype=np.float32)
    evidence[17] = 1.0
    gain = model.score_zoo(dataset(), data, masks, 5, evidence=evidence).scores
    gain = gain - model.score_zoo(dataset(), data, masks, 5).scores
    assert gain[0, 17].item() == pytest.approx(model.evidence_head.weight.item(), abs=1e-6)
    assert int((gain.abs() > 1e-7).sum()) == 1


def test_an_empty_zoo_gives_no_scores_and_uneven_views_are_refused():
    model, (data, _) = small_model(), zoo()
    assert model.score_zoo(dataset(), {name: view[:0] for name, view in data.items()}).scores.shape == (1, 0)
    with pytest.raises(ValueError, match="different numbers of models"):
        model.score_zoo(dataset(), {**data, "card": data["card"][:4]})
    with pytest.raises(ValueError, match="views is needed"):
        model.score_zoo(dataset(), {})


def test_scoring_takes_one_thread_and_gives_the_others_back(monkeypatch):
    model, (data, masks) = small_model(), zoo()
    before, seen = torch.get_num_threads(), []
    decode = type(model)._decode
    monkeypatch.setattr(type(model), "_decode", lambda *a: seen.append(torch.get_num_threads()) or decode(*a))
    torch.set_num_threads(2)
    try:
        model.score_zoo(dataset(), data, masks)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
