import numpy as np
import pytest

from hf_crosssight.evaluation.family_pairs import PairCount, family_pairs, total

FAMILIES = ["resnet", "resnet", "vit", "vit", "resnet"]


def test_pairs_counted_by_hand():
    # resnet pairs: (0,1) wrong, (0,4) right, (1,4) right; vit pair (2,3): tied prediction, half
    found = family_pairs([2.0, 3.0, 1.0, 1.0, 9.0], [0.5, 0.4, 0.1, 0.9, 0.8], FAMILIES)
    assert (found.right, found.pairs, found.ties) == (2.5, 4, 0)
    assert found.accuracy == pytest.approx(2.5 / 4)


def test_pairs_of_two_families_never_count():
    found = family_pairs([1.0, 2.0], [0.1, 0.2], ["resnet", "vit"])
    assert found == PairCount()
    assert np.isnan(found.accuracy)


def test_noise_separates_clear_pairs_and_keeps_the_others_in_the_whole():
    found = family_pairs([1.0, 2.0, 3.0], [0.50, 0.52, 0.40], ["a"] * 3, noise=0.05)
    assert (found.right, found.pairs) == (1.0, 3)  # only 0 before 1 is right
    assert (found.clear_right, found.clear) == (0.0, 2)  # 0.02 is within the noise


def test_equal_accuracies_and_unmeasured_models_are_left_out():
    found = family_pairs([1.0, 2.0, 3.0, 4.0], [0.5, 0.5, np.nan, 0.7], ["a"] * 4)
    assert (found.right, found.pairs, found.ties) == (2.0, 2, 1)


def test_counts_of_datasets_add_up():
    one = family_pairs([1.0, 2.0], [0.1, 0.2], ["a", "a"])
    two = family_pairs([1.0, 2.0], [0.2, 0.1], ["a", "a"], noise=1.0)
    assert total([one, two]) == PairCount(1.0, 2, 1.0, 1, 0)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        family_pairs([1.0, 2.0], [0.1], ["a", "a"])
