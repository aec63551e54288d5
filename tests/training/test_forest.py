"""A forest that is grown from tasks: what it keeps of them, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import CrossSightConfig, CrossSightModel
from hf_crosssight.peers.history import gaussianised
from hf_crosssight.tokens.dataset import DatasetTokens, text_only_tokens
from hf_crosssight.tokens.probe_tasks import probe_tasks
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.training.forest import ForestRecipe, usable_tasks, with_forest
from hf_crosssight.training.measured_corpus import MeasuredCorpus
from hf_crosssight.training.perceptrons import PerceptronRecipe
from hf_crosssight.training.ranker_folder import _take_best
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.record import ModelRecord

QUICK = ForestRecipe(trees=4, perceptrons=PerceptronRecipe(width=8, steps=20))
MODELS, DATASETS = 8, ("acme/cats", "acme/dogs", "acme/birds")


@pytest.fixture(scope="module")
def zoo() -> ZooIndex:
    rng = np.random.default_rng(0)
    entries = []
    for number in range(MODELS + 1):
        views = {name: rng.normal(size=VIEWS[name].shape) for name in ("structure", "probe", "weights")}
        for view in views.values():
            view[:, 0] = 1.0
        if number == MODELS:
            del views["probe"]
        entries.append((ModelRecord(model_id=f"acme/m{number}"), views))
    return ZooIndex.from_entries(entries)


@pytest.fixture(scope="module")
def tokens() -> dict[str, list[DatasetTokens]]:
    return {name: [text_only_tokens(f"Pictures of {name}.")] for name in DATASETS}


@pytest.fixture(scope="module")
def tasks(zoo: ZooIndex) -> list[Task]:
    rng = np.random.default_rng(1)
    rows = [("a", DATASETS[0]), ("a", DATASETS[1]), ("b", DATASETS[0])]
    return [Task(table, name, tuple(zoo.model_ids), rng.random(MODELS + 1)) for table, name in rows]


def ranker() -> CrossSightModel:
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "decoder_layers": 1, "ensemble_size": 2}
    return CrossSightModel(CrossSightConfig.from_preset("default", **small))


def test_results_are_kept_for_the_models_and_datasets_that_were_learnt_from(zoo, tokens, tasks):
    anchors = [tokens[DATASETS[2]][0].values for _ in probe_tasks()]
    grown = with_forest(ranker(), tasks, zoo, tokens, anchors, recipe=replace(QUICK, past=0.25))
    used = usable_tasks(tasks, zoo, tokens)
    assert [len(task.models) for task in used] == [MODELS] * 3  # one has no probe view
    kept = grown.past_results
    assert kept.results.shape == (MODELS, 2)
    ranks = [gaussianised(task.scores) for task in used]
    np.testing.assert_allclose(kept.results[:, 0], (ranks[0] + ranks[2]) / 2, atol=1e-6)  # two tables have it
    np.testing.assert_allclose(kept.results[:, 1], ranks[1], atol=1e-6)
    assert grown.config.past_share == 0.25
    again = with_forest(grown, tasks[:2], zoo, tokens, anchors, recipe=QUICK)
    np.testing.assert_allclose(again.past_results.results[:, 0], ranks[0], atol=1e-6)  # nothing of before is left


def test_widening_moves_members_apart_and_no_score(zoo, tokens, tasks):
    anchors = [tokens[DATASETS[2]][0].values for _ in probe_tasks()]
    views = {name: np.asarray(zoo.views[name], np.float32) for name in ("structure", "probe", "weights")}
    found = {}
    for widening in (1.0, 3.0):
        grown = with_forest(ranker(), tasks, zoo, tokens, anchors, recipe=replace(QUICK, widening=widening))
        found[widening] = grown.score_zoo(tokens[DATASETS[2]][0].values, views, zoo.view_mask)
    torch.testing.assert_close(found[3.0].scores, found[1.0].scores, atol=1e-5, rtol=0)
    wider = found[1.0].scores_std[0, :MODELS] * 3
    assert wider.min() > 0
    torch.testing.assert_close(found[3.0].scores_std[0, :MODELS], wider, atol=1e-4, rtol=1e-3)
    assert found[3.0].scores_std[0, MODELS] == found[1.0].scores_std[0, MODELS]  # without a probe view


def test_perceptrons_are_trained_beside_the_forest_or_left_out(zoo, tokens, tasks):
    anchors = [tokens[DATASETS[2]][0].values for _ in probe_tasks()]
    grown = with_forest(ranker(), tasks, zoo, tokens, anchors, recipe=QUICK)
    assert (grown.config.perceptron_width, grown.config.perceptron_share) == (8, QUICK.perceptrons.share)
    assert grown.pair_perceptrons.first_weight.shape == (2, grown.pair_features.width, 8)
    assert all(buffer.any() for name, buffer in grown.pair_perceptrons.named_buffers())
    without = with_forest(grown, tasks, zoo, tokens, anchors, recipe=replace(QUICK, perceptrons=PerceptronRecipe(0)))
    assert without.pair_perceptrons is None
    assert torch.equal(without.pair_linear.weight, grown.pair_linear.weight)


def test_training_takes_the_share_of_perceptrons_that_validates_best(zoo, tokens, tasks):
    anchors = [tokens[DATASETS[2]][0].values for _ in probe_tasks()]
    corpus = MeasuredCorpus((), zoo, tokens, {}, {}, {})
    held = usable_tasks(tasks, zoo, tokens)[1:2]
    grown = with_forest(ranker(), held, zoo, tokens, anchors, recipe=replace(QUICK, past=0.0, linear=1.0))
    for buffer in grown.pair_perceptrons.buffers():
        buffer.zero_()
    for share, told in ((0.7, 0.3), (0.0, 0.3)):  # perceptrons say nothing: as good, so the first share stays
        reached = _take_best(grown, "perceptron_share", (share, told), corpus, held)
        assert grown.config.perceptron_share == share
        assert len(reached) == 2
    grown.pair_linear.weight.neg_()  # now the rest is wrong, and less of it is better
    reached = _take_best(grown, "perceptron_share", (0.0, 1.0), corpus, held)
    assert grown.config.perceptron_share == 1.0
    assert reached["0"] < reached["1"]
    assert _take_best(grown, "perceptron_share", (0.2, 0.5), corpus, []) == {}
    assert grown.config.perceptron_share == 0.2


def test_too_few_models_with_the_views_are_refused(zoo, tokens, tasks):
    few = [Task("a", DATASETS[0], tasks[0].models[-4:], tasks[0].scores[-4:])]
    with pytest.raises(ValueError, match="no task has tokens and 5 models"):
        with_forest(ranker(), few, zoo, tokens, [])
