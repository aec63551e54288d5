"""Episodes: ranks, padding, balance of tables, and facts withheld."""

import numpy as np
import pytest
import torch

from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.tokens.structure import FACT_COLUMNS, structure_view, without_tensor_set
from hf_crosssight.training.episodes import EpisodeSampler, ranks_of, withhold_facts

TOKENS = {
    "pets": [np.ones((3, 4), np.float32), np.full((5, 4), 2.0, np.float32)],
    "dtd": [np.ones((2, 4), np.float32)],
}
ROWS = {f"m{i}": i for i in range(10)}
MODELS = tuple(ROWS)


def task(table, dataset, seed=0):
    return Task(table, dataset, MODELS, np.random.default_rng(seed).random(10))


def test_ranks_count_better_models_and_share_ties():
    assert ranks_of(np.array([0.5, 0.9, 0.5, 0.1])).tolist() == [1, 0, 1, 3]


def test_a_batch_ranks_the_models_it_drew_as_the_table_does():
    one = task("t", "pets")
    episode = EpisodeSampler([one], TOKENS, ROWS, models_per_task=6, seed=1).draw(8)
    assert episode.ranks.shape[1] <= 6
    for row in range(8):
        used = episode.ranks[row] >= 0
        scores = one.scores[episode.models[row][used].numpy()]
        assert np.array_equal(np.argsort(-scores), np.argsort(episode.ranks[row][used].numpy(), kind="stable"))
        number = episode.samples[row]
        assert episode.dataset_mask[row].sum() == len(TOKENS["pets"][number])
        assert episode.dataset_tokens[row][~episode.dataset_mask[row]].abs().sum() == 0


def test_large_tables_do_not_drown_small_ones():
    tasks = [task("large", "pets", i) for i in range(16)] + [task("small", "dtd")]
    drawn = EpisodeSampler(tasks, TOKENS, ROWS, seed=0).draw(400).datasets
    assert 0.14 < drawn.count("dtd") / 400 < 0.26  # 1 : sqrt(16)


def test_the_same_seed_draws_the_same():
    first, second = (EpisodeSampler([task("t", "pets")], TOKENS, ROWS, seed=3).draw(4) for _ in range(2))
    assert torch.equal(first.models, second.models)
    assert torch.equal(first.dataset_tokens, second.dataset_tokens)


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(ValueError, match="no task"):
        EpisodeSampler([task("t", "unknown")], TOKENS, ROWS)


def test_withheld_facts_look_like_unknown_ones():
    view = torch.from_numpy(structure_view(None, params=10_000_000, gmacs=2.0, macts=5.0, input_size=224))
    view[1:4, 0] = 1.0
    views = view.expand(2000, -1, -1)
    less = withhold_facts(views, 0.5, torch.Generator().manual_seed(0))
    without_tensors = less[(less[:, 1:].abs().sum((1, 2)) == 0)]
    assert 0.45 < len(without_tensors) / 2000 < 0.55
    assert torch.equal(without_tensors[:, 0, 9:], torch.zeros_like(without_tensors[:, 0, 9:]))
    gmacs, macts = (less[:, 0, FACT_COLUMNS[name]] for name in ("gmacs", "macts"))
    assert torch.equal(gmacs, macts)
    assert less[gmacs == 0][:, 0, FACT_COLUMNS["gmacs"] + 1].abs().sum() == 0
    assert np.allclose(without_tensor_set(view.numpy())[1:], 0)
    assert views.abs().sum() == view.abs().sum() * 2000  # the input stays as it was
