"""LogME against the marginal likelihood itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from hf_crosssight.transferability import score
from hf_crosssight.transferability.classes import one_hot
from hf_crosssight.transferability.logme import evidence
from hf_crosssight.transferability.spectrum import spectrum

from .conftest import make_inputs


def brute_force(features: np.ndarray, target: np.ndarray) -> float:
    """max over alpha, beta of log N(t; 0, I/beta + XX'/alpha) / N, by a search on the full covariance."""
    kernel, count = features @ features.T, len(target)

    def negative(logs: np.ndarray) -> float:
        covariance = np.exp(-logs[1]) * np.eye(count) + np.exp(-logs[0]) * kernel
        return -float(multivariate_normal.logpdf(target, np.zeros(count), covariance)) / count

    starts = [(0.0, 0.0), (4.0, 2.0), (-2.0, 3.0), (8.0, 1.0)]
    found = [
        minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-13, "maxiter": 2000})
        for start in starts
    ]
    return -min(each.fun for each in found)


@pytest.mark.parametrize("dims", [5, 30, 90], ids=["few", "as many", "more features than images"])
def test_default_is_the_marginal_likelihood(dims: int) -> None:
    inputs = make_inputs(count=30, dims=dims, classes=3)
    expected = np.mean([brute_force(inputs["features"], (inputs["labels"] == c).astype(float)) for c in range(3)])
    assert score("logme", features=inputs["features"], labels=inputs["labels"]) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_left_where_features_span_every_target(seed: int) -> None:
    """Rounding taken for a residual would cost 1e-8 and more, by the processor's order of additions."""
    inputs = make_inputs(count=30, dims=90, classes=3, seed=seed)
    found = spectrum(inputs["features"], one_hot(inputs["labels"], 3))
    assert found.residual.tolist() == [0.0, 0.0, 0.0]
    kernel = np.linalg.slogdet(inputs["features"] @ inputs["features"].T)[1]
    inverse = np.linalg.inv(inputs["features"] @ inputs["features"].T)
    targets = one_hot(inputs["labels"], 3)
    quadratic = np.einsum("nt,nm,mt->t", targets, inverse, targets)
    limit = -(kernel / 30 + np.log(quadratic / 30) + 1 + np.log(2 * np.pi)) / 2  # of a prior far wider than the noise
    assert (evidence(found, 30) > limit - 1e-11).all()


@pytest.mark.parametrize("dims", [4, 60])
def test_regression(dims: int) -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(25, dims))
    targets = features[:, :2] @ [[1.0, 0.2], [0.5, -1.0]] + 0.3 * rng.normal(size=(25, 2))
    expected = np.mean([brute_force(features, column) for column in targets.T])
    assert score("logme", features=features, labels=targets) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("implementation", ["thuml", "tllib", "all-terms"])
def test_public_forms_are_near_the_evidence_where_images_abound(implementation: str) -> None:
    inputs = make_inputs(count=200, dims=6)
    exact = score("logme", **inputs)
    assert score("logme", **inputs, parity=True, implementation=implementation) == pytest.approx(exact, abs=2e-4)


def test_thuml_grows_with_empty_columns_and_the_default_does_not() -> None:
    inputs = make_inputs(count=30, dims=40)
    padded = {**inputs, "features": np.pad(inputs["features"], ((0, 0), (0, 500)))}
    assert score("logme", **padded, parity=True) > score("logme", **inputs, parity=True) + 5
    assert score("logme", **padded) == pytest.approx(score("logme", **inputs), abs=1e-10)


def test_scale_is_of_no_account() -> None:
    inputs = make_inputs()
    scaled = {**inputs, "features": inputs["features"] * 1e4}
    assert score("logme", **scaled) == pytest.approx(score("logme", **inputs), abs=1e-9)


@pytest.mark.parametrize("shape", [(120, 40), (40, 120)])
def test_both_routes_agree_up_to_the_condition_number_allowed(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    narrow = min(shape)
    left, right = (np.linalg.qr(rng.normal(size=(size, narrow)))[0] for size in shape)
    features = left * np.logspace(0, -5.9, narrow) @ right.T
    targets = one_hot(np.arange(shape[0]) % 3, 3)
    gram, svd = spectrum(features, targets), spectrum(features, targets, condition=1.0)
    assert (gram.route, svd.route) == ("gram", "qr-svd")
    np.testing.assert_allclose(evidence(gram, shape[0]), evidence(svd, shape[0]), atol=1e-8)


def test_ill_conditioned_features_take_the_slow_route_but_dead_columns_do_not() -> None:
    inputs = make_inputs()
    targets = one_hot(inputs["labels"], 4)
    dead = np.pad(inputs["features"], ((0, 0), (0, 3)))
    assert spectrum(dead, targets).route == "gram"
    twice = np.concatenate([inputs["features"], inputs["features"][:, :1]], axis=1)
    assert spectrum(twice, targets).route == "qr-svd"


def test_a_perfect_fit_is_finite() -> None:
    labels = np.arange(40) % 2
    assert 5.0 < score("logme", features=one_hot(labels, 2), labels=labels) < 50.0
