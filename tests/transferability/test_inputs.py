"""Bad and odd input: a finite value or an error that names the method and the reason, never NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.transferability import METHODS, available_methods, implementations, score, score_zoo

from .conftest import make_inputs

ALL = available_methods()
BY_FEATURES = [name for name in ALL if "features" in METHODS[name].needs]
BY_PROBABILITIES = [name for name in ALL if "source_probs" in METHODS[name].needs]


def test_the_names_are_those_of_the_field() -> None:
    assert set(ALL) == {
        "nce",
        "leep",
        "nleep",
        "logme",
        "hscore",
        "hscore_regularized",
        "otce",
        "pactran_dirichlet",
        "pactran_gamma",
        "pactran_gaussian",
        "gbc",
        "lfc",
        "parc",
        "sfda",
        "ncti",
        "etran",
        "transrate",
        "knn",
        "linear_probe",
        "emms",
    }


@pytest.mark.parametrize("method", ALL)
def test_informative_inputs_beat_noise(method: str, inputs: dict[str, Any]) -> None:
    shuffled = {**inputs, "labels": np.random.default_rng(1).permutation(inputs["labels"])}
    assert score(method, **inputs) > score(method, **shuffled)


@pytest.mark.parametrize("dims", [20, 200])
@pytest.mark.parametrize("method", sorted(set(BY_FEATURES) - {"otce"}))
def test_few_images_with_more_signal_never_score_less(method: str, dims: int) -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(80) % 8
    noise, centres = rng.normal(size=(80, dims)), rng.normal(size=(8, dims))
    shared = {"label_embeddings": centres[:, :6], "labels": labels}
    found = [score(method, features=noise + s * centres[labels], **shared) for s in (0.0, 0.4, 0.8)]
    assert found[0] < found[1] <= found[2]  # accuracies end at 1


@pytest.mark.parametrize("method", ALL)
def test_scores_repeat(method: str, inputs: dict[str, Any]) -> None:
    assert score(method, **inputs, seed=3) == score(method, **inputs, seed=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ALL)
def test_inputs_are_left_as_they_are(method: str, dtype: type, inputs: dict[str, Any]) -> None:
    inputs = {name: value.astype(dtype) if value.dtype.kind == "f" else value for name, value in inputs.items()}
    before = {name: value.copy() for name, value in inputs.items()}
    score(method, **inputs)
    for name, value in inputs.items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("method", ALL)
def test_labels_need_not_start_at_zero_nor_be_dense(method: str, inputs: dict[str, Any]) -> None:
    renumbered = {**inputs, "labels": inputs["labels"] * 7 - 3}
    assert score(method, **renumbered) == pytest.approx(score(method, **inputs), abs=1e-12)


@pytest.mark.parametrize("method", ALL)
def test_one_class_is_an_error(method: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{method}.*one class"):
        score(method, **{**inputs, "labels": np.zeros(90, dtype=int)})


@pytest.mark.parametrize("method", ALL)
def test_missing_input_is_named(method: str, inputs: dict[str, Any]) -> None:
    for name in METHODS[method].needs:
        with pytest.raises(UserError, match=f"{method} needs {name}"):
            score(method, **{**inputs, name: None})
    with pytest.raises(UserError, match=f"{method} needs labels"):
        score(method, **{**inputs, "labels": None})


@pytest.mark.parametrize("method", BY_FEATURES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinite_features_are_errors(method: str, bad: float, inputs: dict[str, Any]) -> None:
    inputs["features"][3, 2] = bad
    with pytest.raises(UserError, match=f"{method}: features has 1 NaN or infinite"):
        score(method, **inputs)


@pytest.mark.parametrize("method", BY_FEATURES)
def test_no_features_at_all(method: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{method}: features is empty"):
        score(method, **{**inputs, "features": np.empty((90, 0))})


@pytest.mark.parametrize("method", BY_FEATURES)
def test_features_that_never_change_are_an_error(method: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{method}: features are the same for every image"):
        score(method, **{**inputs, "features": np.full((90, 12), 0.3)})


@pytest.mark.parametrize("method", BY_PROBABILITIES)
def test_probabilities_must_sum_to_one(method: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{method}: rows of source_probs must sum to 1"):
        score(method, **{**inputs, "source_probs": inputs["source_probs"] * 1.1})
    with pytest.raises(UserError, match="negative"):
        score(method, **{**inputs, "source_probs": inputs["source_probs"] - 0.5})


@pytest.mark.parametrize("method", ALL)
def test_rows_and_labels_must_match(method: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{method}: 90 rows"):
        score(method, **{**inputs, "labels": inputs["labels"][:80]})


@pytest.mark.parametrize("method", ALL)
def test_float16_is_close_to_float64(method: str, inputs: dict[str, Any]) -> None:
    half = {k: v.astype(np.float16) if v.dtype == np.float64 else v for k, v in inputs.items()}
    assert score(method, **half) == pytest.approx(score(method, **inputs), rel=0.1, abs=0.1)


@pytest.mark.parametrize("method", ALL)
def test_constant_columns_duplicates_and_collinear_columns_stay_finite(method: str, inputs: dict[str, Any]) -> None:
    features = inputs["features"].copy()
    features[:, 0] = 0.3
    features[10] = features[14] = features[11]
    widened = np.concatenate([features, features[:, :5]], axis=1)
    source = np.concatenate([inputs["source_features"], inputs["source_features"][:, :5]], axis=1)
    assert math.isfinite(score(method, **{**inputs, "features": widened, "source_features": source}))


@pytest.mark.parametrize("method", BY_FEATURES)
def test_wide_features_stay_finite_and_tell_models_apart(method: str) -> None:
    few = [make_inputs(count=24, dims=60, seed=seed) for seed in (0, 1)]
    for each in few:
        each["features"] += 3.0 * np.random.default_rng(2).normal(size=(24, 60))
    one, two = (score(method, **each) for each in few)
    assert math.isfinite(one)
    assert math.isfinite(two)
    if method not in ("knn", "linear_probe"):
        assert one != two


@pytest.mark.parametrize("method", ALL)
def test_one_image_a_class_has_a_value_or_a_reason(method: str) -> None:
    single = make_inputs(count=8, dims=5, classes=8)
    if METHODS[method].needs_repeats:
        with pytest.raises(UserError, match=f"{method}: no class has two images"):
            score(method, **single)
    else:
        assert math.isfinite(score(method, **single))


@pytest.mark.parametrize("method", ALL)
def test_a_class_of_one_image_among_others(method: str, inputs: dict[str, Any]) -> None:
    labels = inputs["labels"].copy()
    labels[labels == 3] = 2
    labels[5] = 3
    assert math.isfinite(score(method, **{**inputs, "labels": labels}))


def score_or_reason(method: str, found: dict[str, Any]) -> tuple[float, str]:
    try:
        return score(method, **found), ""
    except UserError as error:
        return math.nan, error.what


KINDS = {
    "one direction": lambda rng, n, d: rng.normal(size=(n, 1)) * rng.normal(size=(1, d)),
    "two distinct rows": lambda rng, n, d: rng.normal(size=(2, d))[np.arange(n) % 2],
    "tiny": lambda rng, n, d: 1e-30 * rng.normal(size=(n, d)),
    "huge": lambda rng, n, d: 1e60 * rng.normal(size=(n, d)),
    "booleans": lambda rng, n, d: rng.random((n, d)) < 0.5,
    "one entry": lambda rng, n, d: np.eye(1, n * d).reshape(n, d),
    "far from zero": lambda rng, n, d: 1e6 + 1e-3 * rng.normal(size=(n, d)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", BY_FEATURES)
def test_degenerate_features_have_a_finite_value_or_a_reason(method: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    for count, dims in ((3, 1), (3, 90), (30, 2), (30, 90)):
        labels = np.arange(count) % max(2, count // 3)
        found = {
            "features": KINDS[kind](rng, count, dims),
            "labels": labels,
            "source_features": KINDS[kind](rng, count - 1, dims),
            "source_labels": np.arange(count - 1) % 2,
            "label_embeddings": rng.normal(size=(labels.max() + 1, 5, 3)),
        }
        value, reason = score_or_reason(method, found)
        assert math.isfinite(value) or reason.startswith(f"{method}: ")


@pytest.mark.parametrize("method", BY_FEATURES)
def test_features_that_would_vanish_are_an_error(method: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"^{method}: features are all below"):
        score(method, **{**inputs, "features": inputs["features"].astype(np.float64) * 1e-200})


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_embeddings_that_are_all_the_same_have_a_value_or_a_reason(value: float, inputs: dict[str, Any]) -> None:
    value, reason = score_or_reason("emms", {**inputs, "label_embeddings": np.full((4, 5), value)})
    assert math.isfinite(value) or reason.startswith("emms: ")


@pytest.mark.parametrize("method", BY_FEATURES)
@pytest.mark.parametrize("factor", [1e-70, 1e70])
def test_the_unit_of_features_is_nothing_to_a_method(method: str, factor: float, inputs: dict[str, Any]) -> None:
    other = {name: value * factor if name.endswith("features") else value for name, value in inputs.items()}
    assert score(method, **other) == pytest.approx(score(method, **inputs), rel=1e-4, abs=1e-9)


def test_one_feature_is_not_shrunk() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    found = score("hscore_regularized", features=labels[:, None] + rng.normal(size=(40, 1)), labels=labels)
    assert 0 < found < 1


def test_a_zoo_is_scored_by_a_known_implementation() -> None:
    labels = np.arange(220) % 4
    models = [{"features": make_inputs(count=220, dims=70, seed=seed)["features"]} for seed in range(2)]
    with pytest.raises(UserError, match="no public implementation"):
        score_zoo("etran", models, labels=labels, parity=True, implementation="nope")
    found = score_zoo("etran", models, labels=labels, parity=True, implementation="etran-energy")
    assert found == [score("etran", **m, labels=labels, parity=True, implementation="etran-energy") for m in models]


def test_no_model_has_no_score(inputs: dict[str, Any]) -> None:
    for parity in (False, True):
        assert score_zoo("ncti", [], labels=inputs["labels"], parity=parity) == []


def test_a_public_form_that_crashes_is_an_error_with_its_name(inputs: dict[str, Any]) -> None:
    gap = {**inputs, "labels": np.where(inputs["labels"] == 3, 4, inputs["labels"])}
    with pytest.raises(UserError, match="logme: the public implementation 'tllib' fails here"):
        score("logme", **gap, parity=True, implementation="tllib")
    for method, implementation in (("hscore_regularized", "tllib"), ("logme", "transformer-ranker")):
        theirs = score(method, **inputs, parity=True, implementation=implementation)
        assert score(method, **gap, parity=True, implementation=implementation) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("method", BY_PROBABILITIES)
def test_float32_probabilities_and_rows_a_little_off_one(method: str, inputs: dict[str, Any]) -> None:
    exact = score(method, **inputs)
    assert score(method, **{**inputs, "source_probs": inputs["source_probs"].astype(np.float32)}) == pytest.approx(
        exact, abs=1e-5
    )
    assert score(method, **{**inputs, "source_probs": inputs["source_probs"] * 1.005}) == pytest.approx(
        exact, abs=1e-9
    )
    inputs["source_probs"][3, 2] = np.nan
    with pytest.raises(UserError, match=f"{method}: source_probs has 1 NaN"):
        score(method, **inputs)


@pytest.mark.parametrize("method", sorted(set(ALL) - {"linear_probe"}))
def test_a_thousand_classes(method: str) -> None:
    many = make_inputs(count=2000, dims=8, classes=1000)
    assert math.isfinite(score(method, **many))


def test_unknown_names_list_the_known_ones(inputs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="known: nce, leep"):
        score("loogme", **inputs)
    with pytest.raises(UserError, match="known: thuml"):
        score("leep", **inputs, parity=True, implementation="nobody")
    with pytest.raises(UserError, match="without parity"):
        score("leep", **inputs, implementation="thuml")


def test_an_implementation_may_be_cited_by_its_repository(inputs: dict[str, Any]) -> None:
    cited = score("leep", **inputs, parity=True, implementation="dbolya/parc:methods.py:LEEP@ddfca43")
    assert cited == score("leep", **inputs, parity=True, implementation="parc")
    assert "tllib" in implementations("leep")


def test_labels_that_are_fractions_are_refused_but_by_logme(inputs: dict[str, Any]) -> None:
    targets = inputs["labels"] + 0.5
    with pytest.raises(UserError, match="must be class numbers"):
        score("lfc", features=inputs["features"], labels=targets)
    assert math.isfinite(score("logme", features=inputs["features"], labels=targets))


@pytest.mark.parametrize("method", ["ncti", "etran"])
def test_a_model_alone_has_a_score_that_company_does_not_change(method: str) -> None:
    models = [make_inputs(count=120, dims=70, seed=seed)["features"] for seed in range(3)]
    labels = np.arange(120) % 4
    alone = [score(method, features=rows, labels=labels) for rows in models]
    assert score_zoo(method, [{"features": rows} for rows in models], labels=labels) == alone


def test_published_zoo_scores_are_min_max_scaled() -> None:
    labels = np.arange(220) % 4
    models = [{"features": make_inputs(count=220, dims=70, seed=seed)["features"]} for seed in range(3)]
    found = score_zoo("etran", models, labels=labels, parity=True)
    parts = [
        [score("etran", **m, labels=labels, parity=True, implementation=i) for i in ("etran-lda", "etran-energy")]
        for m in models
    ]
    table = np.array(parts)
    expected = (table - table.min(axis=0)) / np.ptp(table, axis=0) @ [0.85, 0.15]
    np.testing.assert_allclose(found, expected)
    with pytest.raises(UserError, match="the same for all models"):
        score_zoo("etran", models[:1], labels=labels, parity=True)
