"""The trainer on a small world with a known answer: larger models are better on every dataset."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation import weighted_tau
from hf_crosssight.ground_truth.tables import Task, split_by_parent
from hf_crosssight.models import CrossSightModel
from hf_crosssight.models.configuration_crosssight import PRESETS
from hf_crosssight.tokens.card import CARD_DIM
from hf_crosssight.tokens.dataset import DatasetTokens, dataset_layout, dataset_token_dim
from hf_crosssight.tokens.structure import structure_view
from hf_crosssight.tokens.word_match import evidence_of
from hf_crosssight.training import RankerRecipe, save_ranker, train_ranker
from hf_crosssight.training.ranker_network import view_tensors
from hf_crosssight.training.view_scale import ViewScale
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.record import ModelRecord

FEATURES = 8
RECIPE = RankerRecipe(steps=60, batch=4, models_per_task=24, validate_every=20, consistency_models=16)
NETWORK = {"hidden_size": 32, "intermediate_size": 32, "decoder_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def world():
    """40 models whose accuracy follows their size, 6 datasets; tokens are words alone."""
    rng = np.random.default_rng(0)
    params = 10 ** rng.uniform(6, 9, 40)
    entries = []
    for i, size in enumerate(params):
        card = np.zeros((1, CARD_DIM), np.float32)
        card[0, 0], card[0, -384:] = 1.0, rng.normal(size=384) * 0.05
        views = {"structure": structure_view(None, params=int(size), gmacs=size / 1e7), "card": card}
        entries.append((ModelRecord(f"org/m{i}", params=int(size)), views))
    zoo = ZooIndex.from_entries(entries)
    names = ("pets", "dtd", "svhn", "eurosat", "food", "cars")
    layout, tokens = dataset_layout(FEATURES), {}
    for name in names:
        values = np.zeros((2, dataset_token_dim(FEATURES)), np.float32)
        values[0, 1] = values[1, 2] = 1.0
        values[1, layout["text"][0] : layout["text"][1]] = rng.normal(size=layout["text"][1] - layout["text"][0])
        tokens[name] = [DatasetTokens(values, ("global", "text"), "encoder", "words", False)]
    tasks = [Task("t", name, tuple(zoo.model_ids), np.log(params) + 0.3 * rng.normal(size=40)) for name in names]
    return zoo, tokens, tasks, params


@pytest.fixture(scope="module")
def trained(world):
    zoo, tokens, tasks, _ = world
    known, held_out = split_by_parent(tasks, {"food101", "stanford-cars"})
    assert {t.dataset for t in held_out} == {"food", "cars"}
    return train_ranker(known, zoo, tokens, validation=held_out, recipe=RECIPE, config=NETWORK)


def scores_of(model, world):
    zoo, tokens, _, _ = world
    return model.score_zoo(tokens["food"][0].values, zoo.views).scores[0].numpy()


def test_it_learns_what_ranks_models_anywhere(trained, world):
    assert weighted_tau(scores_of(trained.model, world), world[3]) > 0.8
    assert trained.validation > 0.7
    assert trained.model.config.gate_scale == trained.gate


def test_the_config_says_what_it_was_trained_on_and_nothing_blind(trained):
    config = trained.model.config
    assert config.trained_on["datasets"] == ["dtd", "eurosat", "pets", "svhn"] == config.reference_names
    assert len(config.trained_on["models"]) == 40
    assert config.image_encoder == "encoder"
    assert config.specs["structure"] == "structure/1"


def test_members_share_a_zero_so_that_their_spread_means_something(trained, world):
    zoo, tokens, _, _ = world
    names = trained.model.config.reference_names
    scored = [trained.model.score_zoo(tokens[name][0].values, zoo.views).member_scores[0] for name in names]
    assert torch.stack(scored).mean((0, 1)).abs().max() < 1e-3
    members = scored[0]
    assert members.std(1).mean() < members.mean(1).std()


def test_the_same_seed_gives_the_same_weights(world):
    zoo, tokens, tasks, _ = world
    short = RankerRecipe(steps=5, batch=2, consistency_models=8)
    first, second = (train_ranker(tasks, zoo, tokens, recipe=short, config=NETWORK).model for _ in range(2))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


class KilledError(Exception):
    pass


def test_a_training_that_was_killed_ends_in_the_same_weights(world, tmp_path):
    zoo, tokens, tasks, _ = world
    known, held_out = split_by_parent(tasks, {"food101"})
    recipe = RankerRecipe(steps=40, batch=2, consistency_models=8, validate_every=10, validate_from=0.2)
    given = {"validation": held_out, "recipe": recipe, "config": NETWORK}
    whole = train_ranker(known, zoo, tokens, **given)
    state = tmp_path / "state.safetensors"

    def kill(step: str, done: int, total: int | None) -> None:
        if done >= 25:
            raise KilledError

    with pytest.raises(KilledError):
        train_ranker(known, zoo, tokens, **given, checkpoint=state, progress=kill)
    resumed = train_ranker(known, zoo, tokens, **given, checkpoint=state)
    assert resumed.curves == whole.curves
    assert [row["step"] for row in whole.curves] == [10.0, 20.0, 30.0, 40.0]
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    with pytest.raises(UserError, match="another data"):
        train_ranker(tasks, zoo, tokens, **given, checkpoint=state)
    state.write_bytes(state.read_bytes()[:2000])
    with pytest.raises(UserError, match="cannot be read"):
        train_ranker(known, zoo, tokens, **given, checkpoint=state)


def test_folding_the_scale_changes_no_score(world):
    zoo, tokens, tasks, _ = world
    model = train_ranker(tasks, zoo, tokens, recipe=RankerRecipe(steps=1, batch=2), config=NETWORK).model
    views = view_tensors(zoo)
    scale = ViewScale(views)
    standardised = {name: view.numpy() for name, view in scale.apply(views).items()}
    before = model.score_zoo(tokens["pets"][0].values, standardised).scores
    scale.fold_into(model)
    after = model.score_zoo(tokens["pets"][0].values, zoo.views).scores
    assert torch.allclose(before, after, atol=2e-3)


def test_a_ranker_is_written_whole_and_replaces_the_one_before(trained, world, tmp_path):
    folder = tmp_path / "ranker"
    folder.mkdir()
    (folder / "stale.txt").write_text("old")
    save_ranker(trained.model, folder, "# Card\n")
    written = {p.name for p in folder.iterdir()}
    assert written >= {"README.md", "config.json", "model.safetensors"}
    assert "stale.txt" not in written
    assert [p.name for p in tmp_path.iterdir()] == ["ranker"]
    assert json.loads((folder / "config.json").read_text())["model_type"] == "crosssight"
    again = CrossSightModel.from_pretrained(folder)
    assert np.allclose(scores_of(again, world), scores_of(trained.model, world), atol=1e-5)


def test_a_ranker_learns_to_use_the_match_of_words():
    """Cards and datasets share directions in text space: only the match can tell what suits a blind dataset."""
    rng = np.random.default_rng(0)
    topics = np.linalg.qr(rng.normal(size=(384, 8)))[0].T
    entries = []
    for i in range(48):
        card = np.zeros((1, CARD_DIM), np.float32)
        card[0, 0], card[0, -384:] = 1.0, topics[i % 8]
        entries.append((ModelRecord(f"org/m{i}"), {"structure": structure_view(None, params=10**7), "card": card}))
    zoo, layout, tokens = ZooIndex.from_entries(entries), dataset_layout(FEATURES), {}
    names = ("pets", "dtd", "svhn", "eurosat", "food", "cars", "aircraft", "sun397")
    for topic, name in enumerate(names):
        values = np.zeros((2, dataset_token_dim(FEATURES)), np.float32)
        values[0, 1] = values[1, 2] = 1.0
        values[1, layout["text"][0] : layout["text"][0] + 384] = topics[topic] * 384**0.5
        tokens[name] = [DatasetTokens(values, ("global", "text"), "encoder", "words", False)]
    suits = {name: (np.arange(48) % 8 == topic) + 0.1 * rng.random(48) for topic, name in enumerate(names)}
    tasks = [Task("t", name, tuple(zoo.model_ids), suits[name]) for name in names]
    model = train_ranker(tasks[:-2], zoo, tokens, recipe=RECIPE, config={**NETWORK, "evidence_size": 1}).model
    blind = tokens["sun397"][0].values
    with_match = model.score_zoo(blind, zoo.views, evidence=evidence_of(model, blind, zoo.views)).scores[0].numpy()
    without = model.score_zoo(blind, zoo.views).scores[0].numpy()
    assert set(np.argsort(-with_match)[:6]) == set(np.flatnonzero(np.arange(48) % 8 == 7))
    assert weighted_tau(with_match, suits["sun397"]) > weighted_tau(without, suits["sun397"]) + 0.1


def test_the_thesis_preset_learns_from_one_view_and_padded_lists_change_nothing(world):
    """Weights' codes alone, no structure; attention among models must not see what fills up a batch."""
    zoo, tokens, tasks, params = world
    code = np.zeros((len(zoo), 1, 3), np.float32)
    code[:, 0, 0], code[:, 0, 1] = 1.0, np.log10(params) - 7.5
    only = ZooIndex("codes", zoo.table, {"code": code}, {"code": np.ones(len(zoo), bool)})
    config = {**PRESETS["thesis"], **NETWORK, "encoder_layers": 1}
    recipe = replace(RECIPE, steps=120, learning_rate=3e-3, gates=(1.0,))
    model = train_ranker(tasks, only, tokens, recipe=recipe, config=config).model
    scores = model.score_zoo(tokens["pets"][-1].values, {"code": code}).scores[0].numpy()
    assert weighted_tau(scores, params) > 0.8
    assert ((scores > 0) & (scores < 1)).all()
    seen = []
    forward, run = CrossSightModel.forward, replace(recipe, steps=2)

    def noted(self, *args, **kwargs):
        if "ranks" in kwargs:
            seen.append((kwargs["ranks"] >= 0, kwargs["model_mask"]))
        return forward(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CrossSightModel, "forward", noted)
        train_ranker(tasks, only, tokens, recipe=run, config=config)
    assert any(not ranked.all() for ranked, _ in seen)
    assert all(torch.equal(ranked, mask) for ranked, mask in seen)
