"""The global token's parts against brute force and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.tokens.dataset_statistics import (
    COUNT_STATS,
    SEPARABILITY_STATS,
    SPECTRUM,
    SPECTRUM_STATS,
    count_stats,
    neighbour_hits,
    separability_stats,
    spectrum_stats,
)
from hf_crosssight.tokens.pixel_statistics import PIXEL_STATS, pixel_stats
from hf_crosssight.tokens.prototypes import unit_features

from .pictures import digits, drawing


def separability(unit, labels):
    labels = np.asarray(labels)
    return dict(zip(SEPARABILITY_STATS, separability_stats(unit, labels, neighbour_hits(unit, labels)), strict=True))


def pixels(images):
    return dict(zip(PIXEL_STATS, pixel_stats(images), strict=True))


def test_unknown_counts_are_marked():
    known = dict(zip(COUNT_STATS, count_stats(1000, 1_000_000, 10_000, 1000, True), strict=True))
    assert all(value == pytest.approx(1) for value in known.values())
    assert not count_stats(None, None).any()
    assert dict(zip(COUNT_STATS, count_stats(10, None), strict=True))["rows_known"] == 0


def test_nearest_neighbours_against_brute_force():
    images, labels = digits(4)
    unit = unit_features(np.stack([np.asarray(image.convert("L"), dtype=np.float32).ravel() for image in images]))
    similar = unit @ unit.T
    np.fill_diagonal(similar, -1)
    expected = labels[similar.argmax(1)] == labels
    assert np.array_equal(neighbour_hits(unit, labels), expected)
    assert np.array_equal(neighbour_hits(unit, labels, chunk=7), expected)
    stats = separability(unit, labels)
    assert stats["nearest_neighbour"] == pytest.approx(expected.mean())
    assert stats["nearest_neighbour_gain"] == pytest.approx((expected.mean() - 0.1) / 0.9)
    right = 0
    for i in range(40):  # leave one out, nearest class mean
        rest = np.arange(40) != i
        means = np.stack([unit[rest & (labels == c)].mean(0) for c in range(10)])
        right += ((unit[i] - means) ** 2).sum(1).argmin() == labels[i]
    assert stats["nearest_mean"] == pytest.approx(right / 40)


def test_fisher_ratio_of_known_variances():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(100), 5)
    points = random.normal(0, 0.05, (100, 400))[labels] + random.normal(0, 0.1, (500, 400))
    assert separability(points, labels)["fisher"] == pytest.approx(0.2, abs=0.02)


def test_balance():
    unit = unit_features(np.random.default_rng(0).random((8, 5)))
    assert separability(unit, [0, 0, 1, 1, 2, 2, 3, 3])["balance"] == pytest.approx(1)
    skewed = separability(unit, [0, 0, 0, 0, 0, 0, 0, 1])
    assert skewed["balance"] == pytest.approx(0.5436, abs=1e-4)  # entropy of (7/8, 1/8) in bits
    assert skewed["smallest_share"] == pytest.approx(1 / 7)


def test_one_image_a_class_is_unknown_rather_than_zero():
    stats = separability(unit_features(np.random.default_rng(0).random((5, 9))), range(5))
    assert stats["labels_known"] == 1
    assert stats["separability_known"] == 0
    assert stats["nearest_neighbour"] == stats["fisher"] == 0


def test_identical_images_are_at_chance():
    stats = separability(np.ones((8, 4)) / 2, [0, 0, 0, 0, 1, 1, 1, 1])
    assert stats["nearest_neighbour"] == pytest.approx(3 / 7)
    assert stats["nearest_mean"] == pytest.approx(0.5)
    assert stats["fisher"] == pytest.approx(0)


def test_error_bar_is_not_zero_at_perfect_recall():
    unit = np.eye(3)[[0, 0, 0, 1, 1, 1]]
    stats = separability(unit, [0, 0, 0, 1, 1, 1])
    assert stats["nearest_neighbour"] == 1
    assert 0.05 < stats["nearest_neighbour_error"] < 0.2


@pytest.mark.parametrize("images", [6, 60])
def test_spectrum_of_equal_directions(images):
    """Points on k axes, mean taken off: k - 1 equal eigenvalues; both the Gram and the covariance way."""
    points = np.eye(6, 12)[np.arange(images) % 6]
    stats = dict(zip(SPECTRUM_STATS, spectrum_stats(points), strict=True))
    assert stats["effective_rank"] == pytest.approx(np.log(5) / np.log(12))
    leading = [stats[f"spectrum_{i}"] for i in range(SPECTRUM)]
    np.testing.assert_allclose(leading, [np.sqrt(0.2)] * 5 + [0] * 11, atol=1e-6)
    assert stats["mean_length"] == pytest.approx(1 / 6)


def test_spectrum_of_one_point_is_unknown():
    assert dict(zip(SPECTRUM_STATS, spectrum_stats(np.ones((1, 4)) / 2), strict=True))["spectrum_known"] == 0


def test_pixel_facts():
    grey = pixels([Image.new("L", (448, 224), 128)])
    assert grey["log_side"] == 0
    assert grey["log_aspect"] == 1
    assert grey["grey_share"] == 1
    assert [grey[name] for name in ("saturation", "contrast", "slope")] == pytest.approx([0, 0, 0], abs=1e-12)
    red = pixels([Image.new("RGB", (7, 7), (255, 0, 0)), Image.new("RGB", (7, 7), (128, 128, 128))])
    assert red["log_side"] == pytest.approx(-1)
    assert red["grey_share"] == 0.5
    assert red["saturation"] == 0.5
    assert red["red"] > 0 > red["green"] == red["blue"]


def test_fine_detail_has_a_flatter_spectrum():
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    smooth = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(
        (64, 64), Image.Resampling.BICUBIC
    )
    assert abs(pixels([noise])["slope"]) < 0.1
    assert pixels([smooth])["slope"] < -0.5


def test_a_disc_on_a_ground_differs_at_the_border():
    framed = Image.new("RGB", (64, 64))
    framed.paste((255, 255, 255), (16, 16, 48, 48))
    assert pixels([framed])["border"] == pytest.approx(1)


def test_pixel_statistics_ignore_order():
    images = [drawing("disc", seed, (40 + seed, 50)) for seed in range(6)]
    np.testing.assert_allclose(pixel_stats(images), pixel_stats(images[::-1]), atol=1e-12)
