"""PACTran-Gaussian: a PAC-Bayesian bound with a Gaussian prior on the weights of a softmax regression.

Source: Ding, Levinboim, Grauman, Soricut, "PACTran" (ECCV 2022), section 3.4: the regularised loss at the optimum
plus a flatness term from the diagonal of the Hessian,
    L* + (D C / (2 lam N)) (s/D) log(h lam N / (D C)),   L = mean cross-entropy + |W|^2 / (2 lam N).

Default: minus that bound with lam = 1 and s = 10 (higher is better). The loss is convex, so the optimum is sought from
zero (no random start) to a tight tolerance, in the span of the images where they are fewer than the features, and the
features are brought to unit mean variance (their scale says nothing about a model, but the prior feels it).

Public implementations are LOWER-is-better and start at random (`seed` = numpy's global seed); `pactran-LAM-S` (= emms
for lam 1) and `pactran-LAM-optimum` (L* alone); `etran-...` stops after ten rounds.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import centre, one_hot, total_variance
from .discriminant import softmax
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """Minus the bound with lam = 1, s = 10."""
    rows = centre(inputs.features, overwrite=True)
    dims = rows.shape[1]
    rows /= np.sqrt(total_variance(rows) / dims)
    norms = np.einsum("ij,ij->i", rows, rows)
    coordinates = _in_span(rows) if dims > 1.5 * len(rows) else rows
    targets = one_hot(inputs.labels, inputs.num_classes)
    start = np.zeros((coordinates.shape[1] + 1, inputs.num_classes))
    loss, probabilities = _fit(coordinates, targets, 1.0, start, rounds=200)
    return -_bound(norms, dims, probabilities, loss, lam=1.0, s=10.0)


def _in_span(rows: Array) -> Array:
    """Rows in an orthonormal basis of their span: any L with LL' = XX' will do, as the penalty sees no rotation."""
    products = rows @ rows.T
    # Centred rows are dependent by one direction.
    products.flat[:: len(products) + 1] += 1e-10 * np.trace(products) / len(products)
    return np.asarray(linalg.cholesky(products, lower=True, overwrite_a=True, check_finite=False))


def _fit(rows: Array, targets: Array, lam: float, start: Array, rounds: int) -> tuple[float, Array]:
    """The least regularised loss found by L-BFGS and its class probabilities `[N, C]`; the bias is the last row."""
    from scipy.optimize import minimize

    count, dims = rows.shape
    counts = targets.sum(axis=0)
    linear = np.vstack([rows.T @ targets, counts]) / count

    def objective(flat: Array) -> tuple[float, Array]:
        table = flat.reshape(start.shape)
        logits = rows @ table[:dims]
        logits += table[dims]
        top = logits.max(axis=1, keepdims=True)
        np.subtract(logits, top, out=logits)
        np.exp(logits, out=logits)
        mass = logits.sum(axis=1, keepdims=True)
        logits /= mass
        penalty = table[:dims] / (lam * count)
        loss = float((np.log(mass) + top).sum()) / count - float(np.vdot(linear, table))
        gradient = np.vstack([rows.T @ logits, logits.sum(axis=0)]) / count - linear
        gradient[:dims] += penalty
        return loss + float(np.vdot(table[:dims], penalty)) / 2.0, gradient.ravel()

    options = {"maxiter": rounds}
    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", tol=1e-6, options=options)
    table = found.x.reshape(start.shape)
    return float(found.fun), softmax(rows @ table[:dims] + table[dims])


def _bound(norms: Array, dims: int, probabilities: Array, loss: float, lam: float, s: float) -> float:
    """The bound from the rows' squared lengths `[N]`, the class probabilities `[N, C]` and the least loss."""
    count, classes = probabilities.shape
    uncertain = (probabilities * (1.0 - probabilities)).sum(axis=1)
    hessian = float(uncertain @ norms) + dims * classes / (lam * count) + float(uncertain.sum())
    flatness = hessian * lam * count / (dims * classes) + 1e-10
    return loss + dims * classes / (2.0 * lam * count) * (s / dims) * float(np.log(flatness))


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns: lower is better."""
    _, *choice = implementation.split("-")
    lam, s = ("1", choice[0]) if implementation.startswith("etran") else (choice[0], choice[1])
    rows = inputs.features - inputs.features.mean(axis=0, keepdims=True)
    targets = one_hot(inputs.labels, inputs.num_classes)
    draws = np.random.RandomState(inputs.seed).normal(size=(rows.shape[1], inputs.num_classes))
    start = np.vstack([0.03 * draws, np.zeros((1, inputs.num_classes))])
    rounds = 10 if implementation.startswith("etran") else 100
    loss, probabilities = _fit(rows, targets, float(lam), start, rounds)
    loss += float(np.log1p(1e-10))
    if s == "optimum":
        return loss
    norms = (rows.astype(np.float64) ** 2).sum(axis=1)
    return _bound(norms, rows.shape[1], probabilities, loss, float(lam), float(s))
