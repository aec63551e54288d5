"""Exact optimal transport between two sets with uniform weights."""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import CrossSightError

from .inputs import Array

# Pivots of the network simplex: far more than any problem here needs.
_MOST_PIVOTS = 50_000_000


def squared_distances(left: Array, right: Array) -> Array:
    """`[n, m]` squared Euclidean distances."""
    squares = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    return np.maximum(squares - 2.0 * (left @ right.T), 0.0)


def optimal_plan(cost: Array) -> tuple[Array, Array, Array]:
    """The plan of least cost that gives every row 1/n and every column 1/m, as (rows, columns, masses).

    Equal sizes are an assignment problem (scipy's Jonker-Volgenant); otherwise POT's network simplex solves it, on
    costs of mean one, since its tolerance is absolute.
    """
    count, other = cost.shape
    if count == other:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(cost)
        return rows, columns, np.full(count, 1.0 / count)
    scaled = np.ascontiguousarray(cost / max(float(cost.mean()), np.finfo(np.float64).tiny))
    plan = _network_simplex(scaled)
    rows, columns = np.nonzero(plan > 1e-9 / (count * other))
    return rows, columns, plan[rows, columns]


def _network_simplex(cost: Array) -> Array:
    """The optimal plan `[n, m]` for uniform marginals."""
    # Late: POT imports every array library that it finds.
    import ot

    uniform = (np.full(size, 1.0 / size) for size in cost.shape)
    plan, log = ot.emd(*uniform, cost, numItermax=_MOST_PIVOTS, log=True)
    if log["warning"]:
        raise CrossSightError(f"the transport problem was not solved: {log['warning']}", "give fewer source images")
    return np.asarray(plan)
