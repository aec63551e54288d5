"""Prototypes: shrinkage against the formula, statistics against brute force, merging, few and odd images."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.tokens.dataset_statistics import neighbour_hits
from hf_crosssight.tokens.prototypes import (
    MAX_PROTOTYPES,
    PROTOTYPE_STATS,
    build_prototypes,
    class_means,
    log_scale,
    pooled_variances,
    unit_features,
)


def column(prototypes, name):
    return prototypes.stats[:, PROTOTYPE_STATS.index(name)]


def draw(classes, per_class, spread, noise, dim=200, seed=0):
    """Gaussian classes: between-class variance `spread` and within-class variance `noise` (traces)."""
    random = np.random.default_rng(seed)
    centres = random.normal(0, np.sqrt(spread / dim), (classes, dim))
    labels = np.repeat(np.arange(classes), per_class)
    return centres[labels] + random.normal(0, np.sqrt(noise / dim), (len(labels), dim)), labels, centres


def test_unit_features_are_signed_roots_of_length_one():
    unit = unit_features(np.array([[4.0, -1.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(unit, [[2 / np.sqrt(5), -1 / np.sqrt(5), 0], [0, 0, 0]])


@pytest.mark.parametrize("per_class", [2, 5, 20])
def test_variances_are_recovered_without_bias(per_class):
    points, labels, _ = draw(200, per_class, spread=0.2, noise=0.6)
    variances = pooled_variances(*class_means(points, labels))
    assert variances.within == pytest.approx(0.6, rel=0.03)
    assert variances.between == pytest.approx(0.2, rel=0.1)


def test_shrinkage_is_the_formula():
    points, labels, _ = draw(12, 4, spread=0.3, noise=0.5)
    points, labels = np.delete(points, [0, 1, 2], axis=0), np.delete(labels, [0, 1, 2])  # class 0 keeps one image
    means, counts, scatter = class_means(points, labels)
    variances = pooled_variances(means, counts, scatter)
    prototypes = build_prototypes(points, labels, neighbour_hits(points, labels))
    expected = counts * variances.between / (counts * variances.between + variances.within)
    np.testing.assert_allclose(column(prototypes, "shrinkage"), expected)
    assert expected[0] < expected[1]
    grand = means.mean(0)
    np.testing.assert_allclose(prototypes.vectors, grand + expected[:, None] * (means - grand))


@pytest.mark.parametrize("per_class", [1, 3])
def test_shrunk_means_are_nearer_to_the_truth(per_class):
    points, labels, centres = draw(60, per_class, spread=0.2, noise=0.8)
    means, _, _ = class_means(points, labels)
    shrunk = build_prototypes(points, labels, neighbour_hits(points, labels)).vectors
    assert ((shrunk - centres) ** 2).sum() < 0.8 * ((means - centres) ** 2).sum()


def test_distances_to_the_nearest_class_are_free_of_noise():
    """With class means 1 apart, the distance is 1 whether five images or five hundred were read."""
    random = np.random.default_rng(0)
    for per_class in (5, 500):
        labels = np.repeat([0, 1], per_class)
        points = np.eye(2, 300)[labels] / np.sqrt(2) + random.normal(0, np.sqrt(0.9 / 300), (len(labels), 300))
        prototypes = build_prototypes(points, labels, neighbour_hits(points, labels))
        np.testing.assert_allclose(column(prototypes, "nearest"), 1, atol=0.12)


def test_statistics_against_brute_force():
    points, labels, _ = draw(5, 4, spread=0.4, noise=0.4, seed=3)
    points = unit_features(points)
    prototypes = build_prototypes(points, labels, neighbour_hits(points, labels))
    similar = points @ points.T
    for c in range(5):
        own = points[labels == c]
        assert column(prototypes, "within")[c] == pytest.approx(own.var(0, ddof=1).sum())
        rows = np.flatnonzero(labels == c)
        found = [labels[max((j for j in range(20) if j != i), key=lambda j, i=i: similar[i, j])] == c for i in rows]
        assert column(prototypes, "recall")[c] == pytest.approx(np.mean(found))
    assert column(prototypes, "log_count") == pytest.approx(log_scale(4, 1000))
    assert prototypes.members == ((0,), (1,), (2,), (3,), (4,))


def test_many_classes_share_prototypes_of_near_classes():
    centres = np.eye(64, 200)[np.arange(140) % 64]  # 12 triples and 52 pairs of near classes
    labels = np.repeat(np.arange(140), 3)
    points = centres[labels] + np.random.default_rng(0).normal(0, 0.005, (420, 200))
    points[:, 199] += (labels // 64) * 0.05
    prototypes = build_prototypes(points, labels, neighbour_hits(points, labels))
    assert len(prototypes.vectors) == MAX_PROTOTYPES
    assert prototypes.members == tuple(tuple(range(c, 140, 64)) for c in range(64))
    expected = [log_scale(len(group), 1000) for group in prototypes.members]
    np.testing.assert_allclose(column(prototypes, "multiplicity"), expected)


@pytest.mark.parametrize("labels", [[0], [0, 0, 0], [0, 1], [0, 0, 1], [0, 1, 2, 3]])
@pytest.mark.parametrize("constant", [True, False])
def test_few_or_equal_images_give_finite_bounded_tokens(labels, constant):
    points = np.random.default_rng(0).random((len(labels), 50))
    unit = unit_features(points[:1].repeat(len(labels), 0) if constant else points)
    labels = np.array(labels)
    prototypes = build_prototypes(unit, labels, neighbour_hits(unit, labels))
    assert np.isfinite(prototypes.vectors).all()
    assert np.isfinite(prototypes.stats).all()
    assert prototypes.stats.min() >= 0
    assert prototypes.stats.max() <= 1.5
    several = np.bincount(labels) > 1
    assert np.array_equal(column(prototypes, "recall_known"), several)
    assert np.array_equal(column(prototypes, "within_known"), several)
    assert np.array_equal(column(prototypes, "nearest_known"), np.full(len(several), len(several) > 1))


def test_clusters_say_that_they_are_no_classes():
    points, labels, _ = draw(3, 5, spread=0.4, noise=0.4)
    prototypes = build_prototypes(points, labels, None)
    assert (column(prototypes, "unlabelled") == 1).all()
    assert (column(prototypes, "recall_known") == 0).all()
