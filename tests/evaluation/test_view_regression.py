import numpy as np
import pytest

from hf_crosssight.evaluation.blind_prediction import predict_split
from hf_crosssight.evaluation.metrics import weighted_tau, weighted_tau_true_rank
from hf_crosssight.evaluation.model_splits import ONE_FAMILY_BLIND, UNSEEN_MODELS, all_splits, inner_folds
from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.evaluation.view_regression import (
    TREES,
    dataset_weights,
    fit,
    top_weighted_agreement,
    z_targets,
)

FAMILIES = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
LINEAGES = [str(i) for i in range(30)]


def planted(signal: bool):
    """Features of which one tells a model's quality (or none does), and scores on eight datasets of two kinds."""
    rng = np.random.default_rng(0)
    quality, taste = rng.normal(size=(2, 30))
    kind = np.array([1.0, -1.0] * 4)
    scores = quality[None] + 0.5 * kind[:, None] * taste[None] + 0.05 * rng.normal(size=(8, 30))
    features = rng.normal(size=(30, 6))
    if signal:
        features[:, :2] = np.column_stack([quality, taste])
    return ViewFeatures(features, np.ones(30, bool)), scores, np.column_stack([kind, 0.1 * rng.normal(size=8)])


def mean_tau(view, scores, descriptors, setting):
    parents = [str(i) for i in range(len(scores))]
    taus = []
    for split in all_splits(LINEAGES, FAMILIES, parents, settings=(setting,), seeds=1):
        predicted = predict_split([view], scores, descriptors, parents, LINEAGES, FAMILIES, split)
        assert predicted.shape == (len(split.test_datasets), len(split.test_models))
        measured = scores[np.ix_(split.test_datasets, split.test_models)]
        taus += [weighted_tau(p, m) for p, m in zip(predicted, measured, strict=True)]
    return float(np.mean(taus))


@pytest.mark.parametrize("setting", [UNSEEN_MODELS, ONE_FAMILY_BLIND])
def test_a_planted_signal_is_found_and_noise_is_not(setting):
    assert mean_tau(*planted(signal=True), setting) > 0.6
    assert abs(mean_tau(*planted(signal=False), setting)) < 0.3


def test_results_of_held_out_models_and_blind_datasets_are_not_read():
    view, scores, descriptors = planted(signal=True)
    parents = [str(i) for i in range(8)]
    split = next(iter(all_splits(LINEAGES, FAMILIES, parents, settings=(ONE_FAMILY_BLIND,))))
    hidden = scores.copy()
    hidden[:, split.test_models] = 1e6
    hidden[split.test_datasets] = -1e6
    plain, blinded = (
        predict_split([view], values, descriptors, parents, LINEAGES, FAMILIES, split) for values in (scores, hidden)
    )
    assert np.array_equal(plain, blinded)


def test_the_dataset_decides_where_models_have_tastes():
    view, scores, descriptors = planted(signal=True)
    fitted = fit([view.values], scores, descriptors, list("abcdefgh"), inner_folds(LINEAGES, 4, 0))
    assert np.isfinite(fitted.known_width)
    assert np.isfinite(fitted.blind_width)


def test_targets_are_scored_by_dataset_and_gaps_filled_by_the_model():
    targets = z_targets(np.array([[1.0, 2.0, 3.0], [10.0, np.nan, 30.0]]))
    assert np.allclose(targets[:, 0], [-(1.5**0.5), 0.0, 1.5**0.5])
    assert np.allclose(targets[1], [0.0, 0.0])  # its own mean
    assert np.allclose(targets[:, 1], [-1.0, 0.0, 1.0])


def test_weights_of_datasets():
    known = np.array([[0.0], [1.0], [5.0]])
    assert np.allclose(dataset_weights(known, known, np.inf), 1 / 3)
    narrow = dataset_weights(np.array([[0.9]]), known, 0.05)
    assert narrow[0].argmax() == 1
    assert narrow[0, 1] > 0.9
    assert np.allclose(narrow.sum(1), 1)


def test_a_view_of_nothing_still_predicts():
    _, scores, descriptors = planted(signal=False)
    fitted = fit([np.zeros((30, 3))], scores, descriptors, list("abcdefgh"), inner_folds(LINEAGES, 4, 0),
                 committees=((TREES,),), trees=20)  # fmt: skip
    assert np.isfinite(fitted.predict([np.zeros((2, 3))])).all()


def test_agreement_is_the_weighted_tau_of_the_true_ranks_and_passes_over_gaps():
    rng = np.random.default_rng(0)
    predicted, scores = rng.normal(size=(2, 4, 9))
    expected = [weighted_tau_true_rank(p, s) for p, s in zip(predicted, scores, strict=True)]
    assert np.allclose(top_weighted_agreement(predicted, scores), expected)
    gaps = scores.copy()
    gaps[:, 6:] = np.nan
    assert np.allclose(
        top_weighted_agreement(predicted, gaps), top_weighted_agreement(predicted[:, :6], scores[:, :6])
    )
    assert np.isnan(top_weighted_agreement(predicted, np.full((4, 9), np.nan))).all()
