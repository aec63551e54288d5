"""k-means that does not depend on the order of the points."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.tokens.clustering import cluster


def blobs(sizes, seed=0):
    random = np.random.default_rng(seed)
    centres = np.eye(len(sizes), 8) * 3
    return np.concatenate([centre + random.normal(0, 0.2, (n, 8)) for centre, n in zip(centres, sizes, strict=True)])


def test_finds_blobs_and_numbers_them_by_size():
    groups = cluster(blobs([5, 20, 11]), 3)
    assert groups.tolist() == [2] * 5 + [0] * 20 + [1] * 11


def test_order_of_points_does_not_matter():
    points = np.random.default_rng(1).normal(size=(80, 8))
    order = np.random.default_rng(2).permutation(80)
    assert np.array_equal(cluster(points[order], 12), cluster(points, 12)[order])


@pytest.mark.parametrize(("distinct", "k", "expected"), [(1, 5, 1), (3, 5, 3), (5, 5, 5), (6, 1, 1)])
def test_never_an_empty_cluster(distinct, k, expected):
    points = np.repeat(np.eye(8)[:distinct], 4, axis=0)
    groups = cluster(points, k)
    assert np.unique(groups).tolist() == list(range(expected))


def test_is_a_fixed_point_of_lloyd():
    points = np.random.default_rng(3).normal(size=(100, 4))
    groups = cluster(points, 7)
    centres = np.stack([points[groups == g].mean(0) for g in range(7)])
    nearest = ((points[:, None] - centres[None]) ** 2).sum(2).argmin(1)
    assert np.array_equal(nearest, groups)
