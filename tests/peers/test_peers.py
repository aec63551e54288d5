"""Every peer recovers what was planted in a synthetic history, for known and blind models, and repeats."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.metrics import kendall_tau
from hf_crosssight.peers import PEERS, Candidates, History, Ranker, Target, make_peer

from .planted import World, make_world

LEARNING = ("model_spider", "fennec", "transfergraph")
KNOWN, BLIND = slice(0, 24), slice(24, 32)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module", params=LEARNING)
def fitted(request: pytest.FixtureRequest, world: World) -> tuple[str, Ranker]:
    return request.param, make_peer(request.param).fit(world.history)


def mean_tau(ranker: Ranker, world: World, which: slice) -> float:
    found = [
        kendall_tau(ranker.score(target)[which], accuracies[which])
        for target, accuracies in zip(world.targets, world.accuracies, strict=True)
    ]
    return float(np.mean(found))


def static_tau(world: World) -> float:
    mean = np.nanmean(world.history.ranks(), axis=1)
    return float(np.mean([kendall_tau(mean, accuracies[KNOWN]) for accuracies in world.accuracies]))


def test_known_models_on_blind_datasets_are_ranked_better_than_by_their_mean(
    fitted: tuple[str, Ranker], world: World
) -> None:
    assert mean_tau(fitted[1], world, KNOWN) > static_tau(world) + 0.15


def test_blind_models_are_ranked_better_than_by_chance(fitted: tuple[str, Ranker], world: World) -> None:
    name, ranker = fitted
    if name == "model_spider":
        scores = ranker.score(world.targets[0])[BLIND]
        np.testing.assert_allclose(scores, scores[0], atol=1e-6)
        models = world.targets[0].models
        with pytest.raises(UserError, match="they would all tie"):
            ranker.score(Target(Candidates(models.ids[24:], models.features[24:]), world.targets[0].tokens))
    else:
        assert mean_tau(ranker, world, BLIND) > 0.25


def test_scores_are_finite_and_repeat(fitted: tuple[str, Ranker], world: World) -> None:
    name, ranker = fitted
    again = make_peer(name).fit(world.history)
    for target in world.targets:
        assert np.isfinite(ranker.score(target)).all()
        np.testing.assert_array_equal(again.score(target), ranker.score(target))


def test_the_order_and_the_company_of_the_candidates_do_not_matter(fitted: tuple[str, Ranker], world: World) -> None:
    target = world.targets[0]
    order = np.random.default_rng(0).permutation(32)[:20]
    models = target.models
    some = Candidates(tuple(models.ids[i] for i in order), models.features[order])
    found = fitted[1].score(Target(some, target.tokens, target.dataset))
    np.testing.assert_allclose(found, fitted[1].score(target)[order], atol=1e-5)


def test_the_dataset_is_looked_at(fitted: tuple[str, Ranker], world: World) -> None:
    """With the tokens of another dataset the ranking is worse."""
    exchanged = World(
        world.history,
        tuple(
            Target(target.models, other.tokens, target.dataset)
            for target, other in zip(world.targets, world.targets[1:] + world.targets[:1], strict=True)
        ),
        world.accuracies,
    )
    assert mean_tau(fitted[1], exchanged, KNOWN) < mean_tau(fitted[1], world, KNOWN) - 0.2


def test_fennec_maps_by_neighbours_too(world: World) -> None:
    from hf_crosssight.peers.fennec import Fennec, FennecConfig

    assert mean_tau(Fennec(FennecConfig(mapping="knn")).fit(world.history), world, KNOWN) > static_tau(world)
    with pytest.raises(UserError, match="known: ridge, knn"):
        Fennec(FennecConfig(mapping="svm"))


def test_factorisation_recovers_a_low_rank_table() -> None:
    from hf_crosssight.peers.fennec import FennecConfig, factorise

    rng = np.random.default_rng(0)
    whole = rng.normal(size=(30, 1)) + rng.normal(size=(30, 2)) @ rng.normal(size=(2, 20))
    table = np.where(rng.random(whole.shape) < 0.2, np.nan, whole)
    bias, users, items = factorise(table, 2, FennecConfig(ridge=1e-4, rounds=500))
    hidden = np.isnan(table)
    assert np.abs(bias[:, None] + users @ items.T - whole)[hidden].max() < 0.05


def test_transfergraph_leaves_the_dataset_itself_out(world: World) -> None:
    """A target that stands in the history is ranked as if its own results were not there."""
    from hf_crosssight.peers.transfergraph import TransferGraph

    history = world.history
    ranker = TransferGraph().fit(history)
    pairs = [ranker._pairs(ranker._metadata, np.arange(24), ranker._summaries[0], leave_out=0, same=True)]
    ranker._ranks = ranker._ranks.copy()
    ranker._ranks[:, 0] = 9.0
    pairs.append(ranker._pairs(ranker._metadata, np.arange(24), ranker._summaries[0], leave_out=0, same=True))
    np.testing.assert_array_equal(*pairs)


def test_what_only_the_fine_tuning_tells_is_refused() -> None:
    for leak in ("elapsed_time", "train_runtime"):
        with pytest.raises(UserError, match=leak):
            Candidates(("a", "b"), np.zeros((2, 1)), (leak,))


def test_list_mle_by_hand_and_at_its_best_in_the_true_order() -> None:
    import torch

    from hf_crosssight.peers.model_spider import list_mle

    scores = torch.tensor([2.0, 1.0, -1.0])
    steps = [scores[i:].logsumexp(0) - scores[i] for i in range(3)]
    assert float(list_mle(scores)) == pytest.approx(float(sum(steps)) / 3)
    assert list_mle(scores) < list_mle(scores.flip(0))


def test_model_spider_appends_own_prototypes_as_one_sequence() -> None:
    import torch

    from hf_crosssight.peers.model_spider import ModelSpiderConfig, SpiderNetwork

    torch.manual_seed(0)
    network = SpiderNetwork(3, 4, {1: 6}, ModelSpiderConfig(width=8)).eval().requires_grad_(False)
    prototypes, own = torch.randn(5, 4), network.own["1"](torch.randn(5, 6))
    found = network(network.tokens, prototypes, {1: own})
    sequence = torch.cat([network.tokens[1:2], network.prototypes(prototypes), own])
    weights = (network.query(sequence) @ network.key(sequence).T * 8**-0.5).softmax(1)
    attended = network.norm(sequence + weights @ network.value(sequence))[0]
    assert float(found[1]) == pytest.approx(float(network.head(network.head_norm(attended))), abs=1e-5)
    plain = network(network.tokens, prototypes, {})
    assert float(plain[0]) == pytest.approx(float(found[0]), abs=1e-6)


def test_model_spider_re_ranks_the_best_by_their_own_features(world: World) -> None:
    """Own prototypes that show the accuracy mend the order of the best k."""
    from hf_crosssight.peers.model_spider import ModelSpider, ModelSpiderConfig

    history = world.history
    ranks = history.ranks()
    rng = np.random.default_rng(0)

    def shown(value: float) -> np.ndarray:
        return value * np.ones((5, 3)) + 0.1 * rng.normal(size=(5, 3))

    specific = {
        (model, dataset): shown(ranks[i, d])
        for i, model in enumerate(history.models.ids)
        for d, dataset in enumerate(history.datasets)
        if np.isfinite(ranks[i, d])
    }
    told = History(history.models, history.datasets, history.accuracies, history.tokens, specific)
    config = ModelSpiderConfig(top_k=24, extra=24, epochs=40)
    ranker = ModelSpider(config).fit(told)
    taus = []
    for target, accuracies in zip(world.targets, world.accuracies, strict=True):
        known = Candidates(target.models.ids[:24], target.models.features[:24])
        scaled = (accuracies[:24] - accuracies[:24].mean()) / accuracies[:24].std()
        own = {model: shown(value) for model, value in zip(known.ids, scaled, strict=True)}
        with_own = ranker.score(Target(known, target.tokens, specific=own))
        without = ranker.score(Target(known, target.tokens))
        taus.append((kendall_tau(with_own, accuracies[:24]), kendall_tau(without, accuracies[:24])))
    better, plain = np.mean(taus, axis=0)
    assert better > plain + 0.05


def test_emms_ranks_features_that_hold_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_crosssight.tokens import text

    embeddings = np.random.default_rng(0).normal(size=(9, 4))
    monkeypatch.setattr(
        text, "embed_texts", lambda names: embeddings[[hash_of(name) % 9 for name in names]].astype(np.float32)
    )
    labels = np.arange(60) % 3
    rng = np.random.default_rng(1)
    holds = rng.normal(size=(3, 6))[labels] + 0.1 * rng.normal(size=(60, 6))
    noise = rng.normal(size=(60, 6))
    models = Candidates(("noise", "without", "holds"), np.zeros((3, 0)))
    target = Target(
        models,
        np.zeros((3, 2)),
        features={"noise": noise, "holds": holds},
        labels=labels,
        class_names=("cat", "sports_car", "tree"),
    )
    found = make_peer("emms").score(target)
    assert found[2] > found[0] > found[1]
    with pytest.raises(UserError, match="class names"):
        make_peer("emms").score(Target(models, np.zeros((3, 2))))


def hash_of(name: str) -> int:
    return sum(map(ord, name))


def test_bad_histories_are_refused() -> None:
    models = Candidates(("a", "b"), np.zeros((2, 0)))
    with pytest.raises(UserError, match=r"\[models, datasets\]"):
        History(models, ("d",), np.zeros((3, 1)), (np.zeros((2, 4)),))
    with pytest.raises(UserError, match="fewer than two"):
        History(models, ("d",), np.array([[0.5], [np.nan]]), (np.zeros((2, 4)),))
    with pytest.raises(UserError, match="common size"):
        History(models, ("d", "e"), np.zeros((2, 2)), (np.zeros((2, 4)), np.zeros((2, 5))))
    with pytest.raises(UserError, match="twice"):
        Candidates(("a", "a"), np.zeros((2, 0)))
    with pytest.raises(UserError, match="known: model_spider"):
        make_peer("model_spyder")


@pytest.mark.parametrize("name", LEARNING)
def test_candidates_without_features_and_few_datasets(name: str) -> None:
    rng = np.random.default_rng(0)
    models = Candidates(("a", "b", "c"), np.zeros((3, 0)))
    history = History(models, ("d", "e"), rng.random((3, 2)), (rng.normal(size=(4, 3)), rng.normal(size=(2, 3))))
    asked = Candidates(("b", "new"), np.zeros((2, 0)))
    assert np.isfinite(make_peer(name).fit(history).score(Target(asked, rng.normal(size=(3, 3))))).all()


def test_all_peers_are_made() -> None:
    assert all(callable(make_peer(name).score) for name in PEERS)
