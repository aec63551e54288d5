"""The methods on features against direct, slow forms of their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.covariance import ledoit_wolf

from hf_crosssight.errors import UserError
from hf_crosssight.transferability import score
from hf_crosssight.transferability.discriminant import shrunk_discriminant
from hf_crosssight.transferability.principal import leading_components
from hf_crosssight.transferability.sfda import within_scatter
from hf_crosssight.transferability.transport import optimal_plan

from .conftest import make_inputs


def class_mean_rows(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([rows[labels == label].mean(axis=0) for label in labels])


def test_hscore_is_the_trace(inputs: dict[str, Any]) -> None:
    rows, labels = inputs["features"], inputs["labels"]
    between = np.cov(class_mean_rows(rows, labels), rowvar=False)
    expected = np.trace(np.linalg.pinv(np.cov(rows, rowvar=False)) @ between)
    assert score("hscore", features=rows, labels=labels) == pytest.approx(expected, abs=1e-10)
    for name, sign in (("model-spider", 1), ("tllib", 1), ("parc", 1), ("pactran", -1)):
        found = score("hscore", features=rows, labels=labels, parity=True, implementation=name)
        assert found == pytest.approx(sign * expected, abs=1e-6)
    collinear = np.concatenate([rows, rows[:, :3]], axis=1)
    assert score("hscore", features=collinear, labels=labels) == pytest.approx(expected, abs=1e-9)


def test_hscore_does_not_saturate() -> None:
    good, noise = make_inputs(count=60, dims=200), make_inputs(count=60, dims=200)
    noise["features"] = np.random.default_rng(5).normal(size=(60, 200))
    assert score("hscore", **good, parity=True) == pytest.approx(3.0)
    assert score("hscore", **noise, parity=True) == pytest.approx(3.0)
    assert 3.0 > score("hscore", **good) > score("hscore", **noise) + 0.5


@pytest.mark.parametrize("dims", [12, 200])
def test_regularised_hscore_is_scikit_learns_ledoit_wolf(dims: int) -> None:
    inputs = make_inputs(dims=dims)
    rows, labels = inputs["features"], inputs["labels"]
    covariance, shrinkage = ledoit_wolf(rows)
    between = np.cov(class_mean_rows(rows, labels), rowvar=False)
    expected = (1 - shrinkage) * np.trace(np.linalg.solve(covariance, between))
    assert score("hscore_regularized", **inputs) == pytest.approx(expected, rel=1e-9)
    padded = {**inputs, "features": np.pad(rows, ((0, 0), (0, 4)), constant_values=2.0)}
    covariance, shrinkage = ledoit_wolf(padded["features"])
    solved = np.linalg.solve(covariance, np.pad(between, ((0, 4), (0, 4))))
    assert score("hscore_regularized", **padded) == pytest.approx((1 - shrinkage) * np.trace(solved), rel=1e-9)


@pytest.mark.parametrize("dims", [12, 120])
def test_transrate_is_a_difference_of_log_determinants(dims: int) -> None:
    inputs = make_inputs(dims=dims)
    rows, labels = inputs["features"] - inputs["features"].mean(axis=0), inputs["labels"]

    def rate(part: np.ndarray) -> float:
        return float(np.linalg.slogdet(np.eye(dims) + part.T @ part / (len(part) * 1e-4))[1]) / 2

    public = rate(rows) - np.mean([rate(rows[labels == c]) for c in range(4)])
    assert score("transrate", **inputs, parity=True) == pytest.approx(public, rel=1e-9)
    unit = rows / np.sqrt((rows**2).sum(axis=1).mean())

    rng, differences = np.random.default_rng(7), []
    for size in (22, 23):  # 90 images of four classes
        own = [rate(unit[labels == c]) for c in range(4) if (labels == c).sum() == size]
        drawn = [rate(unit[rng.choice(90, size, replace=False)]) for _ in range(3 * len(own))]
        differences += [size / 90 * (np.mean(drawn) - each) for each in own]
    assert score("transrate", **inputs, seed=7) == pytest.approx(sum(differences), rel=1e-9)


@pytest.mark.parametrize("dims", [12, 120])
def test_lfc_by_whole_matrices(dims: int) -> None:
    inputs = make_inputs(dims=dims)
    rows, labels = inputs["features"], inputs["labels"]
    agree = np.where(labels[:, None] == labels, 1.0, -1.0)
    kernel = rows @ rows.T
    expected = np.corrcoef(kernel.ravel(), agree.ravel())[0, 1]
    assert score("lfc", **inputs, parity=True) == pytest.approx(expected, abs=1e-10)
    centred = rows - rows.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    upper = np.triu_indices(len(rows), 1)
    expected = np.corrcoef((unit @ unit.T)[upper], agree[upper])[0, 1]
    assert score("lfc", **inputs) == pytest.approx(expected, abs=1e-10)


def test_parc_ties_exactly(inputs: dict[str, Any]) -> None:
    rows, labels = inputs["features"], inputs["labels"]
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    upper = np.triu_indices(len(rows), 1)
    different = (labels[:, None] != labels)[upper].astype(float)
    expected = 100 * spearmanr((1 - np.corrcoef(scaled))[upper], different).statistic
    assert score("parc", **inputs) == pytest.approx(expected, abs=1e-9)
    # Rounding breaks the ties of the public form; it stays within a point.
    assert score("parc", **inputs, parity=True) == pytest.approx(expected, abs=1.0)


def test_knn_by_loops_and_with_duplicates(inputs: dict[str, Any]) -> None:
    rows, labels = inputs["features"], inputs["labels"].copy()
    distances = cdist(rows, rows, "cosine")
    np.fill_diagonal(distances, np.inf)
    expected = (labels[distances.argmin(axis=1)] == labels).mean()
    assert score("knn", features=rows, labels=labels) == expected
    twice, both = np.concatenate([rows, rows]), np.concatenate([labels, labels])
    assert score("knn", features=twice, labels=both) == 1.0
    contradicting = np.concatenate([labels, (labels + 1) % 4])
    assert score("knn", features=twice, labels=contradicting) == 0.0


def test_gbc_of_two_classes_by_hand() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 2)) * [1.0, 0.5]
    labels = np.arange(4000) % 2
    rows[labels == 1, 0] += 3.0
    # Equal covariances: D_B = 1/8 d' S^-1 d, the same for both ordered pairs.
    assert score("gbc", features=rows, labels=labels) == pytest.approx(9 / 8 - np.log(2), abs=0.05)


def test_gbc_tells_well_separated_models_apart() -> None:
    inputs = make_inputs()
    centres = 1e3 * np.random.default_rng(1).normal(size=(4, 12))[inputs["labels"]]
    near, far = ({**inputs, "features": inputs["features"] + scale * centres} for scale in (1.0, 2.0))
    assert score("gbc", **far) > score("gbc", **near) > 700


def test_sfda_public_first_pass_is_discriminant_analysis(inputs: dict[str, Any]) -> None:
    within = within_scatter(inputs["features"], inputs["labels"], 4)
    residual = inputs["features"] - class_mean_rows(inputs["features"], inputs["labels"])
    np.testing.assert_allclose(within, residual.T @ residual / 90, atol=1e-12)


@pytest.mark.parametrize(
    "method", ["sfda", "etran", "ncti", "gbc", "lfc", "transrate", "hscore", "knn", "nleep", "emms"]
)
def test_the_scale_of_the_features_is_of_no_account(method: str, inputs: dict[str, Any]) -> None:
    scaled = {**inputs, "features": inputs["features"] * 64.0}
    assert score(method, **scaled) == pytest.approx(score(method, **inputs), rel=1e-6)


@pytest.mark.parametrize("method", ["sfda", "etran", "pactran_gaussian"])
def test_wide_and_padded_features_take_different_routes_to_one_score(method: str) -> None:
    inputs = make_inputs(count=40, dims=39)
    rotated = np.linalg.qr(np.random.default_rng(0).normal(size=(39, 39)))[0]
    assert score(method, **{**inputs, "features": inputs["features"] @ rotated}) == pytest.approx(
        score(method, **inputs), abs=0.05
    )


def test_etran_public_discriminant_is_the_nearest_mean(inputs: dict[str, Any]) -> None:
    rows, labels = inputs["features"], inputs["labels"]
    means = np.stack([rows[labels == c].mean(axis=0) for c in range(4)])
    logits = rows @ means.T - (means**2).sum(axis=1) / 2 + np.log(np.bincount(labels) / 90)
    posteriors = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert score("etran", **inputs, parity=True) == pytest.approx(posteriors[np.arange(90), labels].mean(), abs=1e-10)


@pytest.mark.parametrize(("rows", "columns"), [(12, 12), (12, 17), (20, 7)])
def test_transport_is_the_least_cost_over_all_pairs(rows: int, columns: int) -> None:
    cost = np.random.default_rng(0).uniform(size=(rows, columns))
    equal = np.vstack([np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))])
    masses = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    expected = linprog(cost.ravel(), A_eq=equal, b_eq=masses).fun
    i, j, mass = optimal_plan(cost)
    assert (mass * cost[i, j]).sum() == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(np.bincount(i, mass, rows), 1 / rows)
    np.testing.assert_allclose(np.bincount(j, mass, columns), 1 / columns)


def test_otce_is_best_where_source_and_target_are_one() -> None:
    inputs = make_inputs()
    same = {**inputs, "source_features": inputs["features"], "source_labels": inputs["labels"]}
    assert score("otce", **same) == pytest.approx(0.0, abs=1e-9)
    assert -2.0 <= score("otce", **inputs) < -0.1
    assert score("otce", **same, parity=True) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(UserError, match="5 dimensions"):
        score("otce", **{**inputs, "source_features": inputs["source_features"][:, :5]})


def test_emms_prefers_features_that_hold_the_label_embeddings(inputs: dict[str, Any]) -> None:
    holds = inputs["label_embeddings"][inputs["labels"]].mean(axis=2)
    noisy = holds + 0.01 * np.random.default_rng(0).normal(size=holds.shape)
    assert score("emms", **{**inputs, "features": noisy}) > -0.01
    noise = np.random.default_rng(1).normal(size=(90, 200))
    assert score("emms", **{**inputs, "features": noise}) < -0.8
    # The published form is rounding noise for every model as wide as that.
    assert score("emms", **{**inputs, "features": noise}, parity=True) > -1e-20


@pytest.mark.parametrize("dims", [12, 120])
def test_linear_probe_is_scikit_learns(dims: int) -> None:
    inputs = make_inputs(dims=dims)
    assert score("linear_probe", **inputs) == pytest.approx(score("linear_probe", **inputs, parity=True), abs=0.025)


@pytest.mark.parametrize("dims", [3, 60])
def test_discriminant_leaves_each_image_out(dims: int) -> None:
    inputs = make_inputs(count=20, dims=dims, classes=2)
    rows, labels = inputs["features"], inputs["labels"]
    found = shrunk_discriminant(rows, labels, 2, shrinkage=0.3)
    ridge = 0.3 * np.trace(within_scatter(rows, labels, 2)) / dims * np.eye(dims)
    for i in (0, 7):
        kept = np.arange(20) != i
        rest, names = rows[kept], labels[kept]
        # The weight 1/N and the ridge stay those of all images.
        matrix = 0.7 * within_scatter(rest, names, 2) * 19 / 20 + ridge
        gaps = [rows[i] - rest[names == c].mean(axis=0) for c in range(2)]
        logits = np.array([-0.5 * gap @ np.linalg.solve(matrix, gap) for gap in gaps])
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(found.posteriors[i], expected, atol=1e-9)


def test_leading_components_of_large_features_hold_nearly_all_that_the_best_hold() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, 800)) * np.arange(1, 801) ** -0.7 + 5.0
    found = leading_components(rows.astype(np.float32), 64)
    best = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:64] ** 2
    lengths = (found**2).sum(axis=0)
    assert found.shape == (900, 64)
    assert (np.diff(lengths) < 0).all()
    assert lengths.sum() == pytest.approx(best.sum(), rel=1e-4)
    np.testing.assert_allclose(lengths[:20], best[:20], rtol=1e-4)


@pytest.mark.parametrize("method", ["gbc", "ncti", "lfc", "transrate"])
def test_methods_that_read_single_precision_agree_with_double(method: str, inputs: dict[str, Any]) -> None:
    narrow = {**inputs, "features": inputs["features"].astype(np.float32)}
    assert score(method, **narrow) == pytest.approx(score(method, **inputs), rel=1e-5)


def test_otce_does_not_lose_digits_to_a_common_offset(inputs: dict[str, Any]) -> None:
    moved = {**inputs} | {name: inputs[name] + 2.0**20 for name in ("features", "source_features")}
    assert score("otce", **moved) == pytest.approx(score("otce", **inputs), abs=1e-6)
