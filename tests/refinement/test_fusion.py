"""How evidence becomes points of a score."""

import numpy as np
import pytest

from hf_crosssight.refinement.fusion import Fusion, bundled_fusion, standardised
from hf_crosssight.transferability import METHODS


def test_evidence_is_centred_and_scaled_over_the_models_that_have_it():
    found = standardised(np.array([1.0, 2.0, 3.0, np.nan, 6.0]))
    known = np.array([1.0, 2.0, 3.0, 6.0])
    expected = (known - 3.0) / known.std() * np.sqrt(3 / 5)
    np.testing.assert_allclose(found[[0, 1, 2, 4]], expected)
    assert found[3] == 0.0


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_neither_scale_nor_offset_of_a_method_counts(scale):
    values = np.array([0.1, 0.5, 0.3, 0.9])
    np.testing.assert_allclose(standardised(scale * (values + 2.0)), standardised(values), atol=1e-6)


def test_two_models_are_set_apart_less_than_the_ends_of_ten():
    two, ten = standardised(np.array([0.0, 1.0])), standardised(np.arange(10.0))
    assert np.ptp(two) < np.ptp(ten)
    np.testing.assert_allclose(two, [-np.sqrt(1 / 3), np.sqrt(1 / 3)])


@pytest.mark.parametrize("values", [[0.4], [0.3, 0.3, 0.3], [0.3, np.nan], [np.nan, np.nan]])
def test_what_tells_no_models_apart_adds_nothing(values):
    assert standardised(np.array(values)).tolist() == [0.0] * len(values)


def test_the_weighted_sum_leaves_out_what_a_model_lacks():
    fusion = Fusion({"logme": 0.5, "knn": 2.0})
    values = [{"logme": 1.0, "knn": 0.1}, {"logme": 3.0}, {"logme": 2.0, "knn": 0.3}]
    added = fusion.added(np.array([0.3, 0.2, 0.1]), np.ones(3, bool), values)
    apart, unit = np.sqrt(1 / 3), np.sqrt(1.5) * np.sqrt(2 / 4)
    np.testing.assert_allclose(added, [-0.5 * unit - 2 * apart, 0.5 * unit, 2 * apart])


def test_differences_between_unseen_models_are_trusted_in_part():
    fusion, before = Fusion({"knn": 0.0}, trust=0.25), np.array([1.0, 0.6, 0.2])
    added = fusion.added(before, np.array([True, False, True]), [{"knn": 0.1}] * 3)
    np.testing.assert_allclose(before + added, [0.7, 0.6, 0.5])


def test_the_bundled_weights_are_of_methods_that_need_features_alone():
    fusion = bundled_fusion()
    assert 1 <= len(fusion.weights) <= 4
    assert all(weight > 0 for weight in fusion.weights.values())
    assert 0.0 <= fusion.trust <= 1.0
    assert all(METHODS[method].needs == ("features",) for method in fusion.methods)
    assert fusion.fitted_on["datasets"]
    assert "ranker" in fusion.fitted_on
