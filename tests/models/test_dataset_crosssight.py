"""Distances to the training datasets, the gate that follows, and the few tokens kept of each."""

from __future__ import annotations

import pytest
import torch

from hf_crosssight.models.dataset_crosssight import reduce_tokens
from hf_crosssight.models.distance_crosssight import comparable_datasets, dataset_distances
from tests.models.small_rankers import LAYOUT, dataset, small_model, views

TEXT = slice(*LAYOUT["text"])
PROTOTYPE = slice(*LAYOUT["prototype"])


def distances(tokens: list[torch.Tensor], references: list[torch.Tensor]) -> torch.Tensor:
    """Distances between datasets of equal length, none padded."""

    def stacked(items, center=None):
        values = torch.stack(items)
        return comparable_datasets(values, torch.ones(values.shape[:2], dtype=torch.bool), LAYOUT, center)

    prepared = stacked(references)
    return dataset_distances(stacked(tokens, prepared.center), prepared)


def test_a_dataset_is_at_distance_zero_of_itself_and_farther_from_others():
    both = [dataset(seed=1), dataset(seed=2)]
    table = distances(both, both)
    assert table.diagonal().tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert table[0, 1] > 0.3
    assert table[0, 1].item() == pytest.approx(table[1, 0].item(), abs=1e-6)


def test_images_and_text_count_half_each():
    own, other = dataset(seed=1), dataset(seed=1)
    other[-1, TEXT] = -own[-1, TEXT]
    assert distances([own], [other]).item() == pytest.approx(1.0, abs=1e-6)  # (0 + 2) / 2
    other = dataset(seed=1)
    other[:4, PROTOTYPE] = -own[:4, PROTOTYPE]
    pairs = (
        1 - torch.nn.functional.normalize(own[:4, PROTOTYPE]) @ -torch.nn.functional.normalize(own[:4, PROTOTYPE]).T
    )
    by_hand = (pairs.amin(0).mean() + pairs.amin(1).mean()) / 2 / 2
    assert distances([own], [other]).item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_without_images_text_decides_and_without_anything_in_common_it_is_farthest():
    words, silent = dataset(seed=1)[4:], dataset(seed=1)[4:].clone()
    silent[-1, TEXT] = 0.0
    images = dataset(seed=3)[:2]
    assert distances([words], [words]).item() == pytest.approx(0.0, abs=1e-6)
    assert distances([silent], [words]).item() == 2.0
    assert distances([images], [words]).item() == 2.0


def test_nearest_references_and_the_buffers_that_feed_them():
    model = small_model()
    kept = [dataset(3, seed=5), dataset(9, seed=6)]
    model.set_references(kept, ["small", "large"])
    assert model.reference_tokens.shape == (2, 6, 30)
    assert model.reference_mask.sum(1).tolist() == [5, 6]
    near = model.nearest_references(dataset(3, seed=5)[None])
    assert near.shape == (1, 2)
    assert near[0, 0].item() == pytest.approx(0.0, abs=1e-3)  # references are float16
    assert near[0, 1] > near[0, 0]
    model.set_references([dataset(3, seed=8)], ["other"])  # what was prepared for the old ones is not used again
    assert model.nearest_references(dataset(3, seed=5)[None]).shape == (1, 1)
    assert model.config.num_references == 1
    with torch.no_grad():
        model.reference_tokens.copy_(kept[0].new_zeros(1, 6, 30))
    assert model.nearest_references(dataset(3, seed=5)[None]).item() == 2.0
    with pytest.raises(ValueError, match="reference_names has 2 entries"):
        model.set_references([dataset()], ["a", "b"])


def test_reduced_tokens_keep_what_is_no_prototype_and_a_spread_of_the_rest():
    tokens = dataset(9, seed=6)
    kept = reduce_tokens(tokens, LAYOUT, 5)
    assert torch.equal(kept, tokens[[0, 4, 8, 9, 10]])
    assert torch.equal(reduce_tokens(tokens, LAYOUT, 20), tokens)
    assert torch.equal(reduce_tokens(tokens, LAYOUT, 2), tokens[[9, 10]])


def test_the_gate_sees_the_nearest_training_dataset_that_is_not_excluded():
    model = small_model()
    model.set_references([dataset(seed=5), dataset(seed=6)])
    with torch.no_grad():
        model.gate.linear.weight[0, 0] = -2.0  # the farther, the less
    tokens, data = dataset(seed=5)[None], views()
    seen = model(tokens, None, data).gate
    own_excluded = model(tokens, None, data, exclude_references=torch.tensor([[True, False]])).gate
    all_excluded = model(tokens, None, data, exclude_references=torch.tensor([[True, True]])).gate
    other = model.nearest_references(tokens)[0, 1]
    assert seen.item() == pytest.approx(0.5, abs=1e-3)
    assert own_excluded.item() == pytest.approx(torch.sigmoid(-2 * other).item(), abs=1e-5)
    assert all_excluded.item() == pytest.approx(torch.sigmoid(torch.tensor(-4.0)).item(), abs=1e-6)
    given = model.nearest_references(tokens)
    assert torch.allclose(model(tokens, None, data, reference_distances=given).gate, seen)
    assert small_model()(tokens, None, data).gate.item() == 0.5  # no references at all: 0.5 before training
    with pytest.raises(ValueError, match="exclude_references is"):
        model(tokens, None, data, exclude_references=torch.ones(1, 1).bool(), reference_distances=given)


def test_token_scale_takes_off_what_all_datasets_share():
    model = small_model()
    datasets = [dataset(seed=seed) for seed in range(5)]
    for tokens in datasets:
        tokens[:4, PROTOTYPE] += 10.0
    model.fit_token_scale(datasets)
    embedding = model.dataset_embedding
    assert embedding.token_center[PROTOTYPE].mean().item() == pytest.approx(10.0, abs=0.2)
    assert embedding.token_center[slice(*LAYOUT["stats"])].abs().max() == 0
    shared, plain = dataset(seed=9), dataset(seed=9)
    shared[:4, PROTOTYPE] += 10.0
    center = embedding.token_center.clone()
    shifted = embedding(shared[None])
    embedding.token_center[PROTOTYPE] = center[PROTOTYPE] - 10.0
    assert torch.allclose(embedding(plain[None]), shifted, atol=1e-4)
