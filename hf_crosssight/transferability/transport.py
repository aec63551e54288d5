"""Exact optimal transport between two sets with uniform weights, by linear programming over few candidate pairs."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hf_crosssight.errors import CrossSightError

from .inputs import Array

_FIRST_CANDIDATES = 12
# Reduced costs above this share of the mean cost count as zero.
_OPTIMAL = 1e-9


def squared_distances(left: Array, right: Array) -> Array:
    """`[n, m]` squared Euclidean distances."""
    squares = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    return np.maximum(squares - 2.0 * (left @ right.T), 0.0)


def optimal_plan(cost: Array) -> tuple[Array, Array, Array]:
    """The plan of least cost that gives every row 1/n and every column 1/m, as (rows, columns, masses).

    Equal sizes are an assignment problem. Otherwise only each point's cheapest partners (and a feasible diagonal)
    enter
    the program at first; pairs whose reduced cost is negative are added until there are none, so the plan is optimal
    over all pairs. The mass is counted in units of 1/lcm(n, m), so solutions are exact.
    """
    count, other = cost.shape
    if count == other:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(cost)
        return rows, columns, np.full(count, 1.0 / count)
    scaled = cost / max(float(cost.mean()), np.finfo(np.float64).tiny)
    candidates = _first_candidates(scaled)
    for _ in range(100):
        rows, columns = np.nonzero(candidates)
        mass, row_price, column_price = _solve(scaled[rows, columns], rows, columns, count, other)
        reduced = scaled - row_price[:, None] - column_price
        missing = (reduced < -_OPTIMAL) & ~candidates
        if not missing.any():
            used = mass > 1e-9
            return rows[used], columns[used], mass[used] / (count * other)
        # The worst pairs of each row and of each column are enough to go on with.
        reduced[~missing] = 0.0
        candidates |= missing & _cheapest(reduced, 3)
    raise CrossSightError("the transport problem did not settle", "give fewer source images")


def _first_candidates(cost: Array) -> Array:
    chosen = _cheapest(cost - cost.min(axis=0), _FIRST_CANDIDATES)
    chosen |= _cheapest(cost - cost.min(axis=1, keepdims=True), _FIRST_CANDIDATES)
    # The north-west corner rule is feasible whatever the sizes.
    edges = np.union1d(
        np.arange(1, cost.shape[0] + 1) / cost.shape[0], np.arange(1, cost.shape[1] + 1) / cost.shape[1]
    )
    middles = np.concatenate([[0.0], edges[:-1]]) + np.diff(edges, prepend=0.0) / 2.0
    rows, columns = (middles * cost.shape[0]).astype(int), (middles * cost.shape[1]).astype(int)
    chosen[np.minimum(rows, cost.shape[0] - 1), np.minimum(columns, cost.shape[1] - 1)] = True
    return chosen


def _cheapest(cost: Array, most: int) -> Array:
    """Mask of the `most` smallest entries of every row and of every column."""
    chosen = np.zeros(cost.shape, dtype=bool)
    by_row, by_column = min(most, cost.shape[1]), min(most, cost.shape[0])
    np.put_along_axis(chosen, np.argpartition(cost, by_row - 1, axis=1)[:, :by_row], True, axis=1)
    np.put_along_axis(chosen, np.argpartition(cost, by_column - 1, axis=0)[:by_column], True, axis=0)
    return chosen


def _solve(cost: Array, rows: Array, columns: Array, count: int, other: int) -> tuple[Array, Array, Array]:
    """Masses (rows hold `other` units, columns `count`) and the prices of rows and columns."""
    from scipy.optimize import linprog

    pairs = np.arange(len(rows))
    matrix = sparse.csc_array(
        (np.ones(2 * len(rows)), (np.concatenate([rows, count + columns]), np.concatenate([pairs, pairs]))),
        shape=(count + other, len(rows)),
    )
    supply = np.concatenate([np.full(count, float(other)), np.full(other, float(count))])
    found = linprog(cost, A_eq=matrix, b_eq=supply, bounds=(0, None), method="highs-ds")
    if found.status != 0:
        raise CrossSightError(f"the transport problem was not solved: {found.message}", "give fewer source images")
    prices = found.eqlin.marginals
    return np.maximum(found.x, 0.0), prices[:count], prices[count:]
