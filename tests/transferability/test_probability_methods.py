"""NCE, LEEP and PACTran against their definitions written as loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma, gammaln

from hf_crosssight.errors import UserError
from hf_crosssight.transferability import score


def test_nce_is_minus_the_conditional_entropy() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.eye(3)[[0, 0, 1, 1, 1, 0]]
    # z = 0: labels 0, 0, 1; z = 1: labels 0, 1, 1.
    expected = (2 * math.log(2 / 3) + math.log(1 / 3)) / 3
    assert score("nce", labels=labels, source_probs=probabilities) == pytest.approx(expected)
    assert score("nce", labels=labels, source_probs=probabilities, parity=True) == pytest.approx(expected)


def test_nce_does_not_take_classes_seen_once_for_perfect_predictors() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.eye(6)[[0, 0, 1, 2, 3, 4]]
    assert score("nce", labels=labels, source_probs=probabilities, parity=True) == 0.0
    assert score("nce", labels=labels, source_probs=probabilities) == pytest.approx(4 / 6 * math.log(0.5))
    with pytest.raises(UserError, match="no source class is predicted for two images"):
        score("nce", labels=labels, source_probs=np.eye(6))


def test_leep_by_loops(inputs: dict[str, Any]) -> None:
    labels, probabilities = inputs["labels"], inputs["source_probs"]
    total = 0.0
    for i, label in enumerate(labels):
        own = probabilities[labels == label].sum(axis=0) / probabilities.sum(axis=0)
        total += math.log(float(own @ probabilities[i]))
    expected = total / len(labels)
    assert score("leep", **inputs) == pytest.approx(expected, abs=1e-12)
    for name, sign in (("thuml", 1), ("parc", 1), ("model-spider", 1), ("pactran", -1)):
        assert score("leep", **inputs, parity=True, implementation=name) == pytest.approx(sign * expected, abs=1e-8)


def test_leep_skips_source_classes_without_mass(inputs: dict[str, Any]) -> None:
    padded = {**inputs, "source_probs": np.pad(inputs["source_probs"], ((0, 0), (0, 2)))}
    assert score("leep", **padded) == pytest.approx(score("leep", **inputs), abs=1e-12)
    with pytest.raises(UserError, match="'thuml' returns nan"):
        score("leep", **padded, parity=True)


def test_pactran_dirichlet_public_form_by_loops(inputs: dict[str, Any]) -> None:
    labels, probabilities = inputs["labels"], inputs["source_probs"]
    classes, count = 4, len(labels)
    prior = np.bincount(labels) / count + 1e-10
    q = probabilities
    for _ in range(10):
        counts = np.stack([prior[c] + q[labels == c].sum(axis=0) for c in range(classes)])
        logs = np.log(probabilities + 1e-10) + digamma(counts)[labels] - digamma(counts.sum(axis=0))
        q = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    total = 0.0
    for z in range(probabilities.shape[1]):
        total += gammaln(prior.sum()) - gammaln(prior).sum()
        total -= gammaln(counts[:, z].sum()) - gammaln(counts[:, z]).sum()
        total -= (q[:, z] * (np.log(q[:, z]) - np.log(probabilities[:, z] + 1e-10))).sum()
    found = score("pactran_dirichlet", **inputs, parity=True)
    assert found == pytest.approx(-total / (count * classes), abs=1e-10)


@pytest.mark.parametrize("method", ["pactran_dirichlet", "pactran_gamma"])
def test_converged_bounds_are_at_least_as_tight_as_ten_rounds(method: str, inputs: dict[str, Any]) -> None:
    public = score(method, **inputs, parity=True)
    per_image = -public * 4 if method == "pactran_dirichlet" else -((public - 1.0) * 4 + 1.0) + 1.0
    assert score(method, **inputs) >= per_image - 0.05


def test_nleep_finds_classes_that_are_clusters() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 4
    apart = rng.normal(size=(100, 6)) + 30.0 * rng.normal(size=(4, 6))[labels]
    assert score("nleep", features=apart, labels=labels) == pytest.approx(0.0, abs=1e-6)


def test_nleep_says_where_the_public_mixture_breaks() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(4, 50)), 10, axis=0).astype(np.float32)
    labels = np.arange(40) % 4
    with pytest.raises(UserError, match="nleep: the public"):
        score("nleep", features=rows, labels=labels, parity=True, implementation="sfda")
