"""Every named baseline ranks a planted world by what it reads, and says so where it has nothing to read."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.metrics import kendall_tau
from hf_crosssight.evaluation.simple_rankers import BASELINES, make_baseline
from hf_crosssight.peers import Candidates, History, Target
from tests.peers.planted import World, make_world

NAMES = ["random", "params", "gmacs", "source_accuracy", "static_mean_rank", "static_mean_z", "nearest_dataset"]


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def mean_tau(name: str, world: World, which: slice) -> float:
    ranker = make_baseline(name).fit(world.history)
    pairs = zip(world.targets, world.accuracies, strict=True)
    return float(np.mean([kendall_tau(ranker.score(target)[which], known[which]) for target, known in pairs]))


def test_the_names_are_those_of_the_command_line() -> None:
    assert set(BASELINES) == {*NAMES, "popularity", "ridge", "trees"}
    with pytest.raises(UserError, match="known: random, params"):
        make_baseline("parameters")


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_scores_are_finite_repeat_and_do_not_depend_on_the_order(name: str, world: World) -> None:
    target = world.targets[0]
    ranker, again = (make_baseline(name).fit(world.history) for _ in range(2))
    found = ranker.score(target)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, again.score(target))
    turned = Candidates(
        target.models.ids[::-1],
        target.models.features[::-1],
        target.models.names,
        {fact: values[::-1] for fact, values in target.models.facts.items()},
    )
    np.testing.assert_allclose(ranker.score(Target(turned, target.tokens, target.dataset))[::-1], found, atol=1e-9)


def test_the_dataset_helps_those_that_look_at_it(world: World) -> None:
    known, blind = slice(0, 24), slice(24, 32)
    static = mean_tau("static_mean_rank", world, known)
    assert static > 0.15
    assert mean_tau("static_mean_z", world, known) > 0.15
    assert mean_tau("nearest_dataset", world, known) > static
    for name in ("ridge", "trees"):
        assert mean_tau(name, world, known) > static
        assert mean_tau(name, world, blind) > 0.15


def test_random_differs_by_seed_and_dataset_and_stays_near_zero(world: World) -> None:
    assert abs(mean_tau("random", world, slice(0, 32))) < 0.2
    one, other = (make_baseline("random", seed).score(world.targets[0]) for seed in (0, 1))
    assert (one != other).all()
    assert (one != make_baseline("random").score(world.targets[1])).all()


def history_of_three() -> History:
    models = Candidates(("a", "b", "c"), np.zeros((3, 0)))
    accuracies = np.array([[0.9, 0.1, 0.8], [0.5, 0.5, np.nan], [0.1, 0.9, 0.2]])
    tokens = tuple(np.array([[x, 1.0], [x, -1.0]]) for x in (0.0, 5.0, 1.0))
    return History(models, ("pets", "svhn", "dtd"), accuracies, tokens)


def test_static_mean_rank_by_hand() -> None:
    asked = Candidates(("c", "new", "a"), np.zeros((3, 0)))
    target = Target(asked, np.zeros((2, 2)))
    found = make_baseline("static_mean_rank").fit(history_of_three()).score(target)
    assert found == pytest.approx([1 / 3, 0.5, 2 / 3])
    strangers = Target(Candidates(("x", "y"), np.zeros((2, 0))), np.zeros((2, 2)))
    with pytest.raises(UserError, match="static_mean_rank: no candidate is in the history"):
        make_baseline("static_mean_rank").fit(history_of_three()).score(strangers)


def test_nearest_dataset_by_hand() -> None:
    history = history_of_three()
    ranker = make_baseline("nearest_dataset").fit(history)
    near_svhn = Target(history.models, np.array([[4.9, 1.0], [4.9, -1.0]]), "food")
    assert ranker.score(near_svhn) == pytest.approx([0.0, 0.5, 1.0])
    # svhn itself is left out, dtd is next, and b was not measured there.
    itself = Target(history.models, near_svhn.tokens, "svhn")
    assert ranker.score(itself) == pytest.approx([1.0, 0.5, 0.0])


def test_an_unknown_fact_is_the_median_and_no_fact_an_error() -> None:
    models = Candidates(("a", "b", "c"), np.zeros((3, 0)), facts={"popularity": np.array([5.0, np.nan, 1.0])})
    target = Target(models, np.zeros((2, 2)))
    assert make_baseline("popularity").score(target) == pytest.approx([5.0, 3.0, 1.0])
    with pytest.raises(UserError, match="gmacs: no candidate states it"):
        make_baseline("gmacs").score(target)
