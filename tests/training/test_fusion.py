"""Targets that join accuracy with a device, and a Fusion ranker that learns them."""

import numpy as np
import pytest
import torch

from hf_crosssight import rank
from hf_crosssight.data import load_sample
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.measurements import zoo_latency
from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.tokens.dataset import dataset_tokens
from hf_crosssight.tokens.hardware import HARDWARE_DIM
from hf_crosssight.training.episodes import NOT_IN_TASK, Episode
from hf_crosssight.training.fusion import joined_scores, joined_targets, train_fusion
from hf_crosssight.zoo.open import open_zoo


def test_within_the_budget_accuracy_decides_and_beyond_it_the_excess():
    worth, taken = np.array([0.9, 0.5, 0.7, 0.99, 0.1]), np.array([2.0, 1.0, 1.5, 40.0, 8.0])
    order = np.argsort(-joined_scores(worth, taken, 2.0)).tolist()
    assert order == [0, 2, 1, 4, 3]


def test_models_that_are_level_stay_level():
    values = joined_scores(np.array([0.5, 0.5, 0.2]), np.array([1.0, 1.5, 1.0]), 2.0)
    assert values[0] == values[1] > values[2]


@pytest.fixture
def episode():
    models = torch.arange(6).repeat(40, 1)
    ranks = torch.tensor([0.0, 1, 2, 3, 4, NOT_IN_TASK]).repeat(40, 1)
    return Episode(torch.zeros(40, 1, 3), torch.ones(40, 1, dtype=torch.bool), models, ranks, ("d",) * 40, (0,) * 40)


def test_targets_are_ranks_of_the_known_models_on_drawn_devices(episode):
    latency = {"t4": (find_device("t4"), np.array([50.0, 10.0, np.nan, 1.0, 5.0, 1.0]))}
    made, hardware = joined_targets(episode, latency, np.random.default_rng(0))
    assert hardware.shape == (40, HARDWARE_DIM)
    joined = hardware[:, 14] == 1
    assert 20 < joined.sum() < 40
    assert (made.ranks[joined][:, 2] == NOT_IN_TASK).all()  # its latency is not known
    assert (made.ranks[:, 5] == NOT_IN_TASK).all()
    assert torch.equal(made.ranks[~joined], episode.ranks[~joined])
    firsts = {int(row[row >= 0].min() == row[column]) and column for row in made.ranks[joined] for column in (0, 1, 3)}
    assert len(firsts) > 1  # budgets differ


def test_without_latencies_the_ranks_stay(episode):
    latency = {"t4": (find_device("t4"), np.full(6, np.nan))}
    made, hardware = joined_targets(episode, latency, np.random.default_rng(0))
    assert torch.equal(made.ranks, episode.ranks)
    assert not hardware.any()


def test_a_ranker_learns_from_hardware_and_ranks_for_a_device(tmp_path):
    zoo = open_zoo("starter").take(range(0, 2000, 80))
    device = find_device("rtx4090")
    taken = zoo_latency(zoo, device, 256)
    assert np.isfinite(taken).sum() > 10
    sample = load_sample("digits", images_per_class=2, offline=True)
    bundled = bundled_ranker()
    tokens = {"d": [dataset_tokens(sample)]}
    tasks = [Task("t", "d", tuple(zoo.model_ids), np.arange(len(zoo), dtype=float))]
    steps = []
    model = train_fusion(
        bundled, tasks, zoo.with_views(list(bundled.config.view_shapes)), tokens, {"rtx4090": (device, taken)},
        steps=25, batch=2, progress=lambda *said: steps.append(said),
    )  # fmt: skip
    assert steps == [("training", 25, 25)]
    model.save_pretrained(tmp_path / "fusion")
    wanted = {"zoo": "starter", "offline": True, "top": 5, "ranker": str(tmp_path / "fusion"), "method": "fusion"}
    fast = rank("digits", device="rtx4090", max_latency_ms=0.2, **wanted)
    slow = rank("digits", device="raspberry-pi-5", **wanted)
    assert max(one.hardware["latency_ms_high"] for one in fast) <= 0.2
    assert [one.model_id for one in fast] != [one.model_id for one in slow]
    plain = rank("digits", **{**wanted, "method": None})
    assert plain[0].hardware is None
