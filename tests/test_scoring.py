"""Orders, places, tiers and shortlists."""

from types import SimpleNamespace

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.models import CrossSightConfig
from hf_crosssight.scoring import SIGMAS, Scores, assign_tiers, best_first, falling, places, shortlist_of


def test_best_first_breaks_ties_by_name_not_by_position():
    score = np.array([1.0, 2.0, 1.0, 1.0])
    names = ["org/c", "org/z", "org/a", "org/b"]
    assert [names[i] for i in best_first(score, names)] == ["org/z", "org/a", "org/b", "org/c"]


def test_best_first_treats_scores_equal_to_six_digits_as_ties():
    assert best_first(np.array([1.0, 1.0 + 1e-9]), ["a", "b"]).tolist() == [0, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_falling_keys_with_many_ties_are_ordered_by_name(count):
    rng = np.random.default_rng(count)
    first, second = rng.integers(0, 5, count).astype(float), rng.integers(0, 3, count).astype(float)
    names = [f"org/{number}" for number in rng.permutation(count)]
    plain = sorted(range(count), key=lambda row: (-first[row], -second[row], names[row]))
    assert falling((first, second), names).tolist() == plain


def test_places_are_one_for_the_highest():
    assert places(np.array([0.1, 3.0, -2.0]), ["a", "b", "c"]).tolist() == [2, 1, 3]
    assert places(np.array([1.0, 1.0 + 1e-9]), ["b", "a"]).tolist() == [2, 1]


def test_a_tier_ends_where_an_interval_no_longer_reaches_its_first_model():
    low, high = np.array([2.0, 1.5, 0.0, -1.0]), np.array([4.0, 3.5, 1.9, 0.5])
    # The third model's interval ends (1.9) below where the first one's begins (2.0); the fourth overlaps the third.
    assert assign_tiers(low, high) == [1, 1, 2, 2]


def test_models_without_any_spread_each_have_their_own_tier():
    exact = np.array([3.0, 2.0, 1.0])
    assert assign_tiers(exact, exact) == [1, 2, 3]


def test_interval_is_symmetric_and_ninety_percent_of_a_normal():
    scores = Scores(np.array([1.0]), np.array([0.5]), np.array([0.7]), np.array([0.3]))
    assert np.allclose([scores.high[0] - 1.0, 1.0 - scores.low[0]], 0.5 * SIGMAS)
    from scipy.stats import norm

    assert np.isclose(norm.cdf(SIGMAS) - norm.cdf(-SIGMAS), 0.90)


def test_a_ranker_is_given_the_views_that_it_reads_and_misses_the_others():
    from hf_crosssight.scoring import score_candidates
    from hf_crosssight.tokens.views import VIEWS
    from hf_crosssight.zoo import ModelRecord, ZooIndex
    from tests.models.small_rankers import dataset, small_model

    shapes = {name: list(VIEWS[name].shape) for name in ("structure", "card")}
    ranker = small_model(view_shapes=shapes)
    rng = np.random.default_rng(0)
    entries = []
    for number in range(4):
        views = {name: rng.normal(size=VIEWS[name].shape) for name in ("structure", "weights")}
        for view in views.values():
            view[:, 0] = 1.0
        entries.append((ModelRecord(f"acme/m{number}"), views))
    zoo = ZooIndex.from_entries(entries, id="mine")
    tokens = dataset().numpy()
    scores = score_candidates(ranker, tokens, zoo).score
    np.testing.assert_array_equal(scores, score_candidates(ranker, tokens, zoo.with_views(["structure"])).score)
    assert len(set(scores)) == 4
    with pytest.raises(UserError, match="reads the views structure, card, the zoo 'mine' holds weights"):
        score_candidates(ranker, tokens, zoo.with_views(["weights"]))


def test_codes_are_read_of_families_seen_in_training_alone():
    from hf_crosssight.scoring import score_candidates
    from hf_crosssight.tokens.views import VIEWS
    from hf_crosssight.zoo import ModelRecord, ZooIndex
    from hf_crosssight.zoo.family_gate import family_gates
    from tests.models.small_rankers import dataset, small_model

    rng = np.random.default_rng(0)
    entries = []
    for name, family in (("known", "resnet"), ("kin", "resnet"), ("strange", "vit"), ("nameless", None)):
        views = {view: rng.normal(size=VIEWS[view].shape) for view in ("structure", "arch2vec")}
        for values in views.values():
            values[:, 0] = 1.0
        entries.append((ModelRecord(f"acme/{name}", family=family), views))
    zoo = ZooIndex.from_entries(entries, id="mine")
    gates = family_gates(zoo, ["acme/known"])
    assert gates == {"arch2vec": ["resnet"]}
    shapes = {name: list(VIEWS[name].shape) for name in ("structure", "arch2vec")}
    gated = small_model(view_shapes=shapes, family_gates=gates)
    tokens = dataset().numpy()
    found = score_candidates(gated, tokens, zoo).score
    gated.config.family_gates = {}
    everywhere = score_candidates(gated, tokens, zoo).score
    without = score_candidates(gated, tokens, zoo.with_views(["structure"])).score
    np.testing.assert_array_equal(found[:2], everywhere[:2])
    np.testing.assert_array_equal(found[2:], without[2:])
    assert (everywhere != without).all()


def shortlisted(score: list[float], probed: list[bool], gap: float | None = 0.5):
    config = CrossSightConfig.from_preset(shortlist_gap=gap, shortlist_parents=15)
    config.forest_views = {"structure": [25, 32], "probe": [1, 102], "arch2vec": [65, 128]}
    values = np.array(score)
    scores = Scores(score=values, spread=values * 0, static=values, dataset=values * 0)
    zoo = SimpleNamespace(view_mask={"probe": np.array(probed)})
    return shortlist_of(SimpleNamespace(config=config), scores, zoo)


def test_the_shortlist_holds_all_within_the_calibrated_gap():
    found = shortlisted([1.0, 0.5, 0.49, -2.0], [True] * 4)
    assert found.members.tolist() == [True, True, False, False]
    assert found.describe() == {"coverage": 0.9, "size": 2, "calibrated_on": 15}


def test_no_shortlist_is_claimed_for_what_was_not_calibrated():
    assert shortlisted([1.0, 0.5], [True, True], gap=None) is None
    assert shortlisted([1.0, 0.5], [True, False]) is None
    assert shortlisted([], []) is None
