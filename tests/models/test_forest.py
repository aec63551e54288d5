"""Trees as tensors say what scikit-learn's trees say; a ranker with a forest reads the probe view and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesRegressor

from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.models.forest_crosssight import CrossSightForest, CrossSightPerceptrons, forest_arrays
from hf_crosssight.training.forest import _fill, _tensors

TOKENS, LAYOUT = 40, {"kind": [0, 3], "prototype": [3, 19], "stats": [19, 22], "global": [22, 30], "text": [30, 40]}


def small_config(**fields) -> CrossSightConfig:
    return CrossSightConfig.from_preset(
        dataset_token_dim=TOKENS, dataset_layout=LAYOUT, hidden_size=16, intermediate_size=16, num_attention_heads=2,
        decoder_layers=1, ensemble_size=2, set_size=8, head_size=4, view_shapes={"structure": [3, 6]},
        **fields,
    )  # fmt: skip


FOREST = {
    "forest_trees": 4, "forest_nodes": 1, "forest_views": {"structure": [3, 6], "probe": [1, 9], "weights": [4, 7]},
    "probe_layout": [3, 2], "anchor_length": 5, "forest_descriptors": 2,
}  # fmt: skip


def views(models: int, *, probed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    structure = torch.rand(1, models, 3, 6, generator=generator)
    probe = torch.rand(1, models, 1, 9, generator=generator)
    structure[..., 0], probe[..., 0] = 1.0, 1.0
    probe[:, probed:] = 0.0
    return {"structure": structure, "probe": probe}


def tokens(seed: int = 0) -> torch.Tensor:
    values = torch.rand(1, 5, TOKENS, generator=torch.Generator().manual_seed(seed))
    values[..., :3] = torch.tensor([[1.0, 0, 0]] * 3 + [[0, 1.0, 0], [0, 0, 1.0]])
    return values


@pytest.mark.parametrize("leaf", [1, 5, 60])
def test_trees_say_what_they_said_where_they_grew(leaf: int):
    rng = np.random.default_rng(leaf)
    rows = rng.normal(size=(60, 7)).astype(np.float32)
    grown = ExtraTreesRegressor(6, min_samples_leaf=leaf, random_state=0).fit(rows, rows[:, 0] * rows[:, 1])
    arrays = forest_arrays([_tensors(tree.tree_) for tree in grown.estimators_])
    forest = CrossSightForest(6, arrays["value"].shape[1] + 3, int(arrays["depth"]), members=3)
    _fill(forest, arrays)
    asked = rng.normal(size=(5000, 7)).astype(np.float32)
    found = forest(torch.from_numpy(asked))
    by_member = np.stack([np.mean([t.predict(asked) for t in grown.estimators_[i : i + 2]], 0) for i in (0, 2, 4)], 1)
    assert found.shape == (5000, 3)
    assert np.allclose(found.numpy(), by_member, atol=1e-5)
    assert forest(torch.zeros(0, 7)).shape == (0, 3)


def test_models_without_a_probe_view_score_as_without_the_forest():
    torch.manual_seed(0)
    plain = CrossSightModel(small_config()).eval()
    mixed = CrossSightModel(small_config(**FOREST)).eval()
    mixed.load_state_dict(plain.state_dict(), strict=False)
    mixed.pair_forest.value.fill_(3.0)
    mixed.static_forest.value.fill_(1.0)
    mixed.config.forest_linear = 0.0
    given = views(6, probed=4)
    before = plain(tokens(), model_views={"structure": given["structure"]})
    after = mixed(tokens(), model_views=given)
    assert torch.allclose(after.scores[0, 4:], before.scores[0, 4:])
    assert torch.allclose(after.scores[0, :4], torch.full((4,), 3.0))
    assert torch.allclose(after.static[0, :4], torch.full((4,), 1.0))
    mixed.config.forest_gate = 0.5
    assert torch.allclose(mixed(tokens(), model_views=given).scores[0, :4], torch.full((4,), 2.0))
    hidden = {"probe": torch.zeros(1, 6, dtype=torch.bool)}
    assert torch.allclose(mixed(tokens(), model_views=given, view_mask=hidden).scores, before.scores)
    assert torch.allclose(mixed(tokens(), model_views={"structure": given["structure"]}).scores, before.scores)


def test_what_the_probe_tasks_near_the_dataset_say_counts():
    model = CrossSightModel(small_config(**FOREST)).eval()
    features = model.pair_features
    anchors = [tokens(seed)[0] for seed in (1, 2, 3)]
    features.fit(anchors, [tokens(seed)[0] for seed in (4, 5, 6, 7)])
    near = features.of_dataset(tokens(2), torch.ones(1, 5, dtype=torch.bool))
    assert near[0, -3:].argmin() == 1
    assert near[0, -2] < 1e-2
    given = views(2, probed=2)
    given["probe"][0, 0, 0, 1:7] = torch.tensor([0.0, 0.0, 9.0, 9.0, 0.0, 0.0])
    rows = features(near, given)[0]
    assert rows.shape[1] == features.width
    start = features.static_width
    assert torch.allclose(rows[0, start : start + 2], torch.tensor([9.0, 9.0]), atol=0.1)


def test_perceptrons_take_the_same_rows_or_rows_of_each_members_own():
    perceptrons = CrossSightPerceptrons(7, 5, members=3)
    perceptrons.float()
    for number, buffer in enumerate(perceptrons.buffers()):
        buffer.copy_(torch.rand(buffer.shape, generator=torch.Generator().manual_seed(number)) - 0.4)
    rows = torch.rand(4, 7)
    states = torch.nn.functional.gelu(rows @ perceptrons.first_weight[1] + perceptrons.first_bias[1])
    states = torch.nn.functional.gelu(states @ perceptrons.second_weight[1] + perceptrons.second_bias[1])
    expected = (states @ perceptrons.last_weight[1] + perceptrons.last_bias[1])[:, 0]
    assert perceptrons(rows).shape == (4, 3)
    assert torch.allclose(perceptrons(rows)[:, 1], expected, atol=1e-6)
    own = torch.stack([torch.rand(4, 7), rows, torch.rand(4, 7)])
    assert torch.allclose(perceptrons(own)[:, 1], expected, atol=1e-6)
    assert not torch.allclose(perceptrons(own)[:, 0], perceptrons(rows)[:, 0])
    assert perceptrons(torch.zeros(0, 7)).shape == (0, 3)


def test_perceptrons_count_by_their_share_and_training_leaves_them_alone():
    model = CrossSightModel(small_config(**FOREST, perceptron_width=4, perceptron_share=0.25)).eval()
    model.pair_forest.value.fill_(3.0)
    model.config.forest_linear = 0.0
    model.pair_perceptrons.last_bias.fill_(7.0)
    given = views(6, probed=4)
    found = model(tokens(), model_views=given)
    assert torch.allclose(found.scores[0, :4], torch.full((4,), 4.0))
    assert torch.allclose(found.static[0, :4], torch.full((4,), 0.25 * 7.0))
    for buffer in model.pair_perceptrons.buffers():
        buffer.normal_(std=0.3)
    assert not [name for name, _ in model.named_parameters() if "perceptrons" in name]
    first, again = (model.train()(tokens(), model_views=given).scores[0, :4] for _ in range(2))
    assert torch.equal(first, again)  # no dropout there
    without = CrossSightModel(small_config(**FOREST))
    assert without.pair_perceptrons is None


def test_what_a_model_is_worth_anywhere_does_not_depend_on_the_dataset():
    model = CrossSightModel(small_config(**FOREST, perceptron_width=4, perceptron_share=1.0)).eval()
    torch.manual_seed(1)
    model.pair_features.fit([tokens(seed)[0] for seed in (1, 2, 3)], [tokens(seed)[0] for seed in (4, 5, 6, 7)])
    for buffer in model.pair_perceptrons.buffers():
        buffer.normal_()
    given = views(6, probed=4)
    one, other = (model(tokens(seed), model_views=given) for seed in (1, 2))
    assert torch.equal(one.static, other.static)
    assert not torch.allclose(one.scores[0, :4], other.scores[0, :4])
    assert len(set(one.static[0, :4].tolist())) == 4
    rows = torch.rand(2, model.pair_features.width)
    anywhere = model.pair_features.without_dataset(rows, torch.arange(model.pair_features.width).float())
    own, results = model.pair_features.static_width, rows[:, model.pair_features.weights_width :][:, :6]
    assert torch.equal(anywhere[:, :own], rows[:, :own])
    assert torch.allclose(anywhere[:, own : own + 2], results.unflatten(1, (3, 2)).mean(1))
    assert not anywhere[:, own + 2 : own + 4].any()
    assert torch.equal(anywhere[:, own + 8 :], torch.arange(own + 8, model.pair_features.width).expand(2, -1).float())


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"perceptron_width": 4}, "needs a forest"), ({**FOREST, "perceptron_width": -1}, "must not be negative"),
     ({**FOREST, "perceptron_share": 1.5}, "must lie in")],
)  # fmt: skip
def test_perceptrons_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        small_config(**fields)


PAST = {**FOREST, "past_models": 2, "past_datasets": 3, "past_length": 5}


def remembering(**fields) -> CrossSightModel:
    """A ranker whose forest says 3 of every model, and who knows models 0 and 1 of `views`; the third set is far."""
    model = CrossSightModel(small_config(**PAST, **fields)).eval()
    model.pair_forest.value.fill_(3.0)
    model.config.forest_linear = 0.0
    given = views(4, probed=3)
    keys = torch.cat([given["probe"][0, :2, 0, 1:], given["structure"][0, :2, 0, 1:]], dim=1)
    results = torch.tensor([[1.0, -1.0, 5.0], [torch.nan, 2.0, 5.0]])
    model.past_results.fit(keys, results, [tokens(seed)[0] for seed in (1, 2, 3)], torch.ones(3, 2))
    return model


def test_known_models_are_scored_by_their_own_results_on_datasets_near_by():
    model = remembering(past_width=0.01)
    given = views(4, probed=3)
    for seed, expected in ((1, (1.0, 2.0)), (2, (-1.0, 2.0))):  # where the nearest has no result the next one counts
        scores = model(tokens(seed), model_views=given).scores[0]
        found = (scores[:2] - 3.0) / model.config.past_share + 3.0
        assert torch.allclose(found, torch.tensor(expected), atol=0.05)
        assert scores[2] == 3.0  # unknown; the last has no probe view at all
    other = views(4, probed=3)
    other["probe"][0, 0, 0, 3] += 0.01
    assert model(tokens(1), model_views=other).scores[0, 0] < 2.5  # measured anew, a model stays itself
    other["probe"][0, 0, 0, 3] += 5.0
    assert model(tokens(1), model_views=other).scores[0, 0] == 3.0
    model.config.past_share = 0.0
    assert torch.allclose(model(tokens(1), model_views=given).scores[0, :3], torch.full((3,), 3.0))


def test_members_that_weigh_the_datasets_otherwise_expect_something_else():
    model = remembering(past_width=10.0)  # all datasets count about the same
    given = views(4, probed=3)
    alike = model(tokens(1), model_views=given)
    assert alike.scores_std[0, :3].abs().max() < 1e-5
    model.past_results.member_weights[:2, 1] = 1e-6  # the second member has seen the third dataset alone
    found = model(tokens(1), model_views=given)
    assert found.member_scores[0, 0, 1] > found.member_scores[0, 0, 0] + 1.0
    assert found.scores_std[0, 0] > 0.5
    assert found.scores_std[0, 2] < 1e-5


def test_who_is_known_depends_neither_on_company_nor_on_precision():
    model = CrossSightModel(small_config(**{**PAST, "past_models": 60})).eval()
    keys = torch.rand(60, model.pair_features.key_width, generator=torch.Generator().manual_seed(0)) + 5.0
    keys[:, ::3] = 7.0  # columns that are the same for all models
    past = model.past_results
    past.fit(keys, torch.ones(60, 3), [tokens(seed)[0] for seed in (1, 2, 3)], torch.ones(3, 2))
    near = keys + 0.02 * past.scale * torch.randn(keys.shape, generator=torch.Generator().manual_seed(1))
    assert past.known_as(near).tolist() == list(range(60))
    assert [int(past.known_as(row[None])[0]) for row in near] == list(range(60))
    assert past.known_as(keys + past.scale).tolist() == [-1] * 60
    assert int(past.known_as(torch.full((1, keys.shape[1]), torch.nan))[0]) == -1
    double, given = remembering().double(), views(4, probed=3)
    whole = {name: view.double() for name, view in given.items()}
    expected = remembering()(tokens(1), model_views=given).scores[0, :3].double()  # the last is the network's alone
    assert torch.allclose(double(tokens(1).double(), model_views=whole).scores[0, :3], expected, atol=1e-4)


def test_a_batch_of_datasets_recalls_what_one_alone_does():
    model, given = remembering(), views(4, probed=3)
    both = {name: view.expand(2, *view.shape[1:]) for name, view in given.items()}
    together = model(torch.cat([tokens(1), tokens(2)]), model_views=both).scores
    alone = [model(tokens(seed), model_views=given).scores[0] for seed in (1, 2)]
    assert torch.allclose(together, torch.stack(alone), atol=1e-5)


@pytest.mark.parametrize("fields", [FOREST, PAST], ids=["forest", "past results"])
def test_a_forest_survives_saving(tmp_path, fields: dict):
    model = CrossSightModel(small_config(**fields)).eval() if fields is FOREST else remembering()
    model.pair_forest.value.normal_()
    model.pair_linear.weight.normal_()
    model.save_pretrained(tmp_path)
    loaded = CrossSightModel.from_pretrained(tmp_path).eval()
    given = views(3, probed=3)
    assert torch.equal(loaded(tokens(), model_views=given).scores, model(tokens(), model_views=given).scores)
    assert list(loaded.config.read_views) == ["structure", "probe", "weights"]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"forest_trees": 3}, "multiple of ensemble_size"), ({"forest_views": {"probe": [1, 9]}}, "forest_views"),
     ({"probe_layout": [5, 5]}, "does not fit"), ({"forest_weight": 1.5}, "must lie in"),
     ({"forest_widening": -1.0}, "forest_widening"), ({"past_models": 2}, "needs past_datasets"),
     ({"past_length": -6}, "past_length"), ({"past_width": 0.0}, "past_width"),
     ({"past_names": ["a", "b"]}, "2 names for 0 datasets"),
     ({"forest_trees": 0, "past_models": 2}, "past_models")],
)  # fmt: skip
def test_a_forest_that_cannot_be_is_refused(change: dict, words: str):
    with pytest.raises(ValueError, match=words):
        small_config(**{**FOREST, **change})
