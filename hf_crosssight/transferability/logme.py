"""LogME: the log marginal likelihood of the labels under Bayesian linear regression on the features.

Source: You, Liu, Wang, Long, "LogME: practical assessment of pre-trained models for transfer learning" (ICML 2021),
equations 2 to 5; You et al., "Ranking and tuning pre-trained models" (JMLR 2022) for the fixed point. Weights have
the prior N(0, 1/alpha), noise the precision beta, each class (or regression target) is a target of its own, and the
score is the mean over targets of max over alpha, beta of log p(t | X, alpha, beta) / N.

Default: that maximum, exactly. With tau = alpha/beta the best beta is N / E(tau),
E(tau) = r + sum_k h_k tau/(tau + sigma_k), which leaves one variable,
    2 L(tau) = sum_k log(tau/(tau + sigma_k)) - N log(E(tau)/N) - N - N log 2 pi,
maximised on a grid and then by Newton steps. Directions with sigma = 0 contribute nothing, so fewer images than
features need no special case. The noise is at least 1e-12 of the target's mean square, so that a perfect fit stays
finite. The score does not depend on the features' scale.

Public implementations (`parity=True`, all higher is better) differ:
- `thuml` (and its copies): fixed point, at most 11 rounds, eps 1e-5. For D > N it leaves -(D-N)/2 log(alpha) out of
  the log-determinant, so the value grows with D and is not the evidence. `all-terms` restores those terms.
- `thuml-icml`, `tllib` (= dataiku): all D terms, looser stop; tllib has no eps.
- `transformer-ranker`: as thuml, but alpha and beta are carried over from class to class and log 2 pi is a float32.
- `pactran` (alpha = beta = 1) and `pactran-20`: another normalisation (see `_pactran`); `-centred` is
  what its main() feeds, since its H-score has centred the features in place.
"""

from __future__ import annotations

import math

import numpy as np

from .classes import one_hot
from .inputs import Array, Inputs
from .spectrum import Spectrum, spectrum

_NOISE_FLOOR = 1e-12


def score(inputs: Inputs) -> float:
    """Mean over targets of the maximum log evidence per image (nats)."""
    found = spectrum(inputs.features, _targets(inputs))
    return float(evidence(found, len(inputs.features)).mean())


def evidence(found: Spectrum, count: int) -> Array:
    """Maximum log evidence per image of each target `[T]`."""
    steps = np.arange(math.log(found.sigma.min()) - 28.0, math.log(found.sigma.max()) + 16.0, 0.5)
    on_grid = np.stack([_profile(np.full(len(found.energy), u), found, count) for u in steps])
    best = on_grid.argmax(axis=0)
    low, high = steps[np.maximum(best - 1, 0)], steps[np.minimum(best + 1, len(steps) - 1)]
    refined = _profile(_newton(steps[best], low, high, found, count), found, count)
    return np.maximum(refined, on_grid.max(axis=0))


def _profile(log_tau: Array, found: Spectrum, count: int) -> Array:
    """Evidence per image at the best beta for tau = exp(log_tau) `[T]`."""
    tau = np.exp(log_tau)
    if (log_tau == log_tau[0]).all():
        weight = tau[0] / (tau[0] + found.sigma)
        errors = found.residual + weight @ found.projected
        logs = np.log(weight).sum()
    else:
        weights = tau[:, None] / (tau[:, None] + found.sigma)
        errors = found.residual + np.einsum("tk,kt->t", weights, found.projected)
        logs = np.log(weights).sum(axis=1)
    errors = np.maximum(errors, _NOISE_FLOOR * found.energy)
    return (logs / count - np.log(errors / count) - 1.0 - math.log(2.0 * math.pi)) / 2.0


def _newton(start: Array, low: Array, high: Array, found: Spectrum, count: int) -> Array:
    """Where the evidence is highest between `low` and `high`, by Newton steps in log tau that stay inside."""
    point, projected = start.copy(), found.projected.T
    for _ in range(30):
        shrink = found.sigma / (np.exp(point)[:, None] + found.sigma)
        spread = shrink * (1.0 - shrink)
        weighted = projected * spread
        errors = found.residual + np.einsum("tk,tk->t", projected, 1.0 - shrink)
        errors = np.maximum(errors, _NOISE_FLOOR * found.energy)
        first, second = weighted.sum(axis=1) / errors, (weighted * (2.0 * shrink - 1.0)).sum(axis=1) / errors
        slope = shrink.sum(axis=1) - count * first
        curve = -spread.sum(axis=1) - count * (second - first**2)
        low, high = np.where(slope > 0, point, low), np.where(slope > 0, high, point)
        newton = point - slope / np.where(curve < 0, curve, -1.0)
        inside = (curve < 0) & (newton > low) & (newton < high)
        moved = np.where(inside, newton, (low + high) / 2.0)
        if np.abs(moved - point).max() < 1e-7:
            return moved
        point = moved
    return point


def _targets(inputs: Inputs) -> Array:
    return inputs.targets if inputs.targets.size else one_hot(inputs.labels, inputs.num_classes)


# ------------------------------------------------------------------------------------------ public implementations


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns."""
    if implementation.startswith("pactran"):
        return _pactran(
            inputs, rounds=20 if "-20" in implementation else 0, centred=implementation.endswith("centred")
        )
    # transformer-ranker alone counts the classes that occur.
    counted = inputs.without_gaps() if implementation == "transformer-ranker" and inputs.labels.size else inputs
    rows, targets = inputs.features.astype(np.float64), _targets(counted)
    icml = implementation in ("thuml-icml", "tllib")
    sigma, projected, residual = _public_svd(rows, targets, icml, implementation)
    shape = rows.shape
    if implementation == "transformer-ranker":
        return _carried_over(sigma, projected, residual, shape)
    eps = 0.0 if implementation == "tllib" else 1e-5
    values = []
    for h, r in zip(projected.T, residual, strict=True):
        alpha, beta, m2, res = _fixed_point(sigma, h, r, shape[0], tolerance=1e-2 if icml else 1e-3, eps=eps)
        spare = eps if icml else 0.0
        value = _public_evidence(alpha, beta, m2 + spare, res + spare, sigma, shape)
        if implementation == "all-terms":
            value -= (shape[1] - len(sigma)) / 2.0 * math.log(alpha) / shape[0]
        values.append(value)
    return float(np.mean(values))


def _public_svd(rows: Array, targets: Array, icml: bool, implementation: str) -> tuple[Array, Array, Array]:
    count, dims = rows.shape
    if icml:
        _, squares, right = np.linalg.svd(rows.T @ rows, full_matrices=True)
        safe = np.where(squares > 0, squares, 1.0)
        projected = (right @ (rows.T @ targets)) ** 2 / safe[:, None]
        kept = squares > squares[0] * 1e-14
        projected[~kept] = 0.0
        squares = np.where(kept, squares, 0.0)
        energy = np.einsum("nt,nt->t", targets, targets)
        return squares, projected, np.maximum(energy - projected.sum(axis=0), 0.0)
    if count > dims and implementation != "transformer-ranker":
        _, squares, right = np.linalg.svd(rows.T @ rows, full_matrices=True)
        singular = np.sqrt(squares)
        singular, right = singular[singular > 1e-10], right[singular > 1e-10]
        left = rows @ right.T / singular
    else:
        left, singular, _ = np.linalg.svd(rows, full_matrices=False)
    projected = (left.T @ targets) ** 2
    residual = np.einsum("nt,nt->t", targets, targets) - projected.sum(axis=0)
    return singular**2, projected, residual


def _fixed_point(
    sigma: Array,
    h: Array,
    residual: float,
    count: int,
    *,
    tolerance: float,
    eps: float,
    start: tuple[float, float] = (1.0, 1.0),
) -> tuple[float, float, float, float]:
    """alpha, beta, |m|^2 and the residual after MacKay's fixed point, at most 11 rounds."""
    alpha, beta = start
    m2 = res = 0.0
    for _ in range(11):
        tau = alpha / beta
        gamma = float((sigma / (sigma + tau)).sum())
        m2 = float((sigma * h / (tau + sigma) ** 2).sum())
        res = float((h / (1.0 + sigma / tau) ** 2).sum() + residual)
        alpha = gamma / (m2 + eps)
        beta = (count - gamma) / (res + eps)
        if abs(alpha / beta - tau) / tau <= tolerance:
            break
    return alpha, beta, m2, res


def _public_evidence(
    alpha: float,
    beta: float,
    m2: float,
    res: float,
    sigma: Array,
    shape: tuple[int, ...],
    log_2pi: float = math.log(2 * math.pi),
) -> float:
    count, dims = shape
    value = dims / 2.0 * math.log(alpha) + count / 2.0 * math.log(beta)
    value -= float(np.log(alpha + beta * sigma).sum()) / 2.0
    value -= beta / 2.0 * res + alpha / 2.0 * m2 + count / 2.0 * log_2pi
    return value / count


def _carried_over(sigma: Array, projected: Array, residual: Array, shape: tuple[int, ...]) -> float:
    start, values = (1.0, 1.0), []
    log_2pi = float(np.float32(math.log(2 * math.pi)))
    for h, r in zip(projected.T, residual, strict=True):
        alpha, beta, m2, res = _fixed_point(sigma, h, r, shape[0], tolerance=1e-3, eps=1e-5, start=start)
        start = (alpha, beta)
        values.append(_public_evidence(alpha, beta, m2, res, sigma, shape, log_2pi))
    return float(np.mean(values))


def _pactran(inputs: Inputs, rounds: int, centred: bool) -> float:
    """PACTran's own LogME. Without rounds: alpha = beta = 1,
    -(|XW - T|^2 + |W|^2 + C log det(I + X'X)) / (2 N C) with W the ridge solution. With rounds: per class
    (log beta + D/N log alpha - 1 - log det(alpha + beta X'X)/N) / 2, alpha and beta of the determinant one round old.
    """
    rows, targets = inputs.features, _targets(inputs).astype(inputs.features.dtype)
    rows = rows - rows.mean(axis=0, keepdims=True) if centred else rows
    count, dims = rows.shape
    if rounds == 0:
        inverse = np.linalg.pinv(np.eye(dims, dtype=rows.dtype) + rows.T @ rows)
        weights = inverse @ rows.T @ targets
        fit = float(((rows @ weights - targets) ** 2).sum() + (weights**2).sum())
        logdet = float(np.linalg.slogdet(np.eye(dims, dtype=rows.dtype) + rows.T @ rows)[1])
        return -(fit + targets.shape[1] * logdet) / (2.0 * count * targets.shape[1])
    left, singular, _ = np.linalg.svd(rows, full_matrices=False)
    sigma = singular.astype(np.float64) ** 2
    projected = (left.T.astype(np.float64) @ targets) ** 2
    residual = np.maximum((targets.astype(np.float64) ** 2).sum(axis=0) - projected.sum(axis=0), 0.0)
    values = []
    for h, r in zip(projected.T, residual, strict=True):
        alpha = beta = 1.0
        logdet = 0.0
        for _ in range(rounds):
            tau = alpha / beta
            logdet = float(np.log(alpha + beta * sigma).sum()) + (dims - len(sigma)) * math.log(alpha)
            gamma = min(float((sigma / (sigma + tau)).sum()), count)
            m2 = float((sigma * h / (tau + sigma) ** 2).sum())
            res = float((h / (1.0 + sigma / tau) ** 2).sum() + r)
            alpha = gamma / (m2 + 1e-10)
            beta = (count - gamma) / (res + 1e-10)
        values.append((math.log(beta) + dims / count * math.log(alpha) - 1.0 - logdet / count) / 2.0)
    return float(np.mean(values))
